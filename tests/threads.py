"""How many threads tests compute with. Sums of several differ in their last digits from those of one."""

import os

import torch


def use_test_threads() -> None:
    torch.set_num_threads(int(os.environ.get("TRADEOFFS_TEST_THREADS", "1")))
