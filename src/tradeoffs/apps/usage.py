"""The text behind --help, read from the comments of the YAML files alone: one source, and shown at once.

- The comment at the head of `conf/<name>.yaml` is the introduction, with the examples.
- Its list of defaults says which groups there are; the files of a group's folder are the choices.
- A setting is a line `key: value  # explanation` at the outermost level.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import yaml

WIDTH = 110
SETTING = re.compile(r"(?P<key>[a-z]\w*):\s+(?P<value>\S.*?)\s+#\s+(?P<explanation>.+)")
ENTRY = re.compile(r"(?:optional |override )*/?(?P<group>\w[\w/]*)(?:@\S+)?")


def usage(config_name: str, conf: Path, groups_of: str | None = None) -> str:
    """Introduction, groups with their choices, and settings with their defaults, ready to print.

    The groups are those of the config `groups_of`, where a command takes another one's.
    """
    text = (conf / f"{config_name}.yaml").read_text()
    chosen = defaults((conf / f"{groups_of or config_name}.yaml").read_text())
    groups = [choices(conf / group, default) for group, default in chosen.items()]
    parts = [introduction(text)]
    if any(groups):
        parts += ["Choices (* marks the default):\n", *filter(None, groups), ""]
    parts += ["Settings:\n", *settings(text), ""]
    parts += ["Settings inside a choice are written with a dot, as in optimizer.lr=0.01; --cfg job shows all of them."]
    return "\n".join(parts)


def introduction(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("# @package")]
    end = next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "\n".join(line[1:].removeprefix(" ") for line in lines[:end]) + "\n"


def defaults(text: str) -> dict[str, str | None]:
    """Group -> default choice, in the order of the defaults list; not those that follow from other choices."""
    entries = [entry for entry in yaml.safe_load(text).get("defaults", []) if isinstance(entry, dict)]
    named = [(ENTRY.fullmatch(key), choice) for entry in entries for key, choice in entry.items()]
    visible = ((match["group"], choice) for match, choice in named if match and "${" not in str(choice))
    return {group: choice for group, choice in visible if not group.startswith("hydra")}


def choices(folder: Path, default: str | None) -> str:
    """The names of a group's files, wrapped; empty if there are none."""
    names = sorted(file.stem for file in folder.glob("*.yaml"))
    marked = "  ".join(f"{name}*" if name == default else name for name in names)
    return textwrap.fill(marked, WIDTH, initial_indent=f"  {folder.name:<14}", subsequent_indent=" " * 16)


def settings(text: str) -> list[str]:
    found = [match for line in text.splitlines() if (match := SETTING.fullmatch(line))]
    given = [f"{match['key']}={plain(match['key'], match['value'])}" for match in found]
    width = max(map(len, given), default=0)
    return [f"  {pair:<{width}}  {match['explanation']}" for pair, match in zip(given, found, strict=True)]


def plain(key: str, value: str) -> str:
    """A placeholder where the default is missing or computed."""
    return key.upper() if value.startswith(("?", "$")) else value
