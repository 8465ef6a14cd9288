"""Many models from one command line: `backbone=[a,b] image_size=[300,600]` means each with each, in one process.

Nothing here imports torch: all models are composed and checked first, and only then is the work imported.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import NamedTuple

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from tradeoffs.commands.launch import mistakes_answered
from tradeoffs.errors import UserError
from tradeoffs.settings.command_line import quote, read_arguments
from tradeoffs.settings.compose import CONF, compose, leaves, parse
from tradeoffs.settings.help_text import usage
from tradeoffs.settings.hydra_errors import unknown_setting
from tradeoffs.settings.overrides import key_of
from tradeoffs.settings.rules import check
from tradeoffs.settings.run_name import FIRST_IN_NAMES, run_name
from tradeoffs.settings.saved_runs import find_run, runs_of
from tradeoffs.settings.values import shown

SETTING = re.compile(r"[\w.]+=[^/]*$")  # in the name of a run
SINGLE, SAVED = "train", "evaluate"  # the configs of one model: with random weights, of a run
EFFORT = ("seconds", "minutes", "attempts", "overwrite")


class Point(NamedTuple):
    """One model of the grid: what was chosen for it, and all its settings."""

    overrides: tuple[str, ...]
    config: DictConfig


class Grid(NamedTuple):
    settings: DictConfig  # of conf/<command>.yaml
    points: list[Point]


def launch_grid(config_name: str, job: str, conf: Path = CONF) -> None:
    """Runs `job` ("package.module:function") with the grid that the command line asks for; it returns the exit code.

    A mistake of the user is one line on stderr and exit code 2; Ctrl-C exits with 130, a crash with its traceback.
    """
    with mistakes_answered():
        arguments = read_arguments(config_name)
        if arguments.help:
            print(usage(config_name, conf, groups_of=SINGLE))
            return
        if arguments.multirun:
            raise UserError("-m is not needed: all models are timed in one process; write lists, as in backbone=[a,b]")
        grid = read_grid(config_name, arguments.overrides, conf)
        if arguments.cfg:
            print(OmegaConf.to_yaml(grid.settings), *(" ".join(point.overrides) for point in grid.points), sep="\n")
            return
        module, _, function = job.partition(":")
        sys.exit(getattr(import_module(module), function)(grid))


def read_grid(config_name: str, overrides: Sequence[str], conf: Path = CONF) -> Grid:
    """Settings of the command and of every model, checked. Raises UserError for the first thing that cannot work."""
    parsed = {text: override for text, override in parse(overrides) if refuse_sweep(text, override)}
    keys = [key for key in OmegaConf.load(conf / f"{config_name}.yaml") if key not in ("defaults", "hydra")]
    own = [text for text in parsed if key_of(text) in keys]
    of_models = {text: override for text, override in parsed.items() if text not in own}
    require_known(of_models, keys, conf)
    settings = compose(config_name, own, conf)
    check(settings, conf)
    settings.name = settings.name or folder_name(overrides)
    check(settings, conf)
    points = saved_points(settings, of_models, conf) if settings.run else new_points(of_models, conf)
    return Grid(settings, points)


def refuse_sweep(text: str, override: Override) -> bool:
    if override.is_sweep_override():
        key, _, values = text.partition("=")
        raise UserError(f"{text} holds several values; put them into [ ], as in {key}=[{values}]")
    return True


def require_known(of_models: Iterable[str], keys: list[str], conf: Path) -> None:
    """The outermost part of each key is one of a single model's settings or groups."""
    known = {*keys, *OmegaConf.load(conf / f"{SINGLE}.yaml"), *(path.name for path in conf.iterdir() if path.is_dir())}
    for text in of_models:
        key = key_of(text)
        if key.split(".")[0] not in known and not text.startswith("+"):
            raise unknown_setting(key, [*keys, *(key for key, _ in leaves(compose(SINGLE, [], conf), inner=True))])


def folder_name(overrides: Sequence[str]) -> str:
    """As for a run. Which runs are timed matters here, and for how long does not."""
    kept = [text for text in overrides if key_of(text) not in EFFORT]
    return run_name(["trained" + text[3:] if text.startswith("run=") else text for text in kept], FIRST_IN_NAMES)


