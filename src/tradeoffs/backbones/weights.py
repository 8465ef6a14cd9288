"""Weights of backbones from local files. Reading a file never runs code from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from tradeoffs.errors import UserError

FORMATS = (".safetensors", ".pt", ".pth", ".bin")


def read_weights(path: Path, setting: str = "backbone.weights") -> dict[str, Tensor]:
    """The tensors of a safetensors or PyTorch file, which a `setting` names."""
    if not path.is_file():
        raise UserError(f"{setting}={path}: no such file; give the path of a file")
    if path.suffix not in FORMATS:
        raise UserError(f"{setting}={path}: unknown format; give one of {', '.join(FORMATS)}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # every library says "damaged" with an exception of its own
        raise UserError(f"{setting}={path}: cannot be read as weights ({_first_line(error)})") from error
    if isinstance(content, dict):
        content = content.get("state_dict", content.get("model", content))
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{setting}={path}: holds no dictionary of tensors")
    return content


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill `network` from the file at `path`."""
    fill(network, read_weights(path), path)


def fill(network: nn.Module, content: Mapping[str, Tensor], path: Path | str) -> None:
    """Fill `network` (timm's names, with or without `features_only`) with what the file at `path` holds.

    Classifier layers of the file, which a backbone does not have, are left out. Anything else that is missing,
    unexpected or of another shape raises a `UserError` that names it.
    """
    tensors = {_flat(name): tensor for name, tensor in content.items()}
    wanted = network.state_dict()
    missing = [name for name in wanted if _flat(name) not in tensors and not name.endswith("num_batches_tracked")]
    shapes = [
        f"{name} is {tuple(tensors[_flat(name)].shape)} instead of {tuple(value.shape)}"
        for name, value in wanted.items()
        if _flat(name) in tensors and tensors[_flat(name)].shape != value.shape
    ]
    known, parts = set(map(_flat, wanted)), {_flat(name).split("_")[0] for name in wanted}
    classifier = ("conv_head", "head")
    unexpected = [
        name
        for name in content
        if _flat(name) not in known and _flat(name).split("_")[0] in parts and not name.startswith(classifier)
    ]
    faults = (("missing", missing, 3), ("unexpected", unexpected, 3), ("other shapes", shapes, 1))
    if said := "; ".join(f"{fault} {_some(names, most)}" for fault, names, most in faults if names):
        raise UserError(f"backbone.weights={path} is of another architecture: {said}")
    network.load_state_dict({name: tensors.get(_flat(name), value) for name, value in wanted.items()})


def _flat(name: str) -> str:
    """timm flattens the first level of names in `features_only` networks: `features.0` becomes `features_0`."""
    return name.replace(".", "_")


def _some(names: Sequence[str], most: int) -> str:
    """Such as `102 (conv1.weight, bn1.weight, bn1.bias, ...)`."""
    return f"{len(names)} ({', '.join(names[:most])}{', ...' if len(names) > most else ''})"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
