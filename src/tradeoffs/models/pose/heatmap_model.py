"""What networks that give a heatmap for each joint have in common: losses, decoding, the mirrored second look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.ops.heatmaps import decode_dark, decode_quarter, gaussians
from tradeoffs.ops.keypoints import swapped
from tradeoffs.structures import Poses, Targets


class HeatmapOutput(NamedTuple):
    """What the network says of each image."""

    heatmaps: Float[Tensor, "B S J h w"]  # of each of S stacks, the last of which counts
    extent: Float[Tensor, " 2"]  # width, height of the images in pixels


class HeatmapModel(nn.Module):
    """A network whose `heatmaps(images)` are `B S J h w`; `num_classes` is the number of joints.

    `sigma` is that of the targets' Gaussians, in pixels of a heatmap; `decoding` is `quarter` or `dark` (see
    `ops.heatmaps`). With `flip_test`, `forward` runs the network on the mirrored images, too, and takes the mean: so
    what is scored is what is timed. Training (`losses`) never does.
    """

    each_image = "one person, cut out"  # what times are of

    def __init__(
        self,
        num_classes: int,
        class_names: Sequence[str] = (),
        sigma: float = 2.0,
        decoding: str = "dark",
        flip_test: bool = False,
    ):
        super().__init__()
        self.num_classes = num_classes
        self.sigma, self.decoding, self.flip_test = sigma, decoding, flip_test
        order = torch.tensor(swapped(class_names) if class_names else range(num_classes))
        self.register_buffer("swapped", order)  # a checkpoint knows it where the data are not

    def heatmaps(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B S J h w"]:
        raise NotImplementedError

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> HeatmapOutput:
        found = self.heatmaps(images)
        if self.flip_test:
            mirrored = self.heatmaps(images.flip(-1)).flip(-1)
            found = (found + mirrored.index_select(2, self.swapped)) / 2
        return self._output(found, images)

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        return self.criterion(self._output(self.heatmaps(images), images), targets)

    def predict(self, images: UInt8[Tensor, "B 3 H W"]) -> Poses:
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def criterion(self, output: HeatmapOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """Squared errors of the heatmaps of labelled joints, of the last stack and of those before it.

        For each joint in units of what a map without a peak has, so that the loss does not depend on sizes.
        """
        maps, joints = output.heatmaps.float(), targets.keypoints[:, 0]
        places = joints[..., :2] * self._per_pixel(output)
        wanted = gaussians(places, (maps.shape[-2], maps.shape[-1]), self.sigma)
        labelled = (joints[..., 2] > 0).float()
        errors = (maps - wanted[:, None]).square().sum(dim=(-2, -1)) / (math.pi * self.sigma**2)
        of_stacks = (errors * labelled[:, None]).sum(dim=(0, 2)) / labelled.sum().clamp(min=1)
        earlier = {"earlier_stacks": of_stacks[:-1].sum()} if len(of_stacks) > 1 else {}
        return {"heatmaps": of_stacks[-1], **earlier}

    def postprocess(self, output: HeatmapOutput, image_size: tuple[int, int]) -> Poses:
        maps = output.heatmaps[:, -1].float()
        places, scores = decode_dark(maps, self.sigma) if self.decoding == "dark" else decode_quarter(maps)
        return Poses(torch.cat([places / self._per_pixel(output), scores.clamp(0, 1)[..., None]], dim=-1))

    def _per_pixel(self, output: HeatmapOutput) -> Float[Tensor, " 2"]:
        """Pixels of a heatmap for a pixel of the images: x, y."""
        height, width = output.heatmaps.shape[-2:]
        return output.extent.new_tensor([width, height]) / output.extent

    def _output(self, heatmaps: Float[Tensor, "B S J h w"], images: UInt8[Tensor, "B 3 H W"]) -> HeatmapOutput:
        sides = (images.shape[-1], images.shape[-2])
        extent = [torch.full((), side, dtype=torch.float32, device=images.device) for side in sides]
        return HeatmapOutput(heatmaps, torch.stack(extent))
