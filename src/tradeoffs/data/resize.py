"""A window of the original image becomes the network's input, in one interpolation, and boxes go along exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64, UInt8
from numpy import ndarray
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from tradeoffs.ops.keypoints import order_in_mirror
from tradeoffs.structures import IGNORED

ResizeMode = Literal["warp", "centre", "letterbox", "shorter_edge", "torchvision"]
Rectangle = tuple[int, int, int, int]  # left, top, right, bottom

MEAN_COLOUR = (124, 116, 104)  # of ImageNet; SSD fills with it what lies outside the photo (Liu et al. 2016, 3.6)
BLACK = (0, 0, 0)
CENTRE = 7 / 8  # 224 of 256 pixels


@dataclass(frozen=True)
class Window:
    """A rectangle in pixels of the original image. It may reach beyond the image, and be mirrored."""

    left: int
    top: int
    right: int
    bottom: int
    mirrored: bool = False

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def contains_centres(self, boxes: Float[Tensor, "N 4"]) -> Bool[Tensor, " N"]:
        """SSD's rule: an object is in the picture when its centre is."""
        x, y = boxes.unflatten(-1, (2, 2)).mean(dim=1).unbind(dim=-1)
        return (x > self.left) & (x < self.right) & (y > self.top) & (y < self.bottom)


@dataclass(frozen=True)
class Placement:
    """Where the part of the image that is seen through a window lands in the network's input.

    All edges are whole pixels on both sides, and the scale is their ratio: boxes follow the pixels exactly.
    """

    source: Rectangle  # what is seen, in the original image
    target: Rectangle  # where that lands in the input
    content: Rectangle  # where the window lands; between it and `target` there is no photo
    size: tuple[int, int]  # height, width of the input
    mirrored: bool

    @property
    def geometry(self) -> Float[Tensor, "4"]:
        """Scale x, scale y, offset x, offset y: input = original * scale + offset. Scale x < 0 means mirrored."""
        left, top, right, bottom = self.source
        to_left, to_top, to_right, to_bottom = self.target
        if self.mirrored:
            to_left, to_right = to_right, to_left
        scale_x, scale_y = (to_right - to_left) / (right - left), (to_bottom - to_top) / (bottom - top)
        return torch.tensor([scale_x, scale_y, to_left - left * scale_x, to_top - top * scale_y])

    def image(self, image: UInt8[Tensor, "3 height width"]) -> UInt8[Tensor, "3 H W"]:
        """The input: mean colour where the window sees no photo, zero around the window."""
        photo = self._interpolate(image, InterpolationMode.BILINEAR)
        if photo.shape[1:] == self.size:
            return photo
        canvas = photo.new_zeros(3, *self.size)
        _cut(canvas, self.content).copy_(photo.new_tensor(MEAN_COLOUR)[:, None, None])
        _cut(canvas, self.target).copy_(photo)
        return canvas

    def masks(self, masks: UInt8[Tensor, "N height width"]) -> UInt8[Tensor, "N H W"]:
        seen = self._interpolate(masks, InterpolationMode.NEAREST_EXACT)
        canvas = masks.new_zeros(len(masks), *self.size)
        _cut(canvas, self.target).copy_(seen)
        return canvas

    def label_map(self, labels: UInt8[Tensor, "height width"]) -> UInt8[Tensor, "H W"]:
        """Ignored where there is no photo."""
        canvas = labels.new_full((1, *self.size), IGNORED)
        _cut(canvas, self.target).copy_(self._interpolate(labels[None], InterpolationMode.NEAREST_EXACT))
        return canvas[0]

    def boxes(self, boxes: Float[Tensor, "N 4"]) -> Float[Tensor, "N 4"]:
        """Moved along with the image and cut at the borders of what is seen."""
        scale, offset = self.geometry.to(boxes.dtype).split(2)
        corners = boxes.unflatten(-1, (2, 2)) * scale + offset
        low, high = torch.tensor(self.target, dtype=boxes.dtype).split(2)
        return torch.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=-1).clamp(low.repeat(2), high.repeat(2))

    def keypoints(self, keypoints: Float[Tensor, "N J 3"], flip_pairs: list[tuple[int, int]]) -> Float[Tensor, "N J 3"]:
        """Moved along with the image; those out of sight become unlabelled (all zero).

        In a mirrored image a left wrist looks like a right one: `flip_pairs` says which two change names.
        """
        scale, offset = self.geometry.to(keypoints.dtype).split(2)
        points, visibility = keypoints[..., :2] * scale + offset, keypoints[..., 2:]
        low, high = torch.tensor(self.target, dtype=keypoints.dtype).split(2)
        seen = ((points >= low) & (points <= high)).all(dim=-1, keepdim=True) & (visibility > 0)
        moved = torch.where(seen, torch.cat([points, visibility], dim=-1), 0.0)
        return moved[:, order_in_mirror(keypoints.shape[1], flip_pairs)] if self.mirrored else moved

    def _interpolate(self, planes: Tensor, mode: InterpolationMode) -> Tensor:
        left, top, right, bottom = self.target
        resized = F.resize(_cut(planes, self.source), [bottom - top, right - left], mode, antialias=True)
        return resized.flip(-1) if self.mirrored else resized


