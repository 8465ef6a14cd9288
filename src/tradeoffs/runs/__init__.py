"""A run is a folder: its lock, files, data, weights; finding what an earlier one left."""
