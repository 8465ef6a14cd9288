"""SSD's photometric distortion of a whole batch at once, on the device that holds it.

Brightness, contrast, saturation and hue, each with probability 1/2, and a permutation of the channels; ranges and
order as in torchvision's `RandomPhotometricDistort`, after Liu et al. 2016, section 2.2, and its reference [14].
Random numbers are computed on the device as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

BRIGHTNESS = (0.875, 1.125)
CONTRAST = (0.5, 1.5)
SATURATION = (0.5, 1.5)
HUE = (-0.05, 0.05)  # parts of the colour circle: 18 degrees
PROBABILITY = 0.5
GREY = (0.2989, 0.587, 0.114)  # ITU-R 601

Pixels = Float[Tensor, "M 3 H W"]  # 0..255
Amount = Float[Tensor, "M 1 1 1"]

CPU_CHUNK = 8  # images at a time on a CPU, whose caches and memory allocation dislike more


@dataclass
class Distortion:
    """What is done to each image; 1 (0 for hue) leaves it alone."""

    brightness: Float[Tensor, " B"]
    contrast_first: Float[Tensor, " B"]  # contrast is changed either before saturation and hue
    saturation: Float[Tensor, " B"]
    hue: Float[Tensor, " B"]
    contrast_last: Float[Tensor, " B"]  # or after them
    channels: Int64[Tensor, "B 3"]  # where each output channel comes from


def photometric_distort(images: UInt8[Tensor, "B 3 H W"], addresses: Int64[Tensor, "B 3"]) -> UInt8[Tensor, "B 3 H W"]:
    """Distorts each image as its address (seed, epoch, index) says, whatever batch it is in."""
    chunk = CPU_CHUNK if images.device.type == "cpu" else len(images)
    parts = zip(images.split(chunk), addresses.split(chunk), strict=True)
    return torch.cat([distort(part, draw_distortion(address)) for part, address in parts])


def draw_distortion(addresses: Int64[Tensor, "B 3"]) -> Distortion:
    """The random parameters that belong to these addresses."""
    chosen, drawn, order = uniform(addresses, 15).split([6, 6, 3], dim=1)
    chosen = chosen < PROBABILITY
    ranges = (BRIGHTNESS, CONTRAST, SATURATION, HUE)
    # Number by number, because to copy a tensor of limits to a GPU would make the CPU wait for it.
    values = [drawn[:, k] * (high - low) + low for k, (low, high) in enumerate(ranges)]
    neutral = (1.0, 1.0, 1.0, 0.0)
    brightness, contrast, saturation, hue = (values[k].where(chosen[:, k], neutral[k]) for k in range(4))
    contrast_before, permutes = chosen[:, 4:].split(1, dim=1)
    return Distortion(
        brightness=brightness,
        contrast_first=contrast.where(contrast_before.squeeze(1), 1.0),
        saturation=saturation,
        hue=hue,
        contrast_last=contrast.where(~contrast_before.squeeze(1), 1.0),
        channels=order.argsort(dim=1).where(permutes, torch.arange(3, device=order.device)),
    )


def uniform(addresses: Int64[Tensor, "B 3"], count: int) -> Float[Tensor, "B count"]:
    """`count` numbers in [0, 1) for each address, the same on every device.

    SplitMix64 (Steele, Lea and Flood 2014) as a hash: the address is mixed in part by part, then a counter.
    """
    state = torch.zeros_like(addresses[:, :1])
    counter = torch.arange(count, device=addresses.device).expand(len(addresses), -1)
    for part in (*addresses.split(1, dim=1), counter):
        state = _mix(state + part * -0x61C8864680B583EB)
    return _shift_right(state, 40) * 2.0**-24


def _mix(bits: Int64[Tensor, "B N"]) -> Int64[Tensor, "B N"]:
    bits = (bits ^ _shift_right(bits, 30)) * -0x40A7B892E31B1A47
    bits = (bits ^ _shift_right(bits, 27)) * -0x6B2FB644ECCEEE15
    return bits ^ _shift_right(bits, 31)


def _shift_right(bits: Int64[Tensor, "B N"], places: int) -> Int64[Tensor, "B N"]:
    """Filled up with zeros, as for unsigned numbers."""
    return (bits >> places) & ((1 << (64 - places)) - 1)


def distort(images: UInt8[Tensor, "B 3 H W"], distortion: Distortion) -> UInt8[Tensor, "B 3 H W"]:
    """Applies the operations in float and rounds once at the end."""
    pixels = images.float()
    _apply(change_brightness, pixels, distortion.brightness, neutral=1.0)
    _apply(change_contrast, pixels, distortion.contrast_first, neutral=1.0)
    _apply(change_saturation, pixels, distortion.saturation, neutral=1.0)
    _apply(shift_hue, pixels, distortion.hue, neutral=0.0)
    _apply(change_contrast, pixels, distortion.contrast_last, neutral=1.0)
    every_image = torch.arange(len(images), device=images.device)[:, None]
    return pixels.round_().to(torch.uint8)[every_image, distortion.channels]


def _apply(operation: Callable, pixels: Pixels, amount: Float[Tensor, " M"], neutral: float) -> None:
    """In place. A CPU leaves out the images that would not change; a GPU would have to stop and say which they are."""
    if pixels.device.type != "cpu":
        operation(pixels, amount[:, None, None, None])
    elif len(rows := (amount != neutral).nonzero().squeeze(1)):
        pixels[rows] = operation(pixels[rows], amount[rows, None, None, None])


def change_brightness(pixels: Pixels, factor: Amount) -> Pixels:
    return pixels.mul_(factor).clamp_(0, 255)


def change_contrast(pixels: Pixels, factor: Amount) -> Pixels:
    """Away from (factor > 1) or towards the image's mean grey."""
    mean = grey(pixels).mean(dim=(2, 3), keepdim=True)
    return pixels.mul_(factor).add_(mean * (1 - factor)).clamp_(0, 255)


