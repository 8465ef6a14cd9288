"""A trained network at work on images that have no annotations. Which files are meant is found out without torch."""
