"""Our Faster R-CNN, RetinaNet and FCOS on ResNet-50 with FPN against torchvision's with the same weights, in turns.

    python benchmarks/resnet50_fpn.py [--repeats 10] [--image-size 384] [--models faster_rcnn retinanet fcos]

The image size is a multiple of 128. Beside the times stands the part of ours at batch 8 that is spent outside
convolutions and matrix products.
"""

from __future__ import annotations

import argparse

import torch
import torchvision_faster_rcnn
import torchvision_fcos
import torchvision_retinanet
from table import print_table
from versus import CANDIDATES, CLASSES, Pair, predict_rows, share_outside_products, threshold_for, training_row

from tradeoffs.measure.fuse import fuse_for_inference

PREDICT_GOAL, TRAINING_GOAL = 1.3, 1.15
BATCHES = 1, 8
WORTH_COMPILING = "retinanet", "fcos"  # the compiler's code for pooling regions is slower than torch's own
PAIRS = {
    "faster_rcnn": ("Faster R-CNN", torchvision_faster_rcnn.build_pair, 1),
    "retinanet": ("RetinaNet", torchvision_retinanet.build_pair, 0),
    "fcos": ("FCOS", torchvision_fcos.build_pair, 0),
}


def main(repeats: int = 10, image_size: int = 384, models: list[str] | tuple[str, ...] = tuple(PAIRS)) -> list[dict]:
    rows, shares = [], []
    for model in models:
        torch.manual_seed(0)
        name, build_pair, first_label = PAIRS[model]
        pair = Pair(name, *build_pair(CLASSES, image_size), first_label)
        images = torch.randint(0, 256, (max(BATCHES), 3, image_size, image_size), dtype=torch.uint8)
        pair.set_threshold(threshold_for(pair.ours, images, CANDIDATES))
        case = f"{CANDIDATES} candidates"
        for batch in BATCHES:
            rows += predict_rows(pair, images[:batch], case, PREDICT_GOAL, repeats, model in WORTH_COMPILING)
        rows.append(training_row(pair, images, TRAINING_GOAL, repeats))
        network = fuse_for_inference(pair.ours, images[:1], channels_last=True)
        share = share_outside_products(lambda network=network, images=images: network.predict(images))
        shares.append(f"{name}, predict, batch {len(images)}: {share:.1%} outside convolutions and matrix products")
    print_table(rows, title=f"ResNet-50, FPN, {image_size} px, {torch.get_num_threads()} threads")
    print(*shares, sep="\n")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10, help="turns")
    parser.add_argument("--image-size", type=int, default=384)
    parser.add_argument("--models", nargs="+", choices=PAIRS, default=tuple(PAIRS))
    main(**vars(parser.parse_args()))
