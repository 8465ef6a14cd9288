"""Boxes with names and scores, drawn onto images, and many images on one sheet. Pure functions, and one that saves."""

from tradeoffs.pictures.draw import draw_boxes
from tradeoffs.pictures.label import draw_label
from tradeoffs.pictures.masks import draw_masks
from tradeoffs.pictures.sheet import contact_sheet, save_picture

__all__ = ["contact_sheet", "draw_boxes", "draw_label", "draw_masks", "save_picture"]
