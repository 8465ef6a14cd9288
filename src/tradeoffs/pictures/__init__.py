"""Boxes with names and scores, or classes of pixels, drawn onto images; many images on one sheet; and saving them."""

from tradeoffs.pictures.draw import draw_boxes
from tradeoffs.pictures.label import draw_label
from tradeoffs.pictures.label_maps import draw_label_map
from tradeoffs.pictures.masks import draw_masks
from tradeoffs.pictures.sheet import contact_sheet, save_picture

__all__ = ["contact_sheet", "draw_boxes", "draw_label", "draw_label_map", "draw_masks", "save_picture"]
