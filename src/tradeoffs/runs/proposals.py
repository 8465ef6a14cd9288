"""The regions that a model needs from outside: who proposes them, how many, and where they are kept."""

from __future__ import annotations

from pathlib import Path

import torch
from omegaconf import DictConfig

from tradeoffs.data.regions import RegionSource
from tradeoffs.data.resize import Resize
from tradeoffs.inference.proposing import Proposing
from tradeoffs.model_facts import operating_point_of
from tradeoffs.proposals.proposer import Proposer
from tradeoffs.runs.instantiate import build
from tradeoffs.training.operating_points import rising


def proposer_of(config: DictConfig) -> Proposer | None:
    """None for a model that looks for regions itself, or needs none."""
    return build(config, "proposals") if config.get("proposals") else None


def region_source(config: DictConfig) -> RegionSource:
    """As many as training draws from, and as the largest operating point that is scored has."""
    own, asked = config.model.num_proposals, rising(config.get(operating_point_of(config.model).name))
    folder = Path(config.data_dir) / "proposals"
    return RegionSource(proposer_of(config), folder, train=config.model.train_proposals, val=max([own, *asked]))


def proposing_of(config: DictConfig, device: torch.device) -> Proposing | None:
    """What computes regions while the clock runs."""
    proposer = proposer_of(config)
    return proposer and Proposing(proposer, Resize(config.resize, config.image_size), device)
