"""Detectors that say which pixels of a box belong to its object, too."""
