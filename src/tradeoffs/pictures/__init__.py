"""Boxes with names and scores, drawn onto images, and many images on one sheet. Pure functions, and one that saves."""

from tradeoffs.pictures.draw import draw_boxes
from tradeoffs.pictures.sheet import contact_sheet, save_picture

__all__ = ["contact_sheet", "draw_boxes", "save_picture"]
