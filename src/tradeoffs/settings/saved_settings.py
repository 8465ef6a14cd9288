"""Commands that take `run=`: their settings begin with those that the run was made with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from tradeoffs.errors import UserError
from tradeoffs.model_facts import operating_points
from tradeoffs.settings.saved_runs import existing_runs, load_run_config

# Settings, and groups with all their settings, that a trained run is done with.
TRAINING = (
    *("epochs", "seed", "ema", "checkpoint_minutes", "overwrite", "keep_last", "resume", "logger", "experiment"),
    *("operating_points", "optimizer", "schedule", "augmentation", "task.head_lr", "model.head_lr", "task.layer_decay"),
    *("backbone.weights", "backbone.frozen_stages", "backbone.drop_path"),
    *("trainer.accumulate_grad_batches", "trainer.gradient_clip_val", "trainer.check_val_every_n_epoch"),
    *("trainer.limit_train_batches", "trainer.log_every_n_steps", "trainer.sync_batchnorm"),
)
# In a defaults list: the settings of the run that `run=...` names, and a setting for each operating point, left open.
SAVED_RUN, OPERATING_POINTS = "saved_run", "operating_points"


def offer_saved_run(given: Mapping[str, object], conf: Path) -> None:
    """Lets a defaults list begin with a run's own settings, less the groups that the command line replaces."""
    if "run" not in given:
        raise UserError(f"run is missing; add run=FOLDER; {existing_runs()}")
    saved = load_run_config(str(given["run"]))
    for key in filter(only_for_training, given):
        raise UserError(f"{key} is for training only and changes nothing here; leave it out")
    for key in {"data.root", "data_dir"} & given.keys() if "data" not in given else ():
        raise UserError(f"{key} alone does not move the data of a run; add data={saved.data.name}")
    require_known_targets(str(given["run"]), saved, conf)
    replaced = {"hydra", *(key for key in given if (conf / key).is_dir())}
    kept = {key: value for key, value in saved.items_ex(resolve=False) if key not in replaced}
    ConfigStore.instance().store(SAVED_RUN, kept)
    ConfigStore.instance().store(OPERATING_POINTS, dict.fromkeys(operating_points()))


def only_for_training(key: str) -> bool:
    return any(key == training or key.startswith(f"{training}.") for training in TRAINING)


def require_known_targets(run: str, saved: DictConfig, conf: Path) -> None:
    """Raises UserError if a run, which may come from anywhere, names code to be called that none of our files names."""
    known = set(re.findall(r"_target_: *([\w.]+)", "\n".join(file.read_text() for file in conf.rglob("*.yaml"))))
    for target in targets(OmegaConf.to_container(saved, resolve=False)):
        if target not in known:
            raise UserError(f"run={run} is refused: its config.yaml calls {target}, which no file in conf/ does")


def targets(node: object) -> Iterator[object]:
    """Whatever Hydra would call."""
    if isinstance(node, dict):
        yield from [node["_target_"]] if "_target_" in node else []
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from targets(inner)
