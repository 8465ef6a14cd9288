"""Boxes with names and scores, classes of pixels, skeletons, drawn onto images; sheets of images; saving them."""

from tradeoffs.pictures.draw import draw_boxes
from tradeoffs.pictures.label import draw_label
from tradeoffs.pictures.label_maps import draw_label_map
from tradeoffs.pictures.masks import draw_masks
from tradeoffs.pictures.sheet import contact_sheet, save_picture
from tradeoffs.pictures.skeletons import draw_skeletons

__all__ = [
    "contact_sheet",
    "draw_boxes",
    "draw_label",
    "draw_label_map",
    "draw_masks",
    "draw_skeletons",
    "save_picture",
]
