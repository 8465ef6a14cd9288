"""Where heads start, and how their outputs are laid out."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor


def rows(x: Float[Tensor, "B _ H W"], columns: int) -> Float[Tensor, "B A {columns}"]:
    """One row of `columns` values per reference box: location by location, then shape by shape."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, columns)


def prior_bias(probability: float = 0.01) -> float:
    """The logit of a class that is rarely there: training is calm from the start (Lin et al. 2017b, section 3.3)."""
    return math.log(probability / (1 - probability))


def background_bias(num_classes: int, prior: float = 0.01) -> float:
    """The background's logit beside zeros, at which all classes together have a probability of `prior`."""
    return math.log(num_classes * (1 - prior) / prior)
