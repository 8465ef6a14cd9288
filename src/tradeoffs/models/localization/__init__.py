"""Localizers: images to the class and the box of their main object."""
