"""What is to be read exists, and what is to be written has a name and a place."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tradeoffs.errors import UserError
from tradeoffs.inference.address import is_address
from tradeoffs.inference.image_search import camera_of, nothing_found, search_images
from tradeoffs.settings.folder_names import check_name, check_place
from tradeoffs.settings.saved_runs import run_or_none

# Settings that are the path of a file unless they are one of these words.
NO_PATHS = {
    "backbone.weights": ("none", "pretrained"),
    "resume": ("auto", "never"),
    "checkpoint": ("best", "last"),
    "boxes": (),
    "proposals.model": (),
}


def check_paths(config: DictConfig) -> None:
    """Files and folders that are to be read exist."""
    for key, words in NO_PATHS.items():
        path = OmegaConf.select(config, key)
        or_run = key == "backbone.weights"
        if path not in (None, *words) and not Path(path).is_file() and not (or_run and run_or_none(path)):
            fault = "is a folder" if Path(path).is_dir() else "does not exist"
            also = ", a run" if or_run else ""
            words = f"{', '.join(words)}{also} or " if words else ""
            raise UserError(f"{key}={path} {fault}; give {words}an existing file")
    root = OmegaConf.select(config, "data.root")
    if root is not None and not Path(root).is_dir():
        fault = "is a file" if Path(root).is_file() else "does not exist"
        raise UserError(f"data.root={root} {fault}; give the folder that holds the data set")
    check_data_folder(config)
    source = config.get("source")
    if source is not None and camera_of(source) is None and not is_address(str(source)):
        check_source(str(source))


def check_source(source: str) -> None:
    """There is an image, or a video that was named."""
    if next(search_images(source), None) is None:
        raise nothing_found(source)


def check_places(config: DictConfig) -> None:
    """What is to be written has a name and a place."""
    if "output" in config:
        check_place("output", config.output)
    if "name" not in config or {"task", "run"} <= config.keys():  # a run that is there has both
        return
    if config.name is not None or "task" in config:  # else it will be made of the settings
        check_name(config.name)
    check_place("runs", config.get("runs", "runs"), below=f"{config.name}/checkpoints")


def check_data_folder(config: DictConfig) -> None:
    """A folder of somebody's own is in COCO format; of another it is said what to type. Predictions need none."""
    root, source = (OmegaConf.select(config, key) for key in ("data.root", "data.source"))
    if root is not None and str((source or {}).get("_target_")).endswith(".coco_folder"):
        from tradeoffs.data.sources import require_readable

        require_readable(OmegaConf.to_container(source, resolve=True))
