"""How a person is seen: cut out of the photo by its box, a little turned, larger or smaller, or mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from numpy import ndarray
from torch import Tensor

MARGIN = 1.25  # the side of what is seen in longer sides of the box (Xiao et al. 2018, their code)


class PersonViews:
    """What is drawn for each view: the size, up to `scale` larger or smaller; the turn, up to `rotation` degrees.

    And half of the views are mirrored, if `flip`.
    """

    def __init__(self, scale: float = 0.0, rotation: float = 0.0, flip: bool = False):
        self.scale, self.rotation, self.flip = scale, rotation, flip

    def draw(self, box: Sequence[float], side: int, rng: np.random.Generator) -> PersonView:
        """Of the person in `box`, as an input of `side` pixels."""
        factor, degrees = 1 + rng.uniform(-self.scale, self.scale), rng.uniform(-self.rotation, self.rotation)
        return view_of(box, side, factor, degrees, self.flip and bool(rng.random() < 0.5))


@dataclass(frozen=True)
class PersonView:
    """`input = matrix @ (x, y, 1)`, from pixels of the photo to those of the input, which is a square."""

    matrix: Float64[ndarray, "2 3"]
    side: int
    mirrored: bool
    geometry: Float[Tensor, "4"]  # the same without the turn, as `Batch` has it

    def image(self, image: UInt8[Tensor, "3 height width"]) -> UInt8[Tensor, "3 H W"]:
        """In one bilinear interpolation; black where there is no photo."""
        # OpenCV counts from the centre of the first pixel, and here from its corner.
        shift = self.matrix[:, :2].sum(axis=1) / 2 - 0.5
        matrix = np.concatenate([self.matrix[:, :2], self.matrix[:, 2:] + shift[:, None]], axis=1)
        photo = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        seen = cv2.warpAffine(photo, matrix, (self.side, self.side), flags=cv2.INTER_LINEAR)
        return torch.from_numpy(seen).permute(2, 0, 1).contiguous()

    def keypoints(self, keypoints: Float[Tensor, "J 3"], swapped: Sequence[int]) -> Float[Tensor, "J 3"]:
        """Moved along with the image; those out of sight become unlabelled (all zero).

        In a mirrored image a left wrist looks like a right one: `swapped` says which joint takes whose place.
        """
        matrix = torch.from_numpy(self.matrix).to(keypoints.dtype)
        points = keypoints[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        seen = ((points >= 0) & (points <= self.side)).all(dim=1, keepdim=True) & (keypoints[:, 2:] > 0)
        moved = torch.where(seen, torch.cat([points, keypoints[:, 2:]], dim=1), 0.0)
        return moved[list(swapped)] if self.mirrored else moved


def view_of(
    box: Sequence[float], side: int, factor: float = 1.0, degrees: float = 0.0, mirrored: bool = False
) -> PersonView:
    """A square around the middle of `box` (xyxy), `MARGIN` times `factor` times as long as the box's longer side."""
    left, top, right, bottom = box
    zoom = side / (MARGIN * factor * max(right - left, bottom - top))
    signs = np.array([[-1.0 if mirrored else 1.0], [1.0]])
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    turned, plain = (signs * zoom * rotation for rotation in (np.array([[cosine, -sine], [sine, cosine]]), np.eye(2)))
    matrices = [np.column_stack([linear, side / 2 - linear @ centre]) for linear in (turned, plain)]
    geometry = [matrices[1][0, 0], matrices[1][1, 1], *matrices[1][:, 2]]
    return PersonView(matrices[0], side, mirrored, torch.tensor(geometry, dtype=torch.float32))
