"""Data sets with one label an image, whatever says it: folders, lists, tables. They are written down in COCO format."""
