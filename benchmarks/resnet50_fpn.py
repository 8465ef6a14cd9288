"""Our detectors on ResNet-50 with FPN against torchvision's with the same weights, in turns.

    python benchmarks/resnet50_fpn.py [--repeats 10] [--image-size 384] [--models faster_rcnn fcos]

The image size is a multiple of 128. Beside the times stands the part of ours at batch 8 that is spent outside
convolutions and matrix products.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torchvision_faster_rcnn
import torchvision_fcos
import torchvision_keypoint_rcnn
import torchvision_mask_rcnn
import torchvision_retinanet
from table import print_table
from versus import CANDIDATES, CLASSES, Pair, predict_rows, share_outside_products, threshold_for, training_row

from tradeoffs.measure.fuse import fuse_for_inference

BATCHES = 1, 8
WORTH_COMPILING = "retinanet", "fcos"  # the compiler's code for pooling regions is slower than torch's own
JOINTS, FEW = 17, 12  # joints of a person; people of an image, few of which suppress each other


class Case(NamedTuple):
    """One of the models. Goals are of prediction, for each of the batches, and of training."""

    name: str
    build_pair: Callable[[int, int], tuple[Any, Any]]
    first_label: int
    goals: tuple[float, float] = (1.3, 1.3)
    training_goal: float = 1.15
    classes: int = CLASSES  # or joints
    candidates: int = CANDIDATES
    joints: int = 0
    masks: bool = False
    training_batch: int = max(BATCHES)

    def pair(self, image_size: int) -> Pair:
        return Pair(self.name, *self.build_pair(self.classes, image_size), self.first_label, self.joints, self.masks)


PAIRS = {
    "faster_rcnn": Case("Faster R-CNN", torchvision_faster_rcnn.build_pair, 1),
    "retinanet": Case("RetinaNet", torchvision_retinanet.build_pair, 0),
    "fcos": Case("FCOS", torchvision_fcos.build_pair, 0),
    "mask_rcnn": Case(
        *("Mask R-CNN", torchvision_mask_rcnn.build_pair, 1, (1.3, 1.5), 1.3), masks=True, training_batch=2
    ),
    "keypoint_rcnn": Case(
        *("Keypoint R-CNN", torchvision_keypoint_rcnn.build_pair, 1, (1.3, 1.5), 1.3, JOINTS, FEW, JOINTS),
        training_batch=2,  # of 8 images one step takes minutes on a core: the head looks at hundreds of people
    ),
}


def main(repeats: int = 10, image_size: int = 384, models: list[str] | tuple[str, ...] = tuple(PAIRS)) -> list[dict]:
    rows, shares = [], []
    for model in models:
        torch.manual_seed(0)
        case = PAIRS[model]
        pair = case.pair(image_size)
        images = torch.randint(0, 256, (max(BATCHES), 3, image_size, image_size), dtype=torch.uint8)
        pair.set_threshold(threshold_for(pair.ours, images, case.candidates))
        what = f"{case.candidates} candidates"
        for batch, goal in zip(BATCHES, case.goals, strict=True):
            rows += predict_rows(pair, images[:batch], what, goal, repeats, model in WORTH_COMPILING)
        rows.append(training_row(pair, images[: case.training_batch], case.training_goal, repeats))
        network = fuse_for_inference(pair.ours, images[:1], channels_last=True)
        share = share_outside_products(lambda network=network, images=images: network.predict(images))
        shares.append(
            f"{case.name}, predict, batch {len(images)}: {share:.1%} outside convolutions and matrix products"
        )
    print_table(rows, title=f"ResNet-50, FPN, {image_size} px, {torch.get_num_threads()} threads")
    print(*shares, sep="\n")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10, help="turns")
    parser.add_argument("--image-size", type=int, default=384)
    parser.add_argument("--models", nargs="+", choices=PAIRS, default=tuple(PAIRS))
    main(**vars(parser.parse_args()))
