"""Changes of an image's pixels that keep its class: RandAugment and erasing, as torchvision has them.

What is drawn depends on the sample's own generator alone; torch's global one is left as it was.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from tradeoffs.data.resize import MEAN_COLOUR


class ImageChanges:
    """`strength`: of RandAugment with two operations, from 0 for none to 30 (Cubuk et al. 2020).

    `erasing`: how often a rectangle of 2 to 33 % is painted over with the mean colour (Zhong et al. 2020).
    """

    def __init__(self, strength: int = 0, erasing: float = 0.0):  # a dataclass would be a config to Hydra
        self.strength, self.erasing = strength, erasing

    def __call__(self, image: UInt8[Tensor, "3 H W"], rng: np.random.Generator) -> UInt8[Tensor, "3 H W"]:
        if not (self.strength or self.erasing):
            return image
        from torchvision.transforms import v2  # takes a moment

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))
            if self.strength:
                image = v2.RandAugment(num_ops=2, magnitude=self.strength)(image)
            if self.erasing:
                image = v2.RandomErasing(self.erasing, value=MEAN_COLOUR)(image)
        return image
