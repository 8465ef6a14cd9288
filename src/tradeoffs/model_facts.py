"""What a model says of itself in conf/model/NAME.yaml that is no setting: its operating point, what it chooses.

Settings, commands, tables and figures ask here and name no attribute of a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

import yaml

from tradeoffs.errors import UserError
from tradeoffs.files import CONF

KEY = "operating_point"  # in a model's file
USUAL = "usual"  # the same: settings that model=NAME chooses in place of what is usual for its task
WHOLE_IMAGE = "a whole image"  # what times are of, where the network does not say otherwise (`each_image`)


class OperatingPoint(NamedTuple):
    """A whole number with which a trained network trades accuracy for time, such as its number of proposals.

    What a smaller value gives comes from the same run of the network: raw outputs have `limited_to(value)`.
    """

    name: str  # of the model's attribute, of its setting `model.NAME`, and of a column
    title: str  # what it counts, in tables and at axes
    values: tuple[int, ...]  # usual ones


@cache
def contents() -> dict[str, dict]:
    """Of the files of all models, by name."""
    files = sorted((CONF / "model").glob("*.yaml"))
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}


@cache
def operating_points() -> dict[str, OperatingPoint]:
    """Those that models declare, by name."""
    points: dict[str, OperatingPoint] = {}
    for model, content in contents().items():
        if KEY in content:
            point = read(model, content)
            if points.setdefault(point.name, point) != point:
                raise UserError(f"conf/model/{model}.yaml: {KEY} is not what another model says of {point.name}")
    return points


def points_of(models: Iterable[str]) -> set[str]:
    """The names of those that these models declare."""
    return {contents()[model][KEY]["name"] for model in models if KEY in contents().get(model, {})}


def usual_of(model: str | None) -> dict[str, object]:
    """None for a model of elsewhere."""
    return contents().get(model, {}).get(USUAL) or {}


def read(model: str, content: Mapping) -> OperatingPoint:
    try:
        point = OperatingPoint(**{key: tuple(said) if key == "values" else said for key, said in content[KEY].items()})
    except (TypeError, AttributeError) as fault:
        raise UserError(f"conf/model/{model}.yaml: {KEY}: {fault}; see docs/adding-a-model.md") from None
    if not isinstance(content.get(point.name), int):
        raise UserError(f"conf/model/{model}.yaml: {KEY} is {point.name}; give a setting that is a whole number")
    return point


def operating_point_of(settings: Mapping) -> OperatingPoint | None:
    """Of a model with these settings; None where it has none."""
    return next((point for point in operating_points().values() if point.name in settings), None)
