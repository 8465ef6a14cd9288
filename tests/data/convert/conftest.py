"""The converter as typed on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.convert.__main__ import main


class Converted:
    """A converted set: what was printed, and what training reads."""

    def __init__(self, folder: Path, lines: list[str]):
        self.folder, self.lines = folder, lines

    def boxes(self, split: str) -> dict[str, list]:
        """Photo -> class and corners of each object."""
        data = CocoDataset(self.folder / "images", self.folder / "annotations" / f"{split}.json")
        found = {}
        for index, name in enumerate(data.file_names):
            objects = data.objects(index)
            rows = zip(objects.labels.tolist(), objects.boxes.tolist(), strict=True)
            found[name] = [(data.class_names[label], *map(round3, box)) for label, box in rows]
        return found

    def content(self, split: str) -> dict:
        return json.loads((self.folder / "annotations" / f"{split}.json").read_text())


def round3(value: float) -> float:
    return round(value, 3)


@pytest.fixture
def convert(tmp_path: Path, capsys: pytest.CaptureFixture) -> Callable[..., Converted]:
    """`convert("yolo", source)` as typed on the command line; it must go well."""

    def run(*words: object) -> Converted:
        code = main([*map(str, words[:2]), str(tmp_path / "dest"), *map(str, words[2:])])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return Converted(tmp_path / "dest", captured.out.splitlines())

    return run


@pytest.fixture
def refusal(tmp_path: Path, capsys: pytest.CaptureFixture) -> Callable[..., str]:
    """What the command says that must not go well, and that it writes nothing."""

    def run(*words: object) -> str:
        before = set(tmp_path.glob("dest/**/*"))
        assert main([*map(str, words[:2]), str(tmp_path / "dest"), *map(str, words[2:])]) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and set(tmp_path.glob("dest/**/*")) == before
        return captured.err

    return run
