"""Semantic segmentation: images to a class for each pixel."""
