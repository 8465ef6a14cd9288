"""torchvision's files with the weights of detectors, which it downloads itself or somebody has here."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse

import torch
from omegaconf import DictConfig
from torch import Tensor
from torchvision.models import WeightsEnum, get_model, get_model_weights

from tradeoffs.backbones.weights import read_weights
from tradeoffs.data.skeleton import COCO_EDGES
from tradeoffs.errors import UserError
from tradeoffs.structures import Skeleton


def published(network: str) -> WeightsEnum:
    """torchvision's description of the weights of one of its detectors."""
    return get_model_weights(network).COCO_V1


def categories(network: str) -> list[str]:
    """The names of its outputs, by COCO's ids: the first is the background, and those that COCO left out are N/A.

    Of a network that finds joints these are the outputs, counted from 1 as well.
    """
    meta = published(network).meta
    return [meta["categories"][0], *meta["keypoint_names"]] if "keypoint_names" in meta else list(meta["categories"])


def skeleton(network: str) -> Skeleton | None:
    """Of a network that finds the joints of people, as COCO has them."""
    meta = published(network).meta
    if "keypoint_names" not in meta:
        return None
    return Skeleton(list(meta["keypoint_names"]), list(COCO_EDGES), 1, meta["categories"][1])


def published_file(weights: DictConfig) -> Path:
    """That of the settings, or the one that torchvision downloads."""
    return Path(weights.file) if weights.file else downloaded(weights.torchvision)


def downloaded(network: str) -> Path:
    """Where torch keeps the file, which is fetched if it is not there yet. Raises UserError where it cannot be."""
    weights = published(network)
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name
    if not path.is_file():
        print(f"fetching {weights.url} ({weights.meta['_file_size']:.0f} MB)")
        try:
            weights.get_state_dict(progress=True, check_hash=True, weights_only=True, map_location="cpu")
        except (OSError, RuntimeError) as error:  # no network, a full disk; a file of another hash
            raise UserError(
                f"weights=coco: {weights.url} cannot be fetched ({error}); fetch it elsewhere and lay it at {path}, "
                "or give weights=FILE"
            ) from error
    return path


def published_tensors(network: str, path: Path) -> dict[str, Tensor]:
    """The tensors of a file under today's names: files are of several versions, which torchvision's model knows.

    Raises UserError where they are not all of that model's, with COCO's outputs.
    """
    tensors = read_weights(path, "weights")
    with torch.device("meta"):  # takes no memory and no time
        model = get_model(network, weights=None, weights_backbone=None)
    try:
        result = model.load_state_dict(tensors, strict=False, assign=True)
    except RuntimeError as error:
        fault = str(error).splitlines()[-1].strip()
    else:
        missing = [name for name in result.missing_keys if not name.endswith("num_batches_tracked")]
        faults = [f"it lacks {name}" for name in missing] + [f"it has {name}" for name in result.unexpected_keys]
        fault = next(iter(faults), None)
    if fault:
        raise UserError(f"weights={path} is no file of torchvision's {network} for COCO: {fault}")
    return model.state_dict()
