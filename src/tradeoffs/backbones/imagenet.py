"""What the outputs of published classifiers stand for: ImageNet's classes, by id or by word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from timm.data import ImageNetInfo, infer_imagenet_subset
from torch import nn


def knows_imagenet(network: nn.Module) -> bool:
    """Whether a network of timm has as many outputs as one of ImageNet's sets has classes."""
    return infer_imagenet_subset(network) is not None


def outputs_of(network: nn.Module, class_names: Sequence[str]) -> dict[str, int | None]:
    """For each class the output of a network of timm that `knows_imagenet`; None where it is not known for sure.

    A class may be called by its id (`n01443537`), by the first word that ImageNet has for it (`goldfish`) if no other
    class has the same, or by both (`crane (n02012849)`). Words may be written in capitals, unless that tells two apart.
    """
    info = ImageNetInfo(infer_imagenet_subset(network))
    ids = info.label_names()
    words = [info.index_to_description(place).partition(",")[0] for place in range(len(ids))]
    both = [f"{word} ({name})" for word, name in zip(words, ids, strict=True)]
    places = {**unique(each.casefold() for each in words), **unique(words)}
    places |= {name.casefold(): place for names in (ids, both) for place, name in enumerate(names)}
    found = {name: places.get(name, places.get(name.casefold())) for name in class_names}
    times = Counter(found.values())
    return {name: place if times[place] == 1 else None for name, place in found.items()}


def unique(names: Iterable[str]) -> dict[str, int]:
    """The places of names that stand once."""
    names = list(names)
    times = Counter(names)
    return {name: place for place, name in enumerate(names) if times[name] == 1}
