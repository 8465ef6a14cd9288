from pathlib import Path

import pytest

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.pixel_labels.pairs import Pair, read_pairs
from tradeoffs.errors import UserError


def pairs(root: Path, names: list[str], val_name: str = "val") -> dict[str, list[tuple[str, str]]]:
    findings = Findings()
    found = read_pairs(root, sorted(names), 0.5, 0, val_name, findings)
    findings.require_none()
    return found


def write_lists(root: Path, **lines: str) -> None:
    for split, text in lines.items():
        (root / f"{split}.txt").write_text(text)


LAYOUTS = [
    ["images/train/a.jpg", "labels/train/a.png", "images/val/b.jpg", "labels/val/b.png"],
    ["train/images/a.jpg", "train/masks/a_mask.png", "val/images/b.jpg", "val/masks/b_mask.png"],
    ["train/a.jpg", "trainannot/a.png", "val/b.jpg", "valannot/b.png", "test/c.jpg", "testannot/c.png"],
    ["train/a.jpg", "train_labels/a_L.png", "val/b.jpg", "val_labels/b_L.png"],
    [
        "JPEGImages/Train/a.jpg",
        "SegmentationClass/Train/a.png",
        "JPEGImages/valid/b.jpg",
        "SegmentationClass/valid/b.png",
    ],
]


@pytest.mark.parametrize("names", LAYOUTS)
def test_layouts(tmp_path: Path, names: list[str]):
    assert pairs(tmp_path, names) == {"train": [Pair(*names[:2])], "val": [Pair(*names[2:4])]}


def test_another_split_may_be_for_validation(tmp_path: Path):
    names = LAYOUTS[2]
    assert pairs(tmp_path, names, "test")["val"] == [Pair(*names[4:])]


def test_by_chance(tmp_path: Path):
    names = [f"{folder}/{name}.png" for folder in ("images", "labels") for name in "abcd"]
    found = pairs(tmp_path, names)
    assert [len(part) for part in found.values()] == [2, 2]
    assert {image for part in found.values() for image, _ in part} == {f"images/{name}.png" for name in "abcd"}
    assert all(Path(image).name == Path(label).name for part in found.values() for image, label in part)


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "{}.jpg",
        "JPEGImages/{}.jpg SegmentationClass/{}.png",
        "/x/VOC/JPEGImages/{}.jpg /x/VOC/SegmentationClass/{}.png",
    ],
)
def test_lists(tmp_path: Path, line: str):
    lists = tmp_path / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    for split, stem in (("train", "a"), ("val", "b")):
        (lists / f"{split}.txt").write_text(line.format(stem, stem) + "\n")
    names = [
        f"{folder}/{stem}.{suffix}"
        for stem in "abc"
        for folder, suffix in (("JPEGImages", "jpg"), ("SegmentationClass", "png"))
    ]
    found = pairs(tmp_path, [*names, "SegmentationObject/a.png", "JPEGImages/d.jpg"])
    assert found == {"train": [Pair(*names[:2])], "val": [Pair(*names[2:4])]}


def test_all_that_lacks_its_partner_is_said_at_once(tmp_path: Path):
    names = ["images/a.png", "images/b.png", "labels/a.png", "labels/c.png", "images/d.png", "labels/d.png"]
    with pytest.raises(
        UserError, match=r"images/b.png has no label image of its name \(the first of 2 faults\)"
    ) as caught:
        pairs(tmp_path, names)
    assert "labels/c.png has no image of its name" in caught.value.details[0]


@pytest.mark.parametrize(
    ("names", "word"),
    [
        (["images/a.png"], "has 1 images, but no label images; give a folder of images"),
        (["images/train/a.png", "labels/train/a.png"], "no label images of the split val"),
    ],
)
def test_folders_without_what_is_needed(tmp_path: Path, names: list[str], word: str):
    with pytest.raises(UserError, match=word):
        pairs(tmp_path, names)


PER_SPLIT = ["images/train/0001.jpg", "labels/train/0001.png", "images/val/0001.jpg", "labels/val/0001.png"]