def change_saturation(pixels: Pixels, factor: Amount) -> Pixels:
    """Away from (factor > 1) or towards each pixel's own grey."""
    own_grey = grey(pixels)
    return pixels.mul_(factor).add_(own_grey.mul_(1 - factor)).clamp_(0, 255)


def grey(pixels: Pixels) -> Float[Tensor, "M 1 H W"]:
    red, green, blue = pixels.split(1, dim=1)
    return (red * GREY[0]).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2])


def shift_hue(pixels: Pixels, shift: Amount) -> Pixels:
    """Turns the colour circle by `shift` (up to 1/6) of its circumference; value and saturation of each pixel stay.

    With V the largest and V - C the smallest channel, hue is a place on a circle of circumference 6 C, on which red,
    green and blue lie at 0, 2 C and 4 C. A channel has V within C of its own place and falls to V - C at 2 C. Keeping
    C as the unit saves the divisions of a round trip through HSV.
    """
    red, green, blue = pixels.split(1, dim=1)
    value = torch.maximum(red, green).maximum(blue)
    chroma = value - torch.minimum(red, green).minimum(blue)
    # lerp by 0 or 1 chooses like torch.where, at a fraction of its time on a CPU
    beside_green = (blue - red).add_(chroma, alpha=2)
    beside_blue = (red - green).add_(chroma, alpha=4)
    hue = (green - blue).lerp_(beside_green.lerp_(beside_blue, (value - green).sign_()), (value - red).sign_())
    hue.add_(chroma * shift, alpha=6)
    floor, around = value - chroma, chroma * 6
    for channel, place in enumerate((0, 2, 4)):
        distance = hue.sub(chroma, alpha=place).abs_()
        distance = torch.minimum(distance, around - distance)
        level = (chroma * 2).sub_(distance).clamp_(min=0).minimum(chroma)
        torch.add(floor, level, out=pixels[:, channel : channel + 1])
    return pixels
