"""Detectors: images to boxes with classes and scores."""
