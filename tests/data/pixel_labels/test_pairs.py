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
    with pytest.raises(UserError, match=r"labels/c.png has no image of its name \(the first of 2 faults\)") as caught:
        pairs(tmp_path, names)
    assert "images/b.png has no label image of its name" in caught.value.details[0]


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