def new_points(overrides: dict[str, Override], conf: Path) -> list[Point]:
    points = [checked(SINGLE, chosen, conf) for chosen in expand(SINGLE, overrides, conf)]
    for point in points:  # in a table `model=ssd` says more than `default`
        point.config.name = run_name(point.overrides, FIRST_IN_NAMES)
    if len({str(OmegaConf.to_container(point.config.data, resolve=True)) for point in points}) > 1:
        raise UserError("data holds several data sets; models are compared on the same images: choose one")
    return unique(points)


def saved_points(settings: DictConfig, overrides: dict[str, Override], conf: Path) -> list[Point]:
    points = []
    runs = [run for name in split_runs(str(settings.run), is_run) for run in runs_of(name)]
    require_own_names(runs)
    for run in runs:
        fixed = (f"run={quote(run)}", f"checkpoint={quote(settings.checkpoint)}")
        for chosen in expand(SAVED, overrides, conf, fixed):
            point = checked(SAVED, (*fixed, *chosen), conf)
            changes = run_name(chosen) if chosen else ""
            point.config.name = ",".join(filter(None, [find_run(run).resolve().name, changes]))
            points.append(Point((f"run={run}", *chosen), point.config))
    return unique(points)


def require_own_names(runs: Sequence[str]) -> None:
    """Raises UserError for different runs whose folders are called alike: so would their records be."""
    folders = {find_run(run).resolve() for run in runs}
    for name, count in Counter(folder.name for folder in folders).items():
        if count > 1:
            raise UserError(f"run= holds {count} runs called {name}; rename the folder of one")


def unique(points: Sequence[Point]) -> list[Point]:
    return list({point.config.name: point for point in points}.values())


def checked(config_name: str, overrides: Sequence[str], conf: Path) -> Point:
    config = compose(config_name, overrides, conf)
    check(config, conf)
    return Point(tuple(overrides), config)


def expand(
    config_name: str, overrides: dict[str, Override], conf: Path, fixed: Sequence[str] = ()
) -> Iterator[tuple[str, ...]]:
    """The overrides of each model. `fixed` goes before, and is not among them.

    A list is one value where the config holds a list, and several values where it holds anything else. A setting that
    no model knows is left to each, so that composing it complains.
    """
    groups = {text: override for text, override in overrides.items() if (conf / key_of(text)).is_dir()}
    others = {text: override for text, override in overrides.items() if text not in groups}
    choices = list(product(*(alternatives(text, override, None) for text, override in groups.items())))
    present = [dict(leaves(compose(config_name, [*fixed, *chosen], conf), inner=True)) for chosen in choices]
    for chosen, known in zip(choices, present, strict=True):
        fitting = {text: key_of(text) for text in others if fits(text, known, present)}
        axes = [alternatives(text, others[text], known.get(key)) for text, key in fitting.items()]
        for values in product(*axes):
            yield (*chosen, *values)


def fits(text: str, known: dict, everywhere: Sequence[dict]) -> bool:
    """Whether a model that knows the settings `known` takes it; one that is new or that nobody knows goes to all."""
    key = key_of(text)
    return text[0] in "+~" or key in known or not any(key in each for each in everywhere)


def alternatives(text: str, override: Override, present: object) -> list[str]:
    values = None if override.is_delete() else override.value()
    if not isinstance(values, list) or isinstance(present, list):
        return [text]
    if not values:
        raise UserError(f"{text} is empty; give one value or more")
    key = text.partition("=")[0]
    return [f"{key}={quote(value) if isinstance(value, str) else shown(value)}" for value in values]


def split_runs(text: str, is_name: Callable[[str], bool]) -> list[str]:
    """The names in `[a,b]`. A run's own name may hold commas, so what stands between them is joined again as long as
    that is the name of a run; a name of no run is left for others to complain about, with the settings that follow it.
    """
    pieces = re.sub(r"""["']""", "", text.strip().removeprefix("[").removesuffix("]")).split(",")

    def whole(start: int) -> int | None:
        """Where the longest name that begins there ends."""
        ends = range(len(pieces), start, -1)
        return next((end for end in ends if is_name(",".join(pieces[start:end]).strip())), None)

    names, start = [], 0
    while start < len(pieces):
        end = whole(start)
        if end is None:
            after = (
                place for place in range(start + 1, len(pieces)) if whole(place) or not SETTING.match(pieces[place])
            )
            end = next(after, len(pieces))
        names.append(",".join(pieces[start:end]).strip())
        start = end
    return names


def is_run(name: str) -> bool:
    """Or a folder of such."""
    try:
        return bool(name) and all(find_run(run).is_dir() for run in runs_of(name))
    except UserError:
        return False
