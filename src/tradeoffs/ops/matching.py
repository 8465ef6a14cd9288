"""Which object each reference box answers for."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from tradeoffs.ops.boxes import to_centers

BACKGROUND, IGNORED = -1, -2  # in place of the number of an object


def match(
    overlaps: Float[Tensor, "B N A"], valid: Bool[Tensor, "B N"], threshold: float, force: bool = True
) -> Int64[Tensor, "B A"]:
    """The object (0..N-1) that each of A reference boxes is matched to, or BACKGROUND.

    A reference box takes the object it overlaps most, if their IoU is at least `threshold`. With `force`, every
    object also takes the reference box it overlaps most, whatever their IoU (Liu et al. 2016, section 2.2); where
    two objects claim the same box, the later one gets it. N is at least 1: pad.
    """
    overlaps = overlaps.masked_fill(~valid[..., None], -1.0)
    best_overlap, best_object = overlaps.max(dim=1)
    matches = torch.where(best_overlap >= threshold, best_object, BACKGROUND)
    if not force:
        return matches
    claimed = claims(overlaps.argmax(dim=2), valid, overlaps.shape[2])
    return torch.where(claimed >= 0, claimed, matches)


def claims(slots: Int64[Tensor, "B N"], valid: Bool[Tensor, "B N"], num_slots: int) -> Int64[Tensor, "B {num_slots}"]:
    """The object (0..N-1) that has each slot, or BACKGROUND; where several want the same one, the last gets it."""
    objects = torch.arange(slots.shape[1], device=slots.device).expand_as(slots)
    empty = torch.full((len(slots), num_slots), BACKGROUND, device=slots.device)
    return empty.scatter_reduce(1, slots, torch.where(valid, objects, BACKGROUND), "amax")


def nearest_of_best(
    overlaps: Float[Tensor, "B N A"], boxes: Float[Tensor, "B N 4"], references: Float[Tensor, "B A 4"]
) -> Int64[Tensor, "B N"]:
    """The reference box that each object overlaps most; of several, which hold a small one, the nearest centre's."""
    best = overlaps >= overlaps.amax(dim=2, keepdim=True) - 1e-5  # equal but for rounding
    apart = to_centers(boxes)[0][:, :, None] - to_centers(references)[0][:, None]
    return apart.square().sum(dim=-1).masked_fill(~best, torch.inf).argmin(dim=2)


def match_or_ignore(
    overlaps: Float[Tensor, "B N A"], valid: Bool[Tensor, "B N"], low: float, high: float
) -> Int64[Tensor, "B A"]:
    """The object that each reference box is matched to, BACKGROUND, or IGNORED (Ren et al. 2015, section 3.1.2).

    A reference box takes the object it overlaps most if their IoU is at least `high`, or if no other box overlaps that
    or any other object more (ties count); it is background if its IoU with all objects is below `low`, and ignored in
    between.
    """
    overlaps = overlaps.masked_fill(~valid[..., None], -1.0)
    best_overlap, best_object = overlaps.max(dim=1)
    rest = torch.where(best_overlap < low, BACKGROUND, IGNORED)
    # An object that nothing overlaps claims no box, though all of them tie.
    most = overlaps.amax(dim=2, keepdim=True).clamp(min=torch.finfo(overlaps.dtype).tiny)
    claimed = (overlaps >= most).any(dim=1)
    return torch.where(claimed | (best_overlap >= high), best_object, rest)


def gather_rows(rows: Tensor, index: Int64[Tensor, "B A"]) -> Tensor:
    """`rows[b, index[b, a]]` for rows of shape `B N ...`; negative indices give row 0 (mask them)."""
    index = index.clamp(min=0)
    if rows.ndim == 2:
        return rows.gather(1, index)
    return rows.gather(1, index[..., None].expand(-1, -1, rows.shape[-1]))
