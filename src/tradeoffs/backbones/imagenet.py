"""What the outputs of published classifiers stand for: ImageNet's classes, by id or by word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from timm.data import ImageNetInfo, infer_imagenet_subset
from torch import nn


def knows_imagenet(network: nn.Module) -> bool:
    """Whether a network of timm has as many outputs as one of ImageNet's sets has classes."""
    return infer_imagenet_subset(network) is not None


def outputs_of(network: nn.Module, class_names: Sequence[str]) -> list[int] | None:
    """For each class the output of a network of timm; None where it knows one of them not, or not for sure.

    A class may be called by its id (`n01443537`), by the first word that ImageNet has for it (`goldfish`) if no other
    class has the same, or by both (`crane (n02012849)`).
    """
    subset = infer_imagenet_subset(network)  # by the number of outputs
    if subset is None:
        return None
    info = ImageNetInfo(subset)
    ids = info.label_names()
    words = [info.index_to_description(place).partition(",")[0].casefold() for place in range(len(ids))]
    times = Counter(words)
    known = {word: place for place, word in enumerate(words) if times[word] == 1}
    known |= {name: place for place, name in enumerate(ids)}
    known |= {f"{word} ({name})": place for place, (word, name) in enumerate(zip(words, ids, strict=True))}
    found = [known.get(name.casefold()) for name in class_names]
    return None if None in found else found
