"""Position-sensitive pooling: each part of a box is looked up in maps of its own (Dai et al. 2016, section 2)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def position_sensitive_vote(
    maps: Float[Tensor, "B _ H W"],
    boxes: Float[Tensor, "B P 4"],
    image_size: tuple[int, int],
    bins: int,
    crop_size: int,
) -> Float[Tensor, "B P _"]:
    """The mean over `bins` x `bins` parts of each box, each part averaged over its own maps (equation 1).

    Channel `(c * bins + i) * bins + j` of `maps` holds what column `c` of the result takes from row `i`, column `j` of
    the parts, as in torchvision. `crop_size` x `crop_size` points of a box are sampled, bilinearly; `boxes` are in
    pixels of an image of `image_size`, and no gradient flows to them (Huang et al. 2017, section 3).

    Bilinear samples are sums of pixels weighted by row and by column, so all of them together are one matrix product.
    On a CPU, with 80 classes, that takes a third to a tenth of the time of torchvision's `ps_roi_align`, which fetches
    every sample of every map by itself.
    """
    rows, columns = maps.shape[-2:]
    height, width = image_size
    left, top, right, bottom = boxes.detach().unbind(-1)
    vertical = axis_weights(top * (rows / height), bottom * (rows / height), rows, bins, crop_size)
    horizontal = axis_weights(left * (columns / width), right * (columns / width), columns, bins, crop_size)
    # The product is large, so the factors are brought to what it is to be: the mean over parts, in the maps' type.
    vertical, horizontal = (vertical / bins**2).to(maps.dtype), horizontal.to(maps.dtype)
    weights = vertical[:, :, :, None, :, None] * horizontal[:, :, None, :, None, :]
    parts = maps.unflatten(1, (-1, bins, bins)).flatten(2)
    return torch.bmm(weights.flatten(2), parts.transpose(1, 2))


def axis_weights(
    start: Float[Tensor, "B P"], end: Float[Tensor, "B P"], size: int, bins: int, crop_size: int
) -> Float[Tensor, "B P {bins} {size}"]:
    """How much each of `size` pixels counts in each part of the way from `start` to `end`; a part's weights sum to 1.

    Pixel `n` reaches from `n` to `n + 1`. Each part is sampled at `crop_size / bins` points, spread evenly.
    """
    steps = (torch.arange(crop_size, device=start.device) + 0.5) / crop_size
    points = torch.lerp(start[..., None], end[..., None], steps) - 0.5
    pixels = torch.arange(size, device=start.device)
    distances = (points.clamp(0, size - 1)[..., None] - pixels).abs()
    return (1 - distances).clamp(min=0).unflatten(2, (bins, -1)).mean(dim=3)
