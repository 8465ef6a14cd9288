"""Which run it is: the settings that count, and what a record says of it. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tradeoffs.files import CONF
from tradeoffs.model_facts import operating_points
from tradeoffs.results.neutral import PLACES, matters
from tradeoffs.results.record import Identity, config_hash, flat
from tradeoffs.runs.data_hashes import Hashes
from tradeoffs.settings.saved_runs import find_run

# Settings of an evaluation that leave the run as it was trained: its record is one of the run itself. And defaults of
# settings that earlier runs did not have.
AS_TRAINED = (
    *(("checkpoint", "best"), *((name, None) for name in operating_points())),
    *(("task.max_detections", 100), ("task.headline", "mAP"), ("backbone.width", None), ("backbone.width", 1.0)),
    *(("model.head_lr", 1.0), ("backbone.drop_path", 0.0), ("task.layer_decay", 1.0)),
)

# Settings of a training that whatever is done with the run replaces: its record is one of the run itself all the same.
OF_TRAINING = ("backbone.weights", "trainer.strategy", "trainer.num_nodes")


def identity(config: DictConfig, git_commit: str | None, hashes: Hashes | None = None) -> Identity:
    hashes = hashes or {}
    settings = without_neutral(config)
    backbone = config.backbone.get("name") or config.backbone._target_.rpartition(".")[2]
    width = config.backbone.get("width") or 1.0
    if width != 1.0:  # another network: what is known of the whole one is not its own
        backbone = f"{backbone}-{width:g}"
    return Identity(
        name=config.name,
        task=config.task.name,
        model=model_name(config.model._target_),
        backbone=backbone,
        data=data_name(config),
        image_size=config.image_size,
        seed=config.seed,
        config_hash=config_hash(settings),
        git_commit=git_commit,
        recipe_hash=config_hash({key: value for key, value in settings.items() if key != "seed"}),
        train_data=hashes.get("train"),
        val_data=hashes.get("val"),
    )


def without_neutral(config: DictConfig) -> dict[str, object]:
    """The settings that make a run what it is, dotted and resolved."""
    settings = dict(flat(OmegaConf.to_container(config, resolve=True)))
    if run := config.get("run"):
        trained = OmegaConf.load(find_run(str(run)) / "config.yaml")
        settings |= {key: value for key in OF_TRAINING if (value := OmegaConf.select(trained, key)) is not None}
    counting = {key: value for key, value in settings.items() if matters(key) and key not in PLACES}
    return {key: value for key, value in counting.items() if (key, value) not in AS_TRAINED}


def model_name(target: str) -> str:
    """As conf/model has it: a class is called alike but for underscores."""
    name = target.rpartition(".")[2].lower()
    return next((file.stem for file in (CONF / "model").glob("*.yaml") if file.stem.replace("_", "") == name), name)


def data_name(config: DictConfig) -> str:
    """Of the data set: of somebody's own its folder's, so that two of them are not taken for one."""
    root = config.data.get("root")
    return Path(root).resolve().name if root else config.data.name


def different_settings(old: DictConfig, new: DictConfig) -> tuple[str, ...]:
    """`key: old -> new` for every setting in which two runs differ, neutral ones aside."""
    before, after = without_neutral(old), without_neutral(new)
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return tuple(f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys)
