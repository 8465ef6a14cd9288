"""What the part of an address after `?` says: every filter and every choice, so that a view can be sent to somebody."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, quote, urlencode

View = dict[str, list[str]]  # a key without a value, as in `?data=`, has the value ""

TITLES = {"/": "Figures", "/table": "Table", "/run": "Run", "/compare": "Compare", "/proposals": "Proposals"}
FILTERS = {
    "task": "Task",
    "data": "Data",
    "device": "Device",
    "given_boxes": "Boxes",
    "kind": "Kind of record",
    "sweep": "Sweep",
    "model": "Architecture",
    "backbone": "Backbone",
    "image_size": "Image size",
    "seed": "Seed",
}
# What else pages read in an address.
SETTINGS = (
    *("average", "figure", "x", "y", "colour", "symbol", "size", "scale", "limit"),
    *("columns", "search", "sort", "page", "run", "first", "second", "recall", "regions"),
)


def read(search: str | None) -> View:
    return parse_qs((search or "").removeprefix("?"), keep_blank_values=True)


def first(view: View, key: str, default: str = "") -> str:
    return view[key][0] if view.get(key) else default


def write(view: View) -> str:
    """The same after `?`, every reserved character encoded; nothing for an empty view."""
    text = urlencode({key: value for key, value in view.items() if value}, doseq=True, quote_via=quote, safe="")
    return f"?{text}" if text else ""


def changed(view: View, **values: str | Sequence[str] | None) -> View:
    """Another view with these values; None takes a key away."""
    given = {key: [value] if isinstance(value, str) else list(value or ()) for key, value in values.items()}
    return {key: value for key, value in {**view, **given}.items() if value}


def filters_of(view: View) -> View:
    """What both figures and table are filtered by."""
    return {key: value for key, value in view.items() if key in FILTERS or key == "average"}


def title(path: str, view: View) -> str:
    parts = [first(view, key) for key in ("run", "first", "second") if first(view, key)]
    return " | ".join([*parts, TITLES.get(path, "No such page"), "Speed/accuracy trade-offs"])
