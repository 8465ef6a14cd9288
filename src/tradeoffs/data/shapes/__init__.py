"""The embedded data set: textured shapes and jointed figures, drawn by the program, in COCO format."""

from tradeoffs.data.shapes.maker import make_shapes

__all__ = ["make_shapes"]
