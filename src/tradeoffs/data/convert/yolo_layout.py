"""Where a data set in YOLO's format has its photos and the names of its classes.

Said by Ultralytics' data.yaml, by darknet's obj.data, or by nothing but the names of folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.photos import photos_below
from tradeoffs.data.convert.reading import SPLITS, split_of
from tradeoffs.data.convert.texts import read_text
from tradeoffs.errors import UserError

NAME_LISTS = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt", "classes.names", "data.names")


@dataclass
class Layout:
    splits: dict[str, list[Path]]
    names: dict[int, str]  # class number -> name; empty where nothing says them
    keypoints: int = 0  # how many numbers of a label line belong to keypoints


def read_layout(source: Path, findings: Findings) -> Layout:
    """`source` is the folder, or its data.yaml or obj.data. Raises UserError where neither says where photos are."""
    file = source if source.is_file() else description(source)
    folder = file.parent if file else source
    if file is None:
        return Layout(_by_folders(folder), _named_below(folder))
    content = _read_yaml(file) if file.suffix in (".yaml", ".yml") else _read_data(file)
    names = content.get("names")
    if isinstance(names, str):  # a file, as darknet's
        names = _read_names(_require(_inside(folder, names), f"{file} takes names from {names}"))
    classes = _numbered(names, file)
    _require_count(content, classes, file)
    splits = {}
    for split, keys in SPLITS.items():
        entry = next((content[key] for key in keys if content.get(key)), None)
        if entry is not None:
            splits[split] = list(_photos(entry, folder, _root(content, folder), f"{file.name} says {split}:", findings))
    return Layout(splits or _by_folders(folder), classes or _named_below(folder), _keypoints(content, file))


def description(folder: Path) -> Path | None:
    """The folder's data.yaml or obj.data. Raises UserError where several may be it."""
    found = [path for path in sorted(folder.glob("*.y*ml")) if path.suffix in (".yaml", ".yml") and _describes(path)]
    found = [path for path in found if path.stem == "data"] or found or sorted(folder.glob("*.data"))
    if len(found) > 1:
        raise UserError(
            f"{folder} has {', '.join(path.name for path in found)}; give one of them instead of the folder"
        )
    return found[0] if found else None


def _describes(path: Path) -> bool:
    try:
        content = _read_yaml(path)
    except UserError:
        return path.stem == "data"  # then what is wrong with it is to be said
    return bool(content.get("names")) or "nc" in content


def _read_yaml(file: Path) -> dict:
    """By the base loader, which makes texts, lists and dictionaries alone: the class `no` is not taken for False."""
    try:
        content = yaml.load(read_text(file), Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        raise UserError(f"{file} is broken YAML{f', line {place.line + 1}' if place else ''}") from None
    if not isinstance(content, dict):
        raise UserError(f"{file} is no data.yaml: it has no names and no train")
    return content


def _read_data(file: Path) -> dict:
    """darknet's `key = value` lines."""
    lines = (line.partition("=") for line in read_text(file).splitlines() if "=" in line)
    content = {key.strip(): value.strip() for key, _, value in lines}
    return content | {"nc": content.get("classes")}


def _read_names(file: Path) -> list[str]:
    return [line.strip() for line in read_text(file).splitlines() if line.strip()]


def _numbered(names: object, file: Path) -> dict[int, str]:
    if not names:
        return {}
    try:
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        numbered = {int(number): name.strip() for number, name in pairs}
    except (TypeError, ValueError, AttributeError):
        raise UserError(f"{file}: names is neither a list of names nor numbers with names") from None
    if not all(numbered.values()):
        raise UserError(f"{file}: a class has no name; give each one")
    if twice := [name for name in numbered.values() if list(numbered.values()).count(name) > 1]:
        raise UserError(f"{file}: the class {twice[0]!r} stands twice in names; give each another name")
    return dict(sorted(numbered.items()))


def _require_count(content: Mapping, names: dict[int, str], file: Path) -> None:
    count = content.get("nc")
    if names and count and str(count).strip() != str(len(names)):
        raise UserError(f"{file} has {len(names)} names, but says that there are {count} classes")


def _keypoints(content: Mapping, file: Path) -> int:
    shape = content.get("kpt_shape")
    if not shape:
        return 0
    try:
        count, numbers = map(int, shape)
    except (TypeError, ValueError):
        raise UserError(f"{file}: kpt_shape is {shape}; it is two numbers, as [17, 3]") from None
    return count * numbers


def _root(content: Mapping, folder: Path) -> Path:
    """`path` is often that of another machine."""
    said = content.get("path")
    return _inside(folder, said) or folder if isinstance(said, str) and said.strip(". /") else folder


def _photos(entry: object, folder: Path, root: Path, where: str, findings: Findings) -> Iterator[Path]:
    """Of a folder, of a text file that lists photos, or of a list of these."""
    for text in entry if isinstance(entry, list) else [entry]:
        found = _inside(root, str(text)) or _inside(folder, str(text))
        if found is None:
            findings.note(f"{where} {text}, which is not there; left out")
        elif found.is_dir():
            yield from photos_below(found)
        else:
            yield from _listed(found, (found.parent, root, folder), findings)


def _listed(file: Path, folders: tuple[Path, ...], findings: Findings) -> Iterator[Path]:
    seen = set()
    for line in _read_names(file):
        path = next((found for found in (_inside(folder, line) for folder in folders) if found), None)
        if path is None:
            findings.note(f"photos that {file.name} lists and that are not there", line)
        elif path in seen:
            findings.note(f"photos that {file.name} lists twice, counted once", line)
        else:
            seen.add(path)
            yield path


def _inside(folder: Path, text: str) -> Path | None:
    """The file or folder of that name, if need be without its first parts: `../train/images` and `/content/set/train`.

    What lies in `folder` comes first: Roboflow's paths lead one folder too high.
    """
    parts = [part for part in PurePosixPath(text.strip().replace("\\", "/")).parts if part not in ("/", ".")]
    inner = [part for part in parts if part != ".."]
    exact = Path(text.strip())
    if not inner:
        return folder
    shorter = (folder.joinpath(*inner[skipped:]) for skipped in range(1, len(inner)))
    return next((path for path in (folder.joinpath(*inner), folder / exact, *shorter) if path.exists()), None)


def _require(path: Path | None, what: str) -> Path:
    if path is None:
        raise UserError(f"{what}, which is not there")
    return path


def _by_folders(folder: Path) -> dict[str, list[Path]]:
    """train, val and test by the names of folders, or one split without a name."""
    splits: dict[str, list[Path]] = {}
    for path in photos_below(folder):
        inner = path.relative_to(folder)
        splits.setdefault(split_of(inner.parent), []).append(path)
    return splits


def _named_below(folder: Path) -> dict[int, str]:
    """By a list of names in the folder, or in one of those in it."""
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    for place in places:
        for name in NAME_LISTS:
            if (place / name).is_file():
                return _numbered(_read_names(place / name), place / name)
    return {}
