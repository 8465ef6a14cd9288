"""YOLO, the first version (Redmon et al. 2016), on any backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.postprocess import decoded, detect
from tradeoffs.models.layers import Convolution
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.grid import cell_of, from_grid, grid_cells, to_grid
from tradeoffs.ops.matching import claims, gather_rows
from tradeoffs.structures import Detections, Targets

SLOPE = 0.1  # of leaky ReLU below zero (equation 2)
STRIDES = (1, 2, 1, 1)  # of the last four convolutions (figure 3)


class YOLOOutput(NamedTuple):
    """What the network says of the P boxes of each cell of the grid, and of the cell."""

    boxes: Float[Tensor, "B G P 4"]  # centre in the cell, square roots of width and height as parts of the image
    confidences: Float[Tensor, "B G P"]
    classes: Float[Tensor, "B G K"]
    cells: Float[Tensor, "G 4"]


class YOLO(nn.Module):
    """Backbone, four 3x3 convolutions, and two fully connected layers that see the whole image at once.

    The second convolution halves the map of stride 32, so that images of 448 pixels give the paper's 7x7; other sizes
    are brought to the grid by average pooling. Batch norm is not in the paper but in the authors' code (yolov1.cfg).
    All outputs are linear: the loss alone pulls them towards probabilities.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        grid_size: int = 7,
        boxes_per_cell: int = 2,
        channels: Sequence[int] = (1024, 1024, 1024, 1024),
        hidden: int = 4096,
        dropout: float = 0.5,
        localization_weight: float = 5.0,
        background_weight: float = 0.5,
        score_threshold: float = 0.01,
        nms_threshold: float = 0.45,
        max_detections: int = 100,
    ):
        super().__init__()
        self.num_classes, self.grid_size, self.boxes_per_cell = num_classes, grid_size, boxes_per_cell
        self.backbone = backbone.trunk(min(max(backbone.strides), 32))
        inputs = [self.backbone.channels[-1], *channels[:-1]]
        cells = grid_size**2
        self.neck = nn.Sequential(
            *(convolution(*sizes, stride=stride) for *sizes, stride in zip(inputs, channels, STRIDES, strict=True)),
            nn.AdaptiveAvgPool2d(grid_size),
            nn.Flatten(),
            nn.Linear(channels[-1] * cells, hidden),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Dropout(dropout),
        )
        self.heads = nn.ModuleList([nn.Linear(hidden, cells * (boxes_per_cell * 5 + num_classes))])
        self.localization_weight, self.background_weight = localization_weight, background_weight
        self.score_threshold, self.nms_threshold = score_threshold, nms_threshold
        self.max_detections = max_detections
        self._initialize()

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> YOLOOutput:
        x = self.heads[0](self.neck(self.backbone(images)[-1]))
        rows = x.view(len(x), self.grid_size**2, -1)
        boxes, classes = rows.split([self.boxes_per_cell * 5, self.num_classes], dim=-1)
        coordinates, confidences = boxes.unflatten(-1, (-1, 5)).split([4, 1], dim=-1)
        image_size = (images.shape[-2], images.shape[-1])
        cells = grid_cells((self.grid_size, self.grid_size), image_size, images.device)
        return YOLOOutput(coordinates, confidences.squeeze(-1), classes, cells)

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        return self.criterion(self(images), targets)

    def predict(self, images: UInt8[Tensor, "B 3 H W"]) -> Detections:
        """Detections in pixels of `images`."""
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def criterion(self, output: YOLOOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """Squared errors, summed over an image and averaged over the batch (equation 3).

        A cell answers for one object, the last one where several are centred in it; the paper does not say which.
        """
        boxes, confidences, classes = (part.float() for part in output[:3])
        owners = claims(cell_of(targets.boxes, output.cells), targets.valid, len(output.cells))
        occupied = owners >= 0
        truth = gather_rows(targets.boxes, owners)[:, :, None]
        overlaps = iou(decode(boxes.detach(), output.cells), truth).squeeze(-1)
        responsible = most_overlapping(overlaps) & occupied[..., None]
        localization = (boxes - encode(truth, output.cells)).square().sum(dim=-1)
        wanted = F.one_hot(gather_rows(targets.labels, owners), self.num_classes)
        classification = (classes - wanted).square().sum(dim=-1)
        count = len(boxes)
        return {
            "localization": self.localization_weight * (localization * responsible).sum() / count,
            "objectness": ((confidences - overlaps).square() * responsible).sum() / count,
            "background": self.background_weight * (confidences.square() * ~responsible).sum() / count,
            "classification": (classification * occupied).sum() / count,
        }

    def postprocess(self, output: YOLOOutput, image_size: tuple[int, int]) -> Detections:
        boxes = decode(output.boxes.float(), output.cells).flatten(1, 2)
        return detect(
            self.scores(output),
            decoded(boxes),
            image_size,
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
        )

    def scores(self, output: YOLOOutput) -> Float[Tensor, "B A K"]:
        """Confidence times class (equation 1), both cut to 0..1: two negative ones must not make a good score."""
        confidences, classes = output.confidences.float().clamp(0, 1), output.classes.float().clamp(0, 1)
        return (confidences[..., None] * classes[:, :, None]).flatten(1, 2)

    def num_candidates(self, output: YOLOOutput) -> Int64[Tensor, " B"]:
        """How many boxes of each image score high enough to reach the suppression."""
        return (self.scores(output) > self.score_threshold).sum(dim=(1, 2))

    def _initialize(self) -> None:
        """Boxes start in the middle of their cell, a quarter of the image wide and high, with a confidence of about 0.

        Boxes of no size would overlap nothing, and none of a cell's could be told to be the best.
        """
        for module in self.neck.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                nn.init.zeros_(module.bias)
        (head,) = self.heads
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)
        boxes = head.bias.data.view(self.grid_size**2, -1)[:, : self.boxes_per_cell * 5]
        boxes.unflatten(-1, (-1, 5))[..., :4] = 0.5


def encode(boxes: Float[Tensor, "*B G P 4"], cells: Float[Tensor, "G 4"]) -> Float[Tensor, "*B G P 4"]:
    """Centre in the cell and square roots of width and height as parts of the image (section 2.2)."""
    places, sizes = to_grid(boxes, cells)
    return torch.cat([places, sizes.sqrt()], dim=-1)


def decode(coordinates: Float[Tensor, "*B G P 4"], cells: Float[Tensor, "G 4"]) -> Float[Tensor, "*B G P 4"]:
    """The inverse of `encode`. A root below zero is squared like any other, so no size is negative or undefined."""
    return from_grid(coordinates[..., :2], coordinates[..., 2:].square(), cells)


def most_overlapping(overlaps: Float[Tensor, "B G P"]) -> Bool[Tensor, "B G P"]:
    """One box of each cell: the one responsible if there is an object (section 2.2)."""
    boxes = torch.arange(overlaps.shape[-1], device=overlaps.device)
    return boxes == overlaps.argmax(dim=-1, keepdim=True)


def convolution(channels: int, following: int, kernel_size: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm and leaky ReLU."""
    layer = Convolution(channels, following, kernel_size, stride, padding=kernel_size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    return nn.Sequential(layer, nn.BatchNorm2d(following), nn.LeakyReLU(SLOPE, inplace=True))
