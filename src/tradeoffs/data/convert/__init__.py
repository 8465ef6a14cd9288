"""Turns other annotation formats into COCO format: `python -m tradeoffs.data.convert --help`."""
