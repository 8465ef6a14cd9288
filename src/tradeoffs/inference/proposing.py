"""The regions of a batch of images, computed at each call, as they are when images are new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import seen_regions, stack_regions
from tradeoffs.inference.pipeline import THREADS
from tradeoffs.proposals.proposer import Proposer
from tradeoffs.structures import Regions


class Proposing:
    """What is timed of a model that needs regions: `proposing(photos)` is a function that computes theirs.

    Photos are looked at as `predict.py` does: whole, at their own size, several at once.
    """

    def __init__(self, proposer: Proposer, resize: Resize, device: torch.device):
        self.proposer, self.resize, self.device = proposer, resize, device

    def __call__(self, photos: Sequence[UInt8[Tensor, "3 _h _w"]]) -> Callable[[], Regions]:
        def propose() -> Regions:
            with ThreadPoolExecutor(THREADS) as pool:
                proposed = list(pool.map(self.proposer, photos))
            placements = (self.resize.whole(*photo.shape[1:]) for photo in photos)
            return stack_regions(list(map(seen_regions, proposed, placements))).to(self.device)

        return propose

    def describe(self) -> dict[str, Any]:
        """For the record."""
        clock = {"clock": "proposals_ms: photos in memory to their regions on the device"}
        return {**self.proposer.identity, "device": self.proposer.device, "threads": THREADS, **clock}