class Resize:
    """How a window of any size becomes an input.

    - `warp`: stretched to `image_size` x `image_size` (SSD).
    - `centre`: of a whole image, 7/8 of the shorter side from the middle, a square; as classifiers are usually tested.
    - `letterbox`: scaled to fit into that square, centred, zero around it (YOLO).
    - `shorter_edge`: the shorter side becomes `image_size`, unless the longer one would exceed `max_ratio` times that
      (Huang et al. 2017: 600 and 1024). Inputs differ in size; batches pad them to a multiple of `multiple` pixels.
    - `torchvision`: the same as its detectors have it. The ratio is 1333 to 800, sizes are rounded down, and the
      `padding` has the mean colour.
    """

    def __init__(self, mode: ResizeMode, image_size: int, max_ratio: float | None = None):
        self.mode = mode
        self.image_size = image_size
        self.longest = round(image_size * (max_ratio or (1333 / 800 if mode == "torchvision" else 1024 / 600)))
        self.keeps_shape = mode in ("shorter_edge", "torchvision")
        self.multiple = 32 if self.keeps_shape else 1
        self.padding = MEAN_COLOUR if mode == "torchvision" else BLACK

    def __call__(self, image: UInt8[Tensor, "3 height width"]) -> tuple[UInt8[Tensor, "3 H W"], Float[Tensor, "4"]]:
        """The whole image as an input, and its geometry."""
        placement = self.whole(*image.shape[1:])
        return placement.image(image), placement.geometry

    def whole(self, height: int, width: int) -> Placement:
        """Where a whole image of this size lands."""
        return self.place(Window(0, 0, width, height), height, width)

    def place(self, window: Window, height: int, width: int) -> Placement:
        """Where the part of a `height` x `width` image that is seen through `window` lands."""
        if self.mode == "centre" and (window.width, window.height) == (width, height):
            window = centre(window)
        content_height, content_width = self._content_size(window.height, window.width)
        size = (content_height, content_width) if self.keeps_shape else (self.image_size, self.image_size)
        top, left = (size[0] - content_height) // 2, (size[1] - content_width) // 2
        source_x = (max(window.left, 0), min(window.right, width))
        source_y = (max(window.top, 0), min(window.bottom, height))
        x = _project(source_x, window.left, window.width, content_width, window.mirrored)
        y = _project(source_y, window.top, window.height, content_height, mirrored=False)
        return Placement(
            source=(source_x[0], source_y[0], source_x[1], source_y[1]),
            target=(left + x[0], top + y[0], left + x[1], top + y[1]),
            content=(left, top, left + content_width, top + content_height),
            size=size,
            mirrored=window.mirrored,
        )

    def _content_size(self, height: int, width: int) -> tuple[int, int]:
        match self.mode:
            case "warp" | "centre":
                return self.image_size, self.image_size
            case "letterbox":
                scale = self.image_size / max(height, width)
            case "shorter_edge" | "torchvision":
                scale = min(self.image_size / min(height, width), self.longest / max(height, width))
        if self.mode == "torchvision":
            return max(1, int(height * scale + 1e-6)), max(1, int(width * scale + 1e-6))
        return max(1, round(height * scale)), max(1, round(width * scale))


def input_scales(resize: Resize, sizes: Int64[ndarray, "N 2"]) -> Float64[ndarray, "N 2"]:
    """By which factor height and width of each image change on the way into the network, if it is seen whole."""
    different, which = np.unique(sizes, axis=0, return_inverse=True)
    placed = [resize.place(Window(0, 0, width, height), height, width).geometry for height, width in different.tolist()]
    return torch.stack(placed)[:, [1, 0]].double().numpy()[which.reshape(-1)]


def centre(window: Window) -> Window:
    """The square in its middle whose side is 7/8 of the shorter side."""
    side = max(1, round(CENTRE * min(window.width, window.height)))
    left, top = window.left + (window.width - side) // 2, window.top + (window.height - side) // 2
    return Window(left, top, left + side, top + side, window.mirrored)


def _project(seen: tuple[int, int], start: int, length: int, new_length: int, mirrored: bool) -> tuple[int, int]:
    """The interval `seen` of a window, in whole pixels (at least one) of the window resized to `new_length`."""
    first = min(round((seen[0] - start) * new_length / length), new_length - 1)
    last = max(round((seen[1] - start) * new_length / length), first + 1)
    return (new_length - last, new_length - first) if mirrored else (first, last)


def _cut(planes: Tensor, rectangle: Rectangle) -> Tensor:
    left, top, right, bottom = rectangle
    return planes[:, top:bottom, left:right]
