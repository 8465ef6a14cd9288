"""The text behind --help, read from the YAML files and their comments alone: one source, and shown at once.

- The comment at the head of `conf/<name>.yaml` is the introduction, with the examples.
- Its list of defaults says which groups there are; the files of a group's folder are the choices, and what each
  is stands in its first comment.
- A setting is a line `key: value  # explanation`. The settings of a choice are shown where it is chosen.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tradeoffs.model_facts import KEY as OPERATING_POINT
from tradeoffs.settings.compose import chosen_parts, leaves

WIDTH = 120
LONGEST_PAIR = 44  # characters of key=value up to which explanations are aligned
LONGEST_VALUE = 40
LINE = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_]\w*):(?:\s+(?P<value>[^\s#].*?))?(?:\s+#\s+(?P<explanation>.+))?")
ENTRY = re.compile(r"(?:optional |override )*/?(?P<group>\w[\w/]*)(?:@\S+)?")
OPTIONS = "Also: --version, and --cfg job, which prints all settings as they will be, and does nothing else."
# What a choice says about itself; nothing to set.
ABOUT = ("task.name", "model.task", f"model.{OPERATING_POINT}.", "data.name")


def usage(config_name: str, conf: Path, overrides: Sequence[str] = (), groups_of: str | None = None) -> str:
    """Introduction, groups with their choices, and settings with their defaults, ready to print.

    The choices among `overrides` decide which parts' settings are shown. A command that takes another config's
    groups, those of `groups_of`, shows their names alone. Raises UserError for an unknown choice.
    """
    text = (conf / f"{config_name}.yaml").read_text()
    groups = defaults((conf / f"{groups_of or config_name}.yaml").read_text())
    composed = chosen_parts(config_name, overrides, conf) if groups and not groups_of else None
    shown = {group: composed[0].get(group) for group in groups} if composed else groups
    task = shown.get("task")
    lists = [(names if groups_of else choices)(conf / group, choice, task) for group, choice in shown.items()]
    parts = [introduction(text)]
    if any(lists):
        marks = f" (* marks {'the default' if groups_of else 'what is chosen'})" if any(shown.values()) else ""
        parts += [f"Choices{marks}:\n", *filter(None, lists), ""]
    parts += ["Settings:\n", *aligned(settings(text, composed[1] if composed else {})), ""]
    parts += part_settings(conf, shown, composed[1]) if composed else []
    parts.append(OPTIONS)
    return "\n".join(parts).rstrip()


def introduction(text: str) -> str:
    return "\n".join(line[1:].removeprefix(" ") for line in comment(text)) + "\n"


def comment(text: str) -> list[str]:
    """The lines of the comment at the head of a file."""
    lines = [line for line in text.splitlines() if not line.startswith("# @package")]
    end = next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return lines[:end]


def defaults(text: str) -> dict[str, str | None]:
    """Group -> default choice, in the order of the defaults list; not those that follow from other choices."""
    entries = [entry for entry in yaml.safe_load(text).get("defaults", []) if isinstance(entry, dict)]
    named = [(ENTRY.fullmatch(key), choice) for entry in entries for key, choice in entry.items()]
    visible = ((match["group"], choice) for match, choice in named if match and "${" not in str(choice))
    return {group: choice for group, choice in visible if not group.startswith("hydra")}


def fitting(folder: Path, task: str | None) -> list[Path]:
    """The files of a group, less those of another task: models say it, and experiments choose one, or the first."""
    of_task = re.compile(r"^(?:  - override /)?task: *(\w+)", re.MULTILINE)
    found = {file: of_task.search(file.read_text()) for file in sorted(folder.glob("*.yaml"))}
    usual = "detection" if folder.name == "experiment" else task
    said = {file: match[1] if match else usual for file, match in found.items()}
    return [file for file, own in said.items() if task in (None, own)]


def names(folder: Path, chosen: str | None, task: str | None) -> str:
    """The names of a group's files, wrapped; empty if there are none."""
    marked = "  ".join(mark(file.stem, chosen) for file in fitting(folder, task))
    return textwrap.fill(marked, WIDTH, initial_indent=f"  {folder.name:<14}", subsequent_indent=" " * 16)


