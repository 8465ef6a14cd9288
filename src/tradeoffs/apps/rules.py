"""What settings may be. Checked before torch is imported, so that a mistake costs less than a second."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tradeoffs.apps.config import CONF, leaves
from tradeoffs.apps.image_search import nothing_found, search_images
from tradeoffs.apps.mistakes import one_line
from tradeoffs.errors import MismatchError, UserError


@dataclass(frozen=True)
class Number:
    """A number from `least` to `most`, or one of the values in `also`."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf  # itself excluded
    whole: bool = False
    also: tuple = ()

    def allows(self, value: object) -> bool:
        if value in self.also and not isinstance(value, bool):
            return True
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.least <= value <= self.most and value > self.above

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind}{self._range()}" + "".join(f", or {shown(value)}" for value in self.also)

    def _range(self) -> str:
        match self.least > -math.inf, self.most < math.inf:
            case True, True:
                return f" from {self.least} to {self.most}"
            case True, False:
                return f", {self.least} or more"
            case _:
                return f" above {self.above}" if self.above > -math.inf else ""


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    choices: tuple

    def allows(self, value: object) -> bool:
        return any(type(value) is type(choice) and value == choice for choice in self.choices)

    def __str__(self) -> str:
        return "one of " + ", ".join(map(shown, self.choices))


@dataclass(frozen=True)
class ListOf:
    """One or more values, each as `rule` says; a single one may stand without a list."""

    rule: Number | OneOf
    also: tuple = ()  # instead of a list

    def allows(self, value: object) -> bool:
        if value in self.also:
            return True
        values = value if isinstance(value, list) else [value]
        return bool(values) and all(map(self.rule.allows, values))

    def __str__(self) -> str:
        return f"{self.rule}, or a list of such"


SWITCH = OneOf((True, False))
FRACTION = Number(0, 1)
COUNT = Number(1, whole=True)
AUTO = OneOf(("auto", True, False))

RULES = {
    "image_size": Number(32, 4096, whole=True),
    "resize": OneOf(("warp", "letterbox", "shorter_edge")),
    "batch_size": COUNT,
    "epochs": COUNT,
    "jobs": Number(1, whole=True, also=("auto",)),
    "trials": COUNT,
    "stop_hopeless": AUTO,
    "seed": Number(0, 2**32 - 1, whole=True),
    "port": Number(0, 65535, whole=True),
    "workers": Number(0, 1024, whole=True, also=("auto",)),
    "ema": Number(0, 1, also=(None,)),
    "channels_last": AUTO,
    "checkpoint_minutes": Number(above=0),
    "overwrite": SWITCH,
    "measure": SWITCH,
    "num_classes": Number(1, whole=True, also=(None,)),
    "batch_sizes": ListOf(COUNT),
    "precision": OneOf(("float32", "tf32", "bfloat16", "float16")),
    "compile": SWITCH,
    "cuda_graphs": SWITCH,
    "device": OneOf(("auto", "cpu", "cuda")),
    "seconds": Number(above=0),
    "minutes": Number(above=0),
    "attempts": COUNT,
    "num_proposals": ListOf(COUNT, also=(None,)),
    "operating_points": ListOf(COUNT, also=(None,)),
    "min_score": FRACTION,
    "model.score_threshold": FRACTION,
    "model.nms_threshold": Number(0, 1, also=(None,)),
    "model.max_detections": COUNT,
    "model.num_proposals": COUNT,
    "model.train_proposals": COUNT,
    "model.neck": OneOf(("c4", "fpn")),
    "model.bins": COUNT,
    "model.crop_size": COUNT,
    "model.sampled": Number(1, whole=True, also=(None,)),
    "model.rpn_sampled": COUNT,
    "model.rpn_channels": COUNT,
    "model.pyramid.channels": COUNT,
    "model.pyramid.sizes_per_map": COUNT,
    "model.pyramid.widths": ListOf(COUNT),
    "model.tower_depth": Number(0, whole=True),
    "model.focal_alpha": FRACTION,
    "model.focal_gamma": Number(0),
    "model.match_low": FRACTION,
    "model.match_high": FRACTION,
    "model.center_radius": Number(above=0),
    "model.localization_weight": Number(0, also=(None,)),
    "model.classification_weight": Number(0),
    "model.dropout": FRACTION,
    "data.source.num_train": COUNT,
    "data.source.num_val": COUNT,
    "data.source.seed": Number(0, whole=True),
    "data.on_fault": OneOf(("stop", "drop")),
    "backbone.output_stride": OneOf((None, 8, 16, 32)),
    "backbone.frozen_stages": Number(0, whole=True),
    "backbone.freeze_norm": SWITCH,
    "augmentation.geometry": OneOf(("none", "flip", "ssd")),
    "augmentation.photometric": SWITCH,
    "optimizer.lr": Number(above=0),
    "optimizer.momentum": FRACTION,
    "optimizer.weight_decay": Number(0),
    "optimizer.fused": OneOf((None, True, False)),
    "schedule.warmup": FRACTION,
    "schedule.final": FRACTION,
    "schedule.gamma": Number(above=0),
    "trainer.accelerator": OneOf(("auto", "cpu", "gpu", "cuda", "mps", "tpu")),
    "trainer.devices": Number(1, whole=True, also=("auto", -1)),
    "trainer.num_nodes": COUNT,
    "trainer.precision": OneOf(("32-true", "bf16-mixed", "16-mixed")),
    "trainer.accumulate_grad_batches": COUNT,
    "trainer.gradient_clip_val": Number(above=0, also=(None,)),
    "trainer.check_val_every_n_epoch": COUNT,
    "trainer.log_every_n_steps": COUNT,
    "trainer.limit_train_batches": Number(above=0, also=(None,)),
    "trainer.limit_val_batches": Number(above=0, also=(None,)),
}

