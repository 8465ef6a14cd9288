"""Networks that others have trained and published, as runs: `coco/fcos`. Imports no torch.

Such a run is a `config.yaml` alone, made from conf/published. Its weights are torchvision's file: `published_files`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from tradeoffs.errors import UserError
from tradeoffs.files import CONF, write_whole

COCO = "coco"
# Choices of a group that have no file, since they are words for several settings.
WITHOUT_FILES = {"weights": ("timm",)}
# What timm's classifiers are scored with as they are, where the command line does not say something else.
TIMM = {
    "task": "classification",
    "model": "timm_classifier",
    "backbone.weights": "pretrained",
    "resize": "centre",
    "epochs": "0",
}


def published_models(conf: Path = CONF) -> list[str]:
    """Those whose weights are published."""
    return sorted(file.stem.removeprefix(f"{COCO}_") for file in (conf / "published").glob(f"{COCO}_*.yaml"))


def published_runs() -> list[str]:
    """The names that such networks have as runs."""
    return [f"{COCO}/{model}" for model in published_models()]


def is_published(config: DictConfig) -> bool:
    """Whether a run's settings are those of a network as it was published, not trained further."""
    return bool(OmegaConf.select(config, "weights.as_published"))


def make_published_run(name: str, runs: Path) -> Path:
    """The folder of such a run, in `runs`."""
    from tradeoffs.settings.compose import compose  # which finds runs itself

    weights, _, model = name.partition("/")
    task = OmegaConf.load(CONF / "model" / f"{model}.yaml").task
    words = [f"task={task}", f"model={model}", f"weights={weights}", f"data={weights}", f"name={name}"]
    config = compose("train", words)
    with open_dict(config):
        config.weights.as_published = True
    folder = runs / name
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    return folder


def as_run(overrides: Sequence[str]) -> list[str]:
    """For commands that take runs: `model=fcos weights=coco` is `run=coco/fcos`.

    A file is its checkpoint, so `weights=FILE` adds `checkpoint=FILE`. Several models in [ ] are several runs.
    """
    given = dict(text.partition("=")[::2] for text in overrides)
    weights = given.get("weights")
    if weights is None:
        return list(overrides)
    if weights == "timm":
        raise UserError("weights=timm is for train.py, which scores it as it is and makes a run; give that as run=")
    if "run" in given:
        raise UserError(f"weights={weights} and run={given['run']} are two networks; leave one out")
    models = [name.strip() for name in given.get("model", "").strip("[]").split(",")]
    for model in models:
        if model not in published_models():
            fault = f"model={model} has none" if model else "of which model"
            raise UserError(f"weights={weights}: {fault}; add model= and one of {', '.join(published_models())}")
    runs = ",".join(f"{COCO}/{model}" for model in models)
    rest = [text for text in overrides if text.partition("=")[0] not in ("weights", "model")]
    file = [] if weights == COCO else [f"checkpoint={weights}"]
    return [f"run={runs if len(models) == 1 else f'[{runs}]'}", *file, *rest]


def as_group(overrides: Sequence[str]) -> list[str]:
    """For training: `weights=FILE` is `weights=coco weights.file=FILE`, and `weights=timm` what `TIMM` says."""
    given = {text.partition("=")[0] for text in overrides}
    words = []
    for text in overrides:
        key, _, value = text.partition("=")
        is_file = key == "weights" and not (CONF / "weights" / f"{value}.yaml").is_file() and Path(value).suffix
        if key.lstrip("+") == "weights" and value.strip("'\"") == "timm":
            words += [f"{key}={value}" for key, value in TIMM.items() if key not in given]
        else:
            words += [f"weights={COCO}", f"weights.file={value}"] if is_file else [text]
    return words
