"""Objects from a config: its `_target_` says which class, the rest are that class's arguments."""

from __future__ import annotations

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from tradeoffs.errors import UserError

# Settings of published networks: the pixels of which anchors are parts, and whether their steps are whole pixels.
OF_ANCHORS = ("anchor_side", "whole_steps")

# Keys of a choice that say something about it and are no argument of its class.
ABOUT = {
    "task": ("name", "coco_kind"),
    "model": ("task", "needs", "backbone", "annotations", "resizes", "whole", "head_lr", "svd", *OF_ANCHORS),
    "data": ("root",),
}


def build(config: DictConfig, choice: str, **parts: object) -> object:
    """The object that the group `choice` describes; `parts` are arguments that are built already."""
    settings = OmegaConf.to_container(config[choice], resolve=True)
    for key in ABOUT.get(choice, ()):
        settings.pop(key, None)
    try:
        return instantiate(settings, _convert_="all", **parts)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):  # Hydra wraps whatever a constructor raises
            raise error.__cause__ from None
        raise
