"""Data set, model and task from a config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningDataModule, LightningModule
from pytorch_lightning.utilities import rank_zero_only
from torch import nn

from tradeoffs.data.image_changes import ImageChanges
from tradeoffs.data.person_views import PersonViews
from tradeoffs.errors import UserError
from tradeoffs.runs.data_hashes import data_now
from tradeoffs.runs.instantiate import OF_ANCHORS, build
from tradeoffs.runs.proposals import region_source
from tradeoffs.runs.weights import put_backbone
from tradeoffs.settings.saved_runs import find_run, run_or_none
from tradeoffs.task_facts import annotations_in, annotations_of, facts_of

KEYWORDS = ("None", "none", "pretrained")  # of backbone.weights, which name no run
SYMMETRIC = ""  # padding of MobileNet V1's pretrained weights

OF_DATA = ("person_boxes",)  # settings of a task that concern its data


def build_data(config: DictConfig, stage: str | None = None) -> LightningDataModule:
    """The data set, checked and read: both splits, or with `validate` that one alone. Raises UserError for bad data.

    Its `hashes` say which data they are.
    """
    data = build(
        config,
        "data",
        image_size=config.image_size,
        resize=config.resize,
        augmentation=config.augmentation.geometry,
        photometric=config.augmentation.photometric,
        batch_size=config.batch_size,
        workers=config.workers,
        seed=config.seed,
        annotations=annotations_in(config) or facts_of(config.task.name).annotations,
        **of_pixels(config.augmentation),
        **({"regions": region_source(config)} if config.get("proposals") else {}),
        **{key: config.task[key] for key in OF_DATA if key in config.task},
    )
    data.setup(stage)
    data.hashes = data_now(config, ["val"] if stage == "validate" else ["train", "val"])
    return data


def of_pixels(settings: DictConfig) -> dict[str, object]:
    """What only some augmentations say."""
    crop = {"smallest_crop": settings.smallest_crop} if "smallest_crop" in settings else {}
    changes = {key: settings[key] for key in ("strength", "erasing") if key in settings}
    views = {key: settings[key] for key in ("scale", "rotation") if key in settings}
    return {
        **crop,
        **({"changes": ImageChanges(**changes)} if changes else {}),
        **({"views": PersonViews(**views, flip=True)} if views else {}),
    }


def build_task(config: DictConfig, num_classes: int, class_names: Sequence[str] = ()) -> LightningModule:
    """The task with its model, on random weights that depend on the seed alone.

    `class_names` are for weights whose own classes are to be kept, where the data have them.
    """
    torch.manual_seed(config.seed)
    model = build_model(config, num_classes, class_names)
    if note := getattr(model, "note", None):
        rank_zero_only(print)(note)
    if config.channels_last is True or (config.channels_last == "auto" and torch.cuda.is_available()):
        model = model.to(memory_format=torch.channels_last)
    optimizer, schedule = instantiate(config.optimizer), instantiate(config.schedule, _convert_="all")
    return build(config, "task", model=model, optimizer=optimizer, schedule=schedule, seed=config.seed)


def build_model(config: DictConfig, num_classes: int, class_names: Sequence[str] = ()) -> nn.Module:
    annotations = config.model.get("annotations") or annotations_of(config.model.get("task"))
    by_name = config.model.get("whole") or "person" in annotations
    known = {"class_names": class_names} if by_name and class_names else {}
    model = build(config, "model", backbone=build_backbone(config), num_classes=num_classes, **known)
    # Batches of several shapes are padded, with which anchors must not grow.
    settings = {"anchor_side": config.image_size} if config.resize in ("shorter_edge", "torchvision") else {}
    settings |= {key: config.model[key] for key in OF_ANCHORS if key in config.model}
    for module in model.modules():
        for key, value in settings.items():
            if hasattr(module, key):
                setattr(module, key, value)
    return model


def build_backbone(config: DictConfig) -> nn.Module:
    """With weights that a run has learnt, if `backbone.weights` names one."""
    whole = {"whole": True} if config.model.get("whole") else {}
    run = run_of_weights(config.backbone)
    if run is None:
        saved = saved_backbone(find_run(config.run)) if isinstance(config.get("run"), str) else OmegaConf.create()
        return build(OmegaConf.merge(config, {"backbone": padding_of(config.backbone, saved)}), "backbone", **whole)
    saved = saved_backbone(run)
    require_same_backbone(config.backbone, saved, run)
    settings = {"weights": "none", **padding_of(config.backbone, saved)}
    backbone = build(OmegaConf.merge(config, {"backbone": settings}), "backbone", **whole)
    rank_zero_only(print)(put_backbone(run, backbone))
    return backbone


def saved_backbone(run: Path) -> DictConfig:
    return OmegaConf.load(run / "config.yaml").get("backbone") or OmegaConf.create()


def padding_of(backbone: DictConfig, saved: DictConfig) -> dict[str, str]:
    """That of the weights which a run began with, where it was left to them: now they come from the run."""
    if "padding" not in backbone or backbone.padding is not None:
        return {}
    if saved.get("padding") is not None:
        return {"padding": saved.padding}
    if saved.get("weights") == "pretrained":
        return {"padding": SYMMETRIC}
    before = run_of_weights(saved)
    return padding_of(backbone, saved_backbone(before)) if before else {}


def run_of_weights(backbone: DictConfig) -> Path | None:
    """The run that `backbone.weights` names, if it names one."""
    weights = str(backbone.get("weights"))
    return None if weights in KEYWORDS else run_or_none(weights)


def require_same_backbone(backbone: DictConfig, saved: DictConfig, run: Path) -> None:
    for key in ("_target_", "name", "width"):
        if (backbone.get(key) or None) != (saved.get(key) or None):
            raise UserError(
                f"backbone.weights={run} is of another backbone: its {key.strip('_')} is {saved.get(key)} and not "
                f"{backbone.get(key)}; choose the backbone of that run"
            )
