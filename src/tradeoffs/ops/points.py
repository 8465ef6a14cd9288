"""Objects seen from points inside them, without anchors (Tian et al. 2019; its later version, arXiv 2006.09214)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from tradeoffs.ops.boxes import area
from tradeoffs.ops.matching import BACKGROUND


def to_boxes(distances: Float[Tensor, "*N 4"], points: Float[Tensor, "*N 2"]) -> Float[Tensor, "*N 4"]:
    """Boxes whose left, top, right and bottom sides are so far from the points."""
    return torch.cat([points - distances[..., :2], points + distances[..., 2:]], dim=-1)


def centerness(boxes: Float[Tensor, "*N 4"], points: Float[Tensor, "*N 2"]) -> Float[Tensor, "*N"]:
    """1 for a point in the middle of its box, falling to 0 at the sides; points are inside (equation 3)."""
    before, after = points - boxes[..., :2], boxes[..., 2:] - points
    return (torch.minimum(before, after) / torch.maximum(before, after)).prod(dim=-1).sqrt()


def match_points(
    boxes: Float[Tensor, "B N 4"],
    valid: Bool[Tensor, "B N"],
    points: Float[Tensor, "A 2"],
    radii: Float[Tensor, " A"],
    ranges: Float[Tensor, "A 2"],
) -> Int64[Tensor, "B A"]:
    """The object (0..N-1) that each point answers for, or BACKGROUND: the smallest of those that want the point.

    An object wants the points inside it that are less than `radii` pixels from its centre along both axes, and whose
    distance to its farthest side lies within `ranges`, borders excluded (section 3.2; centre sampling: the later one).
    """
    before, after = points - boxes[:, :, None, :2], boxes[:, :, None, 2:] - points
    inside = torch.minimum(before, after).amin(dim=-1) > 0
    central = (before - after).abs().amax(dim=-1) < 2 * radii
    farthest = torch.maximum(before, after).amax(dim=-1)
    wanted = inside & central & (farthest > ranges[:, 0]) & (farthest < ranges[:, 1]) & valid[..., None]
    smallest, matches = torch.where(wanted, area(boxes)[..., None], torch.inf).min(dim=1)
    return torch.where(smallest < torch.inf, matches, BACKGROUND)
