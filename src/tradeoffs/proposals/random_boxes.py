"""Boxes by chance: what any other algorithm has to beat."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from tradeoffs.proposals.proposer import Proposed, ranked


@dataclass(frozen=True)
class RandomBoxes:
    """Areas and shapes are log-uniform, places uniform. Images of one size get the same boxes.

    Args:
        count: Boxes for each image.
        seed: Another one gives other boxes.
        smallest: Area of the smallest ones, as a part of the image's.
        longest: Ratio of the sides of the longest ones, upright or lying.
    """

    count: int = 2000
    seed: int = 0
    smallest: float = 0.001
    longest: float = 3.0

    name = "random"
    device = "cpu"

    @property
    def identity(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}

    def __call__(self, image: UInt8[Tensor, "3 H W"]) -> Proposed:
        height, width = image.shape[1:]
        rng = np.random.default_rng([self.seed, height, width])
        area = height * width * np.exp(rng.uniform(np.log(self.smallest), 0, self.count))
        root = np.exp(rng.uniform(-0.5, 0.5, self.count) * np.log(self.longest))  # of height / width
        size = np.clip(np.stack([np.sqrt(area) / root, np.sqrt(area) * root], axis=1), 1, [width, height])
        start = rng.random((self.count, 2)) * ([width, height] - size)
        return ranked(np.concatenate([start, np.minimum(start + size, [width, height])], axis=1))
