"""Classifiers: images to classes with probabilities."""
