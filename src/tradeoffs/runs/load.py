"""A trained run as an object that finds objects in images: `tradeoffs.load`, and what `predict.py` is made of."""

from __future__ import annotations

from pathlib import Path

import torch
from omegaconf import DictConfig, open_dict

from tradeoffs.data.resize import Resize
from tradeoffs.errors import MismatchError, UserError
from tradeoffs.inference.poses import PosePredictor, boxes_by_name
from tradeoffs.inference.predictor import Predictor
from tradeoffs.measure.fuse import fuse_for_inference
from tradeoffs.runs.build import build_model, padding_of
from tradeoffs.runs.proposals import proposer_of
from tradeoffs.runs.score_threshold import threshold_of
from tradeoffs.runs.weights import Weights, compress, put_weights, weights_of
from tradeoffs.settings.compose import CONF
from tradeoffs.settings.rules import check
from tradeoffs.settings.run_name import register_resolvers
from tradeoffs.settings.saved_runs import find_run, load_run_config
from tradeoffs.settings.saved_settings import require_known_targets
from tradeoffs.structures import Regions
from tradeoffs.task_facts import annotations_in


def load(
    run: str | Path,
    checkpoint: str = "best",
    device: str | torch.device = "auto",
    min_score: float | str = "auto",
    batch_size: int = 8,
    image_size: int | None = None,
) -> Predictor:
    """The model of a run, ready to be called with images.

    Args:
        run: The run's folder, its name in `runs/`, or a checkpoint in its folder.
        checkpoint: Weights of the run: `best`, `last`, or the path of a checkpoint.
        device: `auto` is a GPU if there is one; or `cpu`, `cuda`, `cuda:1`, ...
        min_score: Detections that score less are left out. `auto` is the threshold of best F1 on the run's validation
            split, or 0.3 where that is not known: with other weights than the best, and for old runs.
        batch_size: Images that go through the network together.
        image_size: Of the network's input, in pixels; the run's own by default.

    Raises UserError where there is no such run, or what is asked for is impossible.
    """
    folder, checkpoint = of_checkpoint(Path(run), checkpoint)
    config = load_run_config(str(folder))
    require_known_targets(str(folder), config, CONF)
    register_resolvers()
    with open_dict(config):
        config.backbone.merge_with(padding_of(config.backbone, config.backbone))
        config.merge_with({"min_score": min_score, "batch_size": batch_size, "checkpoint": checkpoint})
        config.merge_with({"backbone": {"weights": "none"}, "data": {"root": None}, "resume": "never"})  # not needed
        config.image_size = config.image_size if image_size is None else image_size
    check(config)
    place = find_run(str(folder))
    weights = weights_of(place, checkpoint)
    return predictor_of(config, weights, device, threshold_of(min_score, place, weights).score)


def of_checkpoint(run: Path, checkpoint: str) -> tuple[Path, str]:
    """The run's folder and the checkpoint, where `run` is a checkpoint in such a folder; else both as they are."""
    around = next((folder for folder in run.parents if (folder / "config.yaml").is_file()), None)
    return (around, str(run)) if run.suffix == ".ckpt" and run.is_file() and around is not None else (run, checkpoint)


def predictor_of(config: DictConfig, weights: Weights, device: str | torch.device, min_score: float) -> Predictor:
    """The trained model as it is fastest. `config` has a `batch_size`, too."""
    place = device_of(device)
    model = build_model(config, len(weights.class_names))
    put_weights(weights, model)
    compress(model, config.model.get("svd"))
    shape, generator = (1, 3, config.image_size, config.image_size), torch.Generator().manual_seed(0)
    anything = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    proposer = proposer_of(config)
    regions = (whole_image(config.image_size).to(place),) if proposer else ()
    network = fuse_for_inference(model.to(place), anything.to(place), *regions, channels_last=True)
    resize, boxes = Resize(config.resize, config.image_size), config.get("boxes")
    if weights.skeleton is not None and "keypoints" in annotations_in(config):  # it looks for people itself
        if boxes:
            raise MismatchError(f"boxes={boxes} is not for this network, which finds people itself; leave it out")
        of_class = [weights.skeleton.category_name], [weights.skeleton.category_id]
        return Predictor(network, resize, *of_class, min_score, config.batch_size, weights.skeleton)
    if weights.skeleton is not None:
        given = boxes and boxes_by_name(Path(boxes), weights.skeleton.category_name)
        return PosePredictor(network, resize, weights.skeleton, min_score, config.batch_size, given)
    if boxes:
        raise MismatchError("boxes= are for networks that find the joints of people; leave it out")
    of_data = weights.class_names, weights.category_ids
    return Predictor(network, resize, *of_data, min_score, config.batch_size, proposer=proposer)


def whole_image(side: int) -> Regions:
    """The one region of a square image."""
    box = torch.tensor([[[0.0, 0.0, side, side]]])
    return Regions(box, torch.ones(1, 1), torch.ones(1, 1, dtype=torch.bool))


def device_of(device: str | torch.device) -> torch.device:
    """Raises UserError where there is no such device."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return torch.device("cuda" if count else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError):
        raise UserError(f"device={device} is no device; give auto, cpu, cuda or cuda:1") from None
    if chosen.type == "cuda" and (chosen.index or 0) >= count:
        raise UserError(f"device={device} is impossible: torch finds {count or 'no'} CUDA GPU here; give auto or cpu")
    return chosen
