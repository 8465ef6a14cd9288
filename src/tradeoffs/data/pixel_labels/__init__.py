"""Data sets in which an image has a second one beside it, whose pixels say the class of each of its pixels."""