def choices(folder: Path, chosen: str | None, task: str | None) -> str:
    """A line for each of a group's files: its name, and the first line of its comment."""
    lines = []
    for file in fitting(folder, task):
        head = f"  {'' if lines else folder.name:<14}{mark(file.stem, chosen):<20} "
        explanation = "".join(comment(file.read_text())[:1]).removeprefix("#").strip()
        lines.append(hanging(head, explanation))
    return "\n".join(lines)


def mark(name: str, chosen: str | None) -> str:
    return f"{name}*" if name == chosen else name


def settings(text: str, config: Mapping) -> dict[str, str]:
    """`key=value` -> explanation, of the outermost settings that have one; values are those in `config`, if there."""
    found = [line for line in explained(text) if "." not in line[0] and line[1] and line[2]]
    defaults = {key: current(config, key, yaml.safe_load(value)) for key, value, _ in found}
    return {f"{key}={written(key, defaults[key])}": explanation for key, _, explanation in found}


def current(config: Mapping, key: str, otherwise: object) -> object:
    """The value of a setting, worked out if it is a reference; `otherwise` where the config does not know it."""
    try:
        return OmegaConf.select(config, key, default=otherwise) if config else otherwise
    except OmegaConfBaseException:  # a reference that leads nowhere yet
        return otherwise


def part_settings(conf: Path, chosen: dict[str, str | None], config: DictConfig) -> list[str]:
    """The settings of each part that is chosen, as it is composed: with what follows from the other choices."""
    blocks = []
    for group, choice in chosen.items():
        part = config.get(group) if choice else None
        if isinstance(part, DictConfig):
            explanations = {f"{group}.{key}": text for key, text in comments(conf / group, choice).items()}
            found = {f"{group}.{key}": value for key, value in leaves(part)}
            values = {key: value if value == "???" else current(config, key, value) for key, value in found.items()}
            keys = filter(settable, values)
            pairs = {f"{key}={written(key, values[key])}": explanations.get(key, "") for key in keys}
            blocks += [*aligned(pairs), ""] if pairs else []
    title = "Settings of the chosen parts; to see those of another one choose it, as in backbone=vgg16 --help:\n"
    return [title, *blocks] if blocks else []


def comments(folder: Path, choice: str) -> dict[str, str]:
    """Dotted key -> explanation, in a choice's file and in those of the same group that it begins with."""
    text = (folder / f"{choice}.yaml").read_text()
    bases = [entry for entry in (yaml.safe_load(text) or {}).get("defaults", []) if isinstance(entry, str)]
    found: dict[str, str] = {}
    for base in (base for base in bases if base != "_self_"):
        found |= comments(folder, base)
    return found | {key: explanation for key, _, explanation in explained(text) if explanation}


def explained(text: str) -> Iterator[tuple[str, str | None, str | None]]:
    """Dotted key, value and explanation of each line that holds a setting."""
    above: list[tuple[int, str]] = []  # indentation and key of what the line is in
    for match in filter(None, map(LINE.fullmatch, text.splitlines())):
        above = [(indent, key) for indent, key in above if indent < len(match["indent"])]
        above.append((len(match["indent"]), match["key"]))
        yield ".".join(key for _, key in above), match["value"], match["explanation"]


def settable(key: str) -> bool:
    return not key.startswith(ABOUT) and key.rpartition(".")[2] not in ("_target_", "_partial_")


def written(key: str, value: object) -> str:
    """A value of the config as one types it, cut where it is long; a word in capitals for what depends on others."""
    if value == "???":
        return key.rpartition(".")[2].upper()
    text = typed(value).replace("${run_folder:${run}}", "RUN").replace("${run_name:}", "SETTINGS")
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def typed(value: object) -> str:
    if isinstance(value, list | ListConfig):
        return f"[{','.join(map(typed, value))}]"
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def aligned(pairs: dict[str, str]) -> list[str]:
    width = max((len(pair) for pair in pairs if len(pair) <= LONGEST_PAIR), default=0)
    return [hanging(f"  {pair:<{width}}  ", explanation) for pair, explanation in pairs.items()]


def hanging(head: str, explanation: str) -> str:
    """Wrapped so that what does not fit stands below the explanation's beginning."""
    if not explanation:
        return head.rstrip()
    return textwrap.fill(explanation, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