def test_equal_names_in_several_folders_are_told_apart(tmp_path: Path):
    """By the folder that a list names; without one nobody can tell which is meant."""
    write_lists(tmp_path, train="train/0001", val="val/0001.jpg")
    assert pairs(tmp_path, PER_SPLIT) == {"train": [Pair(*PER_SPLIT[:2])], "val": [Pair(*PER_SPLIT[2:])]}
    write_lists(tmp_path, train="0001")
    with pytest.raises(UserError, match=r"line 1: 0001 is the name of several images: images/train/0001.jpg"):
        pairs(tmp_path, PER_SPLIT)


def test_what_lies_beside_images_is_none(tmp_path: Path):
    names = [f"{kind}/{number}.png" for number in (1, 2) for kind in ("depth", "images", "labels")]
    write_lists(tmp_path, train="1", val="2")
    assert pairs(tmp_path, names)["train"] == [Pair("images/1.png", "labels/1.png")]


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["images/a.jpg", "images/a.png", "labels/a.png"], "images/a.jpg and images/a.png are images of one name"),
        (["images/a.jpg", "photos/a.jpg", "labels/a.png"], "images/a.jpg and photos/a.jpg are images of one name"),
        (["images/a.jpg", "labels/a.png", "masks/a.png"], "labels/a.png and masks/a.png are label images of one name"),
    ],
)
def test_several_of_one_name(tmp_path: Path, names: list[str], what: str):
    """Which one is meant has to be said; lists with both names do."""
    others = ["images/b.jpg", "labels/b.png", "images/c.jpg", "labels/c.png"]
    with pytest.raises(UserError, match=what):
        pairs(tmp_path, [*names, *others])
    write_lists(tmp_path, train="a", val="b")
    with pytest.raises(UserError, match=f"{what}|a is the name of several images"):
        pairs(tmp_path, [*names, *others])
    write_lists(tmp_path, train=f"{names[0]} {names[-1]}")
    assert pairs(tmp_path, [*names, *others])["train"] == [Pair(names[0], names[-1])]


def test_endings_are_left_out_only_where_names_differ(tmp_path: Path):
    names = [f"{kind}/{stem}.png" for kind in ("images", "labels") for stem in ("a", "a_l", "b", "b_l")]
    found = [pair for part in pairs(tmp_path, names).values() for pair in part]
    assert len(found) == 4 and all(Path(image).name == Path(label).name for image, label in found)


def test_a_list_for_training_alone_is_not_left_aside(tmp_path: Path):
    names = [f"{kind}/{stem}.png" for kind in ("images", "labels") for stem in "abcd"]
    write_lists(tmp_path, train="a\nb", test="c\nd")
    with pytest.raises(UserError, match=r"no list for validation \(val\); give data.source.val_name=test"):
        pairs(tmp_path, names)
    assert [image for image, _ in pairs(tmp_path, names, "test")["val"]] == ["images/c.png", "images/d.png"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("labels/a.png images/a.png", "labels/a.png is a label image; a line is IMAGE LABEL_IMAGE"),
        ("images/a.png labels/x.png", "labels/x.png is not there"),
        ("nothing", "there is no image nothing with a label image"),
    ],
)
def test_lines_that_are_wrong(tmp_path: Path, line: str, what: str):
    write_lists(tmp_path, train=line, val="b")
    with pytest.raises(UserError, match=f"train.txt, line 1: {what}"):
        pairs(tmp_path, [f"{kind}/{stem}.png" for kind in ("images", "labels") for stem in "ab"])


def test_names_with_blanks_and_capitals(tmp_path: Path):
    names = ["images/my photo.png", "labels/my photo.png", "images/B.PNG", "labels/b.png"]
    write_lists(tmp_path, train="my photo", val="images/b.png,labels/B.png")
    assert pairs(tmp_path, names) == {"train": [Pair(*names[:2])], "val": [Pair(*names[2:])]}


def test_images_of_no_split_are_told(tmp_path: Path):
    findings = Findings()
    found = read_pairs(tmp_path, [*LAYOUTS[0], "images/more/c.jpg", "labels/more/c.png"], 0.5, 0, "val", findings)
    assert found == {"train": [Pair(*LAYOUTS[0][:2])], "val": [Pair(*LAYOUTS[0][2:])]}
    assert findings.lines() == ["images in no folder of a split, left out: 1 (first: images/more/c.jpg)"]
