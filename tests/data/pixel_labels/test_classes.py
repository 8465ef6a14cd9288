from pathlib import Path

import numpy as np
import pytest

from tradeoffs.data.pixel_labels.classes import UNKNOWN, classes_of, read_classes
from tradeoffs.errors import UserError


@pytest.mark.parametrize(
    ("text", "names", "colours"),
    [
        ("sky\nroad\n", {0: "sky", 1: "road"}, {}),
        ("0 sky\n7 road\n", {0: "sky", 7: "road"}, {}),
        (
            "name,r,g,b\nsky,128,128,128\nroad side,128,64,128\n",
            {0: "sky", 1: "road side"},
            {(128, 128, 128): 0, (128, 64, 128): 1},
        ),
        ("128 128 128\tSky\n128 64 128\tRoad\n", {0: "Sky", 1: "Road"}, {(128, 128, 128): 0, (128, 64, 128): 1}),
    ],
)
def test_lists_of_classes(tmp_path: Path, text: str, names: dict, colours: dict):
    file = tmp_path / "classes.txt"
    file.write_text(text)
    assert read_classes(file) == (names, colours)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "has no classes"),
        ("sky\nsky\n", "line 2: sky repeats"),
        ("a,1,2,3\nb\n", "without a colour"),
        ("a,1,2,300", "above 255"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, text: str, word: str):
    file = tmp_path / "classes.txt"
    file.write_text(text)
    with pytest.raises(UserError, match=word):
        read_classes(file)


def test_void_is_ignored_and_colours_have_values(tmp_path: Path):
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nsky,0,0,255\nVoid,0,0,0\nroad,9,9,9\n")
    classes = classes_of(tmp_path, None, [255])
    assert classes.names == {0: "sky", 2: "road"} and classes.ignored == {1, 255}
    colours = np.array([[[9, 9, 9], [0, 0, 255], [0, 0, 0], [1, 2, 3]]], np.uint8)
    assert classes.values_of(colours).tolist() == [[2, 0, 1, UNKNOWN]]
    assert classes_of(tmp_path, ["a", "b"], []).names == {0: "a", 1: "b"}
    with pytest.raises(UserError, match=r"data.source.classes=nowhere.txt does not exist"):
        classes_of(tmp_path, "nowhere.txt", [])
