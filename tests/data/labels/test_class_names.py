import random
from pathlib import Path

import pytest
from timm.data import ImageNetInfo

from tradeoffs.data.labels.class_names import class_list, in_order, meanings, readable
from tradeoffs.errors import UserError


def test_numbers_go_by_value_and_capitals_make_no_difference():
    assert in_order(["b10", "B2", "a", "b1", "a"]) == ["a", "b1", "B2", "b10"]
    assert in_order(["10", "9", "x", "09"]) == ["09", "9", "10", "x"]


def test_imagenet_is_in_the_order_of_timms_weights():
    """The label of a class is its place in the output of the networks that timm has weights for."""
    wnids = ImageNetInfo("imagenet-1k").label_names()
    assert (wnids[0], wnids[207], wnids[999], len(wnids)) == ("n01440764", "n02099601", "n15075141", 1000)
    assert in_order(random.Random(0).sample(wnids, 1000)) == wnids


def test_a_label_is_a_name_or_its_place():
    assert meanings(["cat", "dog"]) == {"cat": "cat", "dog": "dog", "0": "cat", "1": "dog"}


def test_a_name_that_is_a_number_is_that_name():
    assert meanings(["1", "0"]) == {"1": "1", "0": "0"}


@pytest.mark.parametrize("name", ["classes.txt", "labels.txt"])
def test_class_lists(tmp_path: Path, name: str):
    assert class_list(tmp_path) is None
    (tmp_path / name).write_text("zebra\n\n big cat \n")
    assert class_list(tmp_path) == ["zebra", "big cat"]
    (tmp_path / name).write_text("\n")
    assert class_list(tmp_path) is None
    (tmp_path / name).write_text("cat\ndog\ncat\n")
    with pytest.raises(UserError, match=rf"{name} has the class cat more than once; give each line another name"):
        class_list(tmp_path)


@pytest.mark.parametrize(("file", "blank"), [("words.txt", "\t"), ("LOC_synset_mapping.txt", " ")])
def test_ids_of_imagenet_become_words_but_no_two_the_same(tmp_path: Path, file: str, blank: str):
    classes = ["n01440764", "n02012849", "n03126707", "n09999999"]
    words = ("tench, Tinca tinca", "crane", "crane, derrick")
    lines = [f"{each}{blank}{word}" for each, word in zip(classes, words, strict=False)]
    (tmp_path / file).write_text("\n".join(lines))
    assert readable(tmp_path, classes) == ["tench", "crane (n02012849)", "crane (n03126707)", "n09999999"]
