"""How many images a step takes and how many processes load them, where nobody says."""

from __future__ import annotations

import math
import os

import torch

SMALLEST_BATCH, LARGEST_BATCH = 8, 32  # images
LEAST_STEPS = 20  # of an epoch, where the batch need not be smaller than the smallest for it
MOST_WORKERS = 8  # per process; more only wait for memory


def suggested_batch(num_images: int) -> int:
    """Images of one step for a training split of `num_images`: a power of two from 8 to 32.

    A network learns by steps as much as by images, and in large batches few photos are few steps.
    """
    fitting = 2 ** int(math.log2(max(num_images // LEAST_STEPS, 1)))
    return min(max(fitting, SMALLEST_BATCH), LARGEST_BATCH)


def suggested_workers(processes: int = 1) -> int:
    """How many workers each of `processes` training processes of this machine should have.

    Enough to feed a GPU. On a CPU loading takes a few percent of a step, so workers would only compete for its cores
    unless there are many.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = cores // processes
    return max(1, min(MOST_WORKERS, share - 1)) if torch.cuda.is_available() else min(2, share // 8)
