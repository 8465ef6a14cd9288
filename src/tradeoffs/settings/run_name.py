"""The name of a run, and what else the configs compute: OmegaConf's resolvers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from tradeoffs.results.neutral import matters
from tradeoffs.settings.overrides import effective, groups_in_order
from tradeoffs.settings.saved_runs import find_run

FIRST_IN_NAMES = ("experiment", "trained", "task", "model", "backbone", "data", "image_size")
LONGEST_NAME = 150  # bytes; file systems allow 255 bytes, and checkpoints add a little


def run_name(overrides: Sequence[str], groups: Sequence[str] = ()) -> str:
    """A file name for overrides: the groups first, in their order, then the other keys by alphabet.

    The order in which they were typed does not matter. A name that is cut, or in which a character had to be
    replaced, ends in a hash of the whole, so different overrides never share a folder. `${run_name:}` leaves out
    those that repeat a default.
    """
    chosen = dict(map(_split, overrides))
    rank = {group: place for place, group in enumerate(groups)}
    keys = sorted(filter(matters, chosen), key=lambda key: (rank.get(key.split(".")[0], len(rank)), key))
    exact = ",".join(f"{key}={chosen[key]}" for key in keys)
    short = ",".join(f"{key}={_without_folders(chosen[key])}" for key in keys)
    name = re.sub(r"[^\w.,=~+-]", "-", short)
    if name == exact and len(name.encode()) <= LONGEST_NAME:
        return name or "default"
    mark = hashlib.sha256(exact.encode(errors="surrogateescape")).hexdigest()[:8]
    start = name.encode()[: LONGEST_NAME - len(mark) - 1].decode(errors="ignore")
    return f"{start},{mark}"


def _without_folders(values: str) -> str:
    return ",".join(value.rpartition("/")[2] for value in values.split(","))


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+"), re.sub(r"""["'\s\[\]]""", "", value)


def register_resolvers() -> None:
    """Makes what the configs compute with known to OmegaConf; call it before composing.

    `${run_name:}`, `${run_folder:RUN}`, `${chosen:GROUP}`, `${if_equal:A,B,THEN,ELSE}`, `${if_less:A,B,THEN,ELSE}`,
    `${at_least_pixels:PART,PIXELS,SIDE}`: a part of an image's side that is no fewer pixels.
    """

    def part_of_hydra(root: DictConfig) -> DictConfig:
        return root.get("hydra") or HydraConfig.get()  # a job's own config comes without that part

    def name(*, _root_: DictConfig) -> str:
        hydra = part_of_hydra(_root_)
        given = OmegaConf.to_container(hydra.overrides.task, resolve=False)
        mattering = [text for text in given if matters(_split(text)[0])]
        return run_name(effective(mattering, _root_, hydra), groups_in_order(hydra))

    def chosen(group: str, *, _root_: DictConfig) -> str:
        return part_of_hydra(_root_).runtime.choices[group]

    def less(a: object, b: float, then: object, other: object) -> object:
        return then if isinstance(a, int | float) and a < b else other  # what else it may be is checked later

    def at_least_pixels(part: float, pixels: float, side: object) -> float:
        return max(part, pixels / side) if isinstance(side, int | float) and side > 0 else part

    OmegaConf.register_new_resolver("run_name", name, replace=True)
    OmegaConf.register_new_resolver("chosen", chosen, replace=True)
    OmegaConf.register_new_resolver("if_equal", lambda a, b, then, other: then if a == b else other, replace=True)
    OmegaConf.register_new_resolver("if_less", less, replace=True)
    OmegaConf.register_new_resolver("at_least_pixels", at_least_pixels, replace=True)
    OmegaConf.register_new_resolver("run_folder", lambda run: str(find_run(run)), replace=True)
