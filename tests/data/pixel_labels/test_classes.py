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
    ("text", "names", "colours"),
    [
        ("7 road 128 64 128\n0 unlabeled 0 0 0", {7: "road", 0: "unlabeled"}, {(128, 64, 128): 7, (0, 0, 0): 0}),
        ("road,7,128,64,128", {7: "road"}, {(128, 64, 128): 7}),
        ("name,id\nbackground,0\nroad,1", {0: "background", 1: "road"}, {}),
        ("id,name\n0,background", {0: "background"}, {}),
        ("# of ours\nbackground:0,0,0::\ncar:1,2,3::", {0: "background", 1: "car"}, {(0, 0, 0): 0, (1, 2, 3): 1}),
        ("__ignore__\n_background_\ncar", {-1: "__ignore__", 0: "_background_", 1: "car"}, {}),
        ("traffic light\n", {0: "traffic light"}, {}),
    ],
)
def test_lists_of_other_tools(tmp_path: Path, text: str, names: dict, colours: dict):
    file = tmp_path / "labels.txt"
    file.write_text(text)
    assert read_classes(file) == (names, colours)


def test_names_by_value_and_one_value_that_is_ignored(tmp_path: Path):
    classes = classes_of(tmp_path, {1: "a", 5: "b"}, 255)
    assert classes.names == {1: "a", 5: "b"} and classes.ignored == {255}
    with pytest.raises(UserError, match="has a name twice"):
        classes_of(tmp_path, ["a", "a"], [])


@pytest.mark.parametrize("text", ["class 1\nclass 2", "1,2", "1 2 a"])
def test_lines_that_may_mean_several_things(tmp_path: Path, text: str):
    file = tmp_path / "classes.txt"
    file.write_text(text)
    with pytest.raises(UserError, match=r"line 1: .* may mean several things, or nothing; write a line for each class"):
        read_classes(file)


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
