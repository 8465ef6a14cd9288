"""What training left behind: the checkpoint to use, and how its weights come into a model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from tradeoffs.errors import UserError
from tradeoffs.models.detection.published import MAPPINGS, NO_CLASS, put, put_all_but_classes
from tradeoffs.results.record import record_or_none
from tradeoffs.runs.published_files import categories, published_file, published_tensors, skeleton
from tradeoffs.settings.published import is_published
from tradeoffs.structures import Skeleton
from tradeoffs.training.checkpoint_files import BEST, LAST, SafeCheckpointIO

log = logging.getLogger(__name__)

NAMED = {"best": BEST, "last": LAST}


class Weights(NamedTuple):
    """The part of a checkpoint that predictions need. A class's place in the lists is its label."""

    path: Path
    model: dict[str, Tensor]
    class_names: list[str]
    category_ids: list[int]  # COCO's
    skeleton: Skeleton | None = None  # whose joints the classes are


def weights_of(run: Path, checkpoint: str) -> Weights:
    """Those of the run in a folder: `best`, `last` or the path of a file, of torchvision's for a published network."""
    config, path = OmegaConf.load(run / "config.yaml"), find_weights(run, checkpoint)
    if is_published(config):
        return published_weights(config, path)
    if checkpoint in NAMED and (why := unfinished(run)):
        log.warning(f"warning: these weights of {run} are not those of a whole training: {why}")
    return read_weights(path)


def unfinished(run: Path) -> str | None:
    """Why the run's weights are not those of a whole training; None if they are."""
    if is_published(OmegaConf.load(run / "config.yaml")):
        return None
    record = record_or_none(run / "result.json")
    if record is None:
        return "its training has not ended"
    return None if record.accuracy and record.status != "stopped" else record.error


def find_weights(run: Path, checkpoint: str) -> Path:
    """The file of `checkpoint`: `best` or `last` of the run's folder, or a path. A published network has one file."""
    if checkpoint not in NAMED:
        return Path(checkpoint)
    config = OmegaConf.load(run / "config.yaml") if (run / "config.yaml").is_file() else None
    if config is not None and is_published(config):
        return published_file(config.weights)
    path = run / "checkpoints" / NAMED[checkpoint]
    if not path.exists():
        raise no_checkpoint(run, path)
    return path


def no_checkpoint(run: Path, path: Path) -> UserError:
    """A run that is at work may get one; a finished one gets none any more."""
    finished = (run / "result.json").exists()
    others = [name for name, file in NAMED.items() if path.with_name(file).exists()]
    train = "train it again with overwrite=true" if finished else "train it first"
    remedy = f"there is checkpoint={others[0]}" if others else train
    fault = f"is finished, but has no checkpoint {path.name}" if finished else f"has no checkpoint {path.name} yet"
    return UserError(f"{run} {fault}; {remedy}")


def read_weights(path: Path) -> Weights:
    """Raises UserError where the file is damaged or no checkpoint of a run."""
    content = SafeCheckpointIO().load_checkpoint(path)
    if not isinstance(content, dict) or not {"state_dict", "class_names", "category_ids"} <= content.keys():
        raise UserError(f"{path} is no checkpoint of a run; give best.ckpt or last.ckpt of one")
    prefix = "model."  # a checkpoint is of a task, whose attribute `model` is the network
    state = {name.removeprefix(prefix): tensor for name, tensor in content["state_dict"].items()}
    of_joints = Skeleton(**content["skeleton"]) if content.get("skeleton") else None
    return Weights(path, state, content["class_names"], content["category_ids"], of_joints)


def published_weights(config: DictConfig, path: Path) -> Weights:
    """Those of a published network as it is. Labels are COCO's ids less one; ten of them name no class."""
    state, names = published_tensors(config.weights.torchvision, path), categories(config.weights.torchvision)
    outputs = range(1, len(names))
    tensors = MAPPINGS[config.weights.model](state, outputs)
    return Weights(path, tensors, names[1:], list(outputs), skeleton(config.weights.torchvision))


def start_from_published(config: DictConfig, network: nn.Module, class_names: list[str]) -> str:
    """Fills a network for these classes with published weights; returns what is to be said of that.

    If COCO has all the classes, by name, their outputs are kept; else what depends on the classes stays as it is. Where
    joints are the classes, the one class that has them is taken for a person.
    """
    path = published_file(config.weights)
    state = published_tensors(config.weights.torchvision, path)
    names = categories(config.weights.torchvision)
    known = {name.casefold(): output for output, name in enumerate(names) if output and name != NO_CLASS}
    others = [name for name in class_names if name.casefold() not in known]
    kind = "joints" if skeleton(config.weights.torchvision) else "classes"
    start = f"training starts from {path.name}, torchvision's weights for COCO"
    try:
        if not others:
            put(config.weights.model, network, state, [known[name.casefold()] for name in class_names])
            return f"{start}; the outputs of its {kind} are kept, by name"
        put_all_but_classes(config.weights.model, network, state, len(names))
    except RuntimeError as error:
        fault = str(error).splitlines()[-1].strip()
        raise UserError(f"weights={config.weights.name} needs the settings of {path.name}: {fault}") from error
    shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
    return f"{start}; the layers of the {kind} are new, since COCO does not have {shown}"


def put_backbone(run: Path, backbone: nn.Module) -> str:
    """Fills a backbone with that of a run of any task; returns what is to be said of that.

    A model may have less than a whole backbone, or other tensors beyond it: what fits is taken. Raises UserError where
    nothing does.
    """
    prefix, weights = "backbone.", weights_of(run, "best")
    given = {name.removeprefix(prefix): value for name, value in weights.model.items() if name.startswith(prefix)}
    wanted = backbone.state_dict()
    fitting = {
        name: given[name] for name, value in wanted.items() if name in given and given[name].shape == value.shape
    }
    if not fitting:
        raise UserError(f"backbone.weights={run} is of another backbone; choose that of the run, see its config.yaml")
    backbone.load_state_dict(fitting, strict=False)
    new = sorted({name.rpartition(".")[0] for name in wanted.keys() - fitting.keys()})
    rest = f"; {len(new)} layers are new, such as {new[0]}" if new else ""
    return f"the backbone starts from {run}: {len(fitting)} of {len(wanted)} tensors{rest}"


def put_weights(weights: Weights, model: nn.Module) -> None:
    """Raises UserError where the model is not the one that was trained."""
    require_same_tensors(weights, model, keep="the settings of model and backbone")
    model.load_state_dict(weights.model)


def compress(model: nn.Module, ranks: Sequence[int] | None) -> None:
    """Cuts a trained network's fully connected layers down, where `model.svd` asks for that."""
    if ranks:
        model.compress(ranks)


def require_fitting(checkpoint: Path, model: nn.Module) -> None:
    """Raises UserError where training cannot go on from a checkpoint: it is damaged, or of another model.

    Lightning would say so with a traceback, and after the run's folder was cleared.
    """
    require_same_tensors(read_weights(checkpoint), model, keep="the settings of model and backbone, and the classes")


def require_same_tensors(weights: Weights, model: nn.Module, keep: str) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.model.items()}
    if different := sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name)):
        name = different[0]
        fault = f"{name} is {given.get(name, 'missing')} there and {wanted.get(name, 'missing')} in the model"
        raise UserError(f"{weights.path} is of another model: {fault}; keep {keep}")
