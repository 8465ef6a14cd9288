"""What `evaluate.py` does: score a trained run again, beside its own record."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningDataModule

from tradeoffs.commands.report import compare, report, report_points, save_settings
from tradeoffs.commands.trainer import build_trainer, quieten, require_devices
from tradeoffs.errors import UserError
from tradeoffs.model_facts import operating_point_of
from tradeoffs.models.detection.published import NO_CLASS
from tradeoffs.results.record import record_or_none
from tradeoffs.runs.build import build_data, build_task
from tradeoffs.runs.data_hashes import changes, saved_hashes
from tradeoffs.runs.weights import Weights, compress, put_weights, unfinished, weights_of
from tradeoffs.settings.published import is_published
from tradeoffs.settings.saved_runs import find_run
from tradeoffs.tasks.by_name import LabelsByName
from tradeoffs.training.operating_points import OperatingPoints, rising
from tradeoffs.training.progress import Progress

PLURAL = {"class": "classes", "joint": "joints"}


def evaluate(config: DictConfig) -> float:
    """Scores on the validation split and writes the outcome into `output`; returns the headline score."""
    quieten()
    require_devices(config.trainer.accelerator, config.trainer.devices)
    require_own(Path(config.output))
    folder = without_times(Path(config.output))
    require_own(folder)
    run = find_run(config.run)
    weights = weights_of(run, config.checkpoint)
    data = build_data(config, "validate")
    has_classes = is_published(config) and weights.skeleton is None  # and not joints, whose order counts
    names = by_name(weights, data) if has_classes else require_same_classes(weights, data)
    trained = saved_hashes(run)
    if changes(trained, data.hashes):
        print(f"these are other validation images than those that {run} was scored on after its training")
    data.hashes["train"] = trained.get("train")
    task = build_task(config, len(weights.class_names))
    task.by_name = names
    put_weights(weights, task.model)
    compress(task.model, config.model.get("svd"))
    point = operating_point_of(config.model)
    values = rising(config.get(point.name)) if point else []
    if values:
        setattr(task.model, point.name, values[-1])
    points = OperatingPoints(values[:-1])  # the task itself scores the largest
    trainer = build_trainer(config, folder, [Progress(f"val/{task.headline}"), points], loggers=[])
    trainer.validate(task, datamodule=data, verbose=False)
    if values:
        config[point.name] = None  # from here on as in an evaluation with that value alone
        scored = {**points.scored, values[-1]: (task.metric, task.scores)}
        score = report_points(config, folder, task, data, scored, unfinished(run))
        compare([folder / f"{point.name}={value}" for value in values])
        return score
    save_settings(config, folder)
    return report(config, folder, task, data, stopped=unfinished(run))


def require_own(folder: Path) -> None:
    """Raises UserError where `folder` holds what no evaluation wrote: a run, predictions, somebody's files."""
    settings = folder / "config.yaml"
    if settings.is_file() and "run" in OmegaConf.load(settings):
        return
    for name in ("result.json", "predictions.json", settings.name):
        if (folder / name).exists():
            raise UserError(f"output={folder} holds a {name} that evaluate.py did not write; give another folder")


def without_times(output: Path) -> Path:
    """`output`, or `output~2` and so on: scores come out the same again and are replaced, but each time counts."""
    names = (output.with_name(f"{output.name}~{number}") for number in count(2))
    folder = next(folder for folder in chain([output], names) if not holds_times(folder))
    if folder != output:
        print(f"{output} holds times, which are kept; this evaluation goes to {folder}")
    elif (folder / "result.json").is_file():
        print(f"replaces the former evaluation in {folder}")
    return folder


def holds_times(folder: Path) -> bool:
    return any((record := record_or_none(file)) and "batches" in record.cost for file in folder.rglob("result.json"))


def require_same_classes(weights: Weights, data: LightningDataModule) -> None:
    """Raises UserError where a label would mean one class for the model and another one for the data."""
    if weights.class_names != data.class_names:
        kind = "joint" if weights.skeleton or data.skeleton else "class"
        both = named(weights.class_names, kind), named(data.class_names, kind)
        raise UserError(
            f"{weights.path} knows {both[0]}, but data={data.name} has {both[1]}; give data with the same "
            f"{PLURAL[kind]} in the same order"
        )


def by_name(weights: Weights, data: LightningDataModule) -> LabelsByName:
    """Classes that are called alike are the same, whatever their labels; which ones count is said.

    Raises UserError for data with classes that a published network does not know: they would all count as not found.
    """
    known = {name.casefold() for name in weights.class_names if name != NO_CLASS}
    if strange := [name for name in data.class_names if name.casefold() not in known]:
        raise UserError(
            f"{weights.path.name} does not know {named(strange)} of data={data.name}; train it on them with weights=, "
            "or give data with classes of COCO's names"
        )
    if len({name.casefold() for name in data.class_names}) < len(data.class_names):
        raise UserError(f"data={data.name} has classes whose names differ in upper and lower case alone; rename them")
    if left_out := len(known) - len(data.class_names):
        print(
            f"data={data.name} has {len(data.class_names)} of the {len(known)} classes that the model knows; "
            f"what it finds of the other {left_out} is left out"
        )
    return LabelsByName(weights.class_names, data.class_names)


def named(classes: Sequence[str], kind: str = "class", most: int = 5) -> str:
    """Such as `7 classes (circle, square, ...)`."""
    shown = ", ".join(classes[:most]) + (", ..." if len(classes) > most else "")
    return f"{len(classes)} {kind if len(classes) == 1 else PLURAL[kind]} ({shown})"