# Sides in pixels below which a backbone, which pads little, has no features left; by timm's name of it.
SMALLEST_IMAGES = {"inception_v3": 75, "inception_v4": 75, "inception_resnet_v2": 75}

PARTS = ("task", "model", "backbone", "data")

# Settings that are the path of a file unless they are one of these words.
NO_PATHS = {"backbone.weights": ("none", "pretrained"), "resume": ("auto", "never"), "checkpoint": ("best", "last")}

# What to write where a value has to be given.
EXAMPLES = {"data.root": "FOLDER", "run": "FOLDER", "source": "FILE, FOLDER or 'GLOB'", "backbone.name": "NAME"}


def check(config: DictConfig, conf: Path = CONF) -> None:
    """Raises UserError for the first thing in a composed config that cannot work."""
    check_parts(config, conf)
    check_complete(config)
    check_values(config)
    check_image_size(config)
    check_task(config, conf)
    check_resize(config)
    check_neck(config, conf)
    check_proposals(config, conf)
    check_paths(config)


def check_parts(config: DictConfig, conf: Path) -> None:
    """No part was taken away (`model=null`) from a config that has parts at all."""
    for part in PARTS:
        if config.get(part) is None and any(other in config for other in PARTS):
            choices = ", ".join(sorted(file.stem for file in (conf / part).glob("*.yaml")))
            raise UserError(f"{part} is missing; choose one: {choices}")


def check_complete(config: DictConfig) -> None:
    """Every mandatory value is given, and every reference inside the config leads somewhere."""
    for key, value in leaves(config):
        if value == "???":
            raise UserError(f"{key} is missing; add {key}={EXAMPLES.get(key, 'VALUE')}")
    try:
        OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key} has no value: {one_line(error)}") from error


def check_values(config: DictConfig) -> None:
    values = dict(leaves(OmegaConf.create(OmegaConf.to_container(config, resolve=True))))
    for key, rule in RULES.items():
        if key in values and not rule.allows(values[key]):
            raise UserError(f"{key}={shown(values[key])} is impossible; {key} is {rule}")


