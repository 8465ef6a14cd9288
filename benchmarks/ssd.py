"""Our SSD300-VGG16 against torchvision's with the same weights: prediction and training, timed in turns.

    python benchmarks/ssd.py [--repeats 10]

Two cases of prediction are timed: as many candidates for suppression as a trained network leaves, and "flooded", where
almost every box of every class is a candidate.
"""

from __future__ import annotations

import argparse

import torch
from table import print_table
from torchvision_ssd import build_pair
from versus import CANDIDATES, CLASSES, Pair, predict_rows, threshold_for, training_row

PREDICT_GOALS = {1: 1.2, 8: 1.5}
TRAINING_GOAL = 1.15
FLOODED = 0.01  # below the score of nearly every box and class of random weights


def main(repeats: int = 10) -> list[dict]:
    torch.manual_seed(0)
    pair = Pair("SSD300-VGG16", *build_pair(CLASSES), first_label=1)
    images = torch.randint(0, 256, (8, 3, 300, 300), dtype=torch.uint8)
    as_trained = threshold_for(pair.ours, images, CANDIDATES)
    rows = []
    for case, threshold in {f"{CANDIDATES} candidates": as_trained, "flooded": FLOODED}.items():
        pair.set_threshold(threshold)
        for size, goal in PREDICT_GOALS.items():
            rows += predict_rows(pair, images[:size], case, goal, repeats, with_compiled=True)
    rows.append(training_row(pair, images, TRAINING_GOAL, repeats))
    print_table(rows, title=f"{torch.get_num_threads()} threads")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10, help="turns")
    main(parser.parse_args().repeats)