def check_image_size(config: DictConfig) -> None:
    """The images are large enough for the backbone."""
    backbone = config.get("backbone") or {}
    name = backbone.get("name") or str(backbone.get("_target_")).rpartition(".")[2]
    least = SMALLEST_IMAGES.get(name.partition(".")[0], 0)
    if (size := config.get("image_size", least)) < least:
        raise MismatchError(f"image_size={size} is too small for backbone={name}; give {least} or more")


def check_task(config: DictConfig, conf: Path) -> None:
    """The model does what the task asks: `task:` in its YAML is the name of the task."""
    task, model = OmegaConf.select(config, "task.name"), config.get("model")
    if task is None or model is None or model.get("task") in (None, task):
        return
    models = all_models(conf)
    chosen = next((name for name, other in models.items() if other.get("_target_") == model.get("_target_")), "this")
    fitting = ", ".join(name for name, other in models.items() if other.get("task") == task) or "none yet"
    raise MismatchError(f"model={chosen} does {model.task}; for task={task} choose: {fitting}")


def check_resize(config: DictConfig) -> None:
    """The model can do with images of several shapes: else `resizes:` in its YAML says what it can do with."""
    resize, allowed = config.get("resize"), (config.get("model") or {}).get("resizes")
    if allowed and resize not in allowed:
        choices = " or ".join(allowed)
        raise MismatchError(f"resize={resize} is not for this model, which needs images of one shape; choose {choices}")


def check_neck(config: DictConfig, conf: Path) -> None:
    """`model.neck=fpn` is a choice of one model; the neck of others has settings of its own."""
    neck = OmegaConf.select(config, "model.neck")
    if isinstance(neck, str):
        fitting = {
            name: model._target_ for name, model in all_models(conf).items() if isinstance(model.get("neck"), str)
        }
        if config.model._target_ not in fitting.values():
            raise MismatchError(f"model.neck={neck} is for model={' or '.join(fitting)}, and this one is another model")


def check_proposals(config: DictConfig, conf: Path) -> None:
    """Numbers of proposals are asked of a model that has such: `num_proposals` stands in its YAML."""
    if config.get("num_proposals") is not None and "num_proposals" not in config.model:
        fitting = ", ".join(name for name, model in all_models(conf).items() if "num_proposals" in model)
        raise MismatchError(f"num_proposals= is for models with proposals: {fitting}; this run has none")
    points, most = config.get("operating_points"), OmegaConf.select(config, "model.num_proposals")
    if "run" not in config and points and most and max([points] if isinstance(points, int) else points) > most:
        raise UserError(f"operating_points={points}: the model makes model.num_proposals={most}; give at most as many")


def all_models(conf: Path) -> dict[str, DictConfig]:
    """The YAML of every model, by name."""
    return {file.stem: OmegaConf.load(file) for file in sorted((conf / "model").glob("*.yaml"))}


def check_paths(config: DictConfig) -> None:
    """Files and folders that are to be read exist; one to be written has a name."""
    for key, words in NO_PATHS.items():
        path = OmegaConf.select(config, key)
        if path not in (None, *words) and not Path(path).is_file():
            fault = "is a folder" if Path(path).is_dir() else "does not exist"
            raise UserError(f"{key}={path} {fault}; give {', '.join(words)} or an existing file")
    root = OmegaConf.select(config, "data.root")
    if root is not None and not Path(root).is_dir():
        fault = "is a file" if Path(root).is_file() else "does not exist"
        raise UserError(f"data.root={root} {fault}; give the folder that holds the data set")
    source = config.get("source")
    if source is not None and next(search_images(str(source)), None) is None:
        raise nothing_found(source)
    name = str(config.get("name", "unnamed"))
    if not name.strip("/. "):
        raise UserError("name= is empty; give the run a name, or leave it out to have one made from the settings")
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise UserError(f"name={name} leads out of the folder of runs; give a name, and that folder as runs=")


def shown(value: object) -> str:
    """As it is written on the command line."""
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
