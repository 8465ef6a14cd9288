from pathlib import Path

import pytest

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.labels.index import listing
from tradeoffs.data.labels.layout import Labels, read_labels
from tradeoffs.errors import UserError

FOUR = ("train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "val/dog/4.png")
AS_FOUR = ["cat", "dog"], {"train/cat/1.png": "cat", "train/dog/2.png": "dog"}
FLAT = ("train/1.png", "train/2.png", "val/3.png", "val/4.png")


def read(root: Path, findings: Findings | None = None, val: float = 0.5, seed: int = 0) -> Labels:
    images = [name for name in listing(root) if name.endswith("png")]
    return read_labels(root, images, val, seed, findings or Findings())


def labels_of(part) -> dict[str, str]:
    return {each.name: each.label for each in part}


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val", "test"])
def test_folders_of_classes_in_folders_of_splits(put, name: str):
    root = put(*FOUR[:2], f"{name}/cat/deep/3.png", f"{name}/dog/4.png")
    classes, train, val = read(root)
    assert (classes, labels_of(train)) == AS_FOUR
    assert labels_of(val) == {f"{name}/cat/deep/3.png": "cat", f"{name}/dog/4.png": "dog"}
    assert {each.box for each in (*train, *val)} == {None}


def test_a_split_for_tests_is_taken_for_want_of_another_and_that_is_said(put):
    root = put(*FOUR[:2], "test/cat/5.png")
    findings = Findings()
    assert labels_of(read(root, findings).val) == {"test/cat/5.png": "cat"}
    assert findings.lines() == ["there is no split for validation; the split test is taken"]
    put("valid/dog/6.png")
    assert labels_of(read(root).val) == {"valid/dog/6.png": "dog"}


def test_tests_without_labels_are_left_alone(put):
    root = put(*FOUR[:2], "train/cat/5.png", "train/dog/6.png", "test/7.png", "test/images/8.png")
    assert sorted(labels_of(read(root).val).values()) == ["cat", "dog"]
    (root / "test.csv").write_text("id\n7\n")
    assert sorted(labels_of(read(root).val).values()) == ["cat", "dog"]


def test_folders_of_classes_alone_are_split_by_chance_each_class_alike(put):
    names = [f"{name}/{number}.png" for name, count in (("cat", 10), ("dog", 5), ("owl", 1)) for number in range(count)]
    root = put(*names)
    findings = Findings()
    classes, train, val = read(root, findings, val=0.2)
    assert classes == ["cat", "dog", "owl"]
    assert sorted(labels_of(val).values()) == ["cat", "cat", "dog"]
    assert sorted([*labels_of(train), *labels_of(val)]) == sorted(names)
    assert findings.lines() == ["split by chance, seed 0: 13 images for training, 3 for validation"]


def test_chance_goes_by_the_seed_and_not_by_the_order_on_disk(put):
    names = [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(10)]
    root = put(*names)
    one = read_labels(root, names, 0.2, 0, Findings())
    turned = read_labels(root, names[::-1], 0.2, 0, Findings())
    assert set(one.val) == set(turned.val) and set(one.train) == set(turned.train)
    assert set(read_labels(root, names, 0.2, 1, Findings()).val) != set(one.val)


def test_images_beside_the_folders_of_classes_are_told(put):
    findings = Findings()
    labels = read(put(*FOUR, "train/sheet.png"), findings)
    assert labels_of(labels.train) == AS_FOUR[1]
    assert findings.lines() == ["images that are in no folder of a class, left out: 1 (first: train/sheet.png)"]


@pytest.mark.parametrize(
    "lists",
    [
        {"train.txt": "1.png cat\ntrain/2.png dog", "val.txt": "3.png,dog\n4.png,dog"},
        {"train.csv": "id,class\n1,cat\n2,dog", "valid.csv": "label,file\ndog,val/3.png\ndog,4.png"},
        {"train.txt": "1.png 0\n2.png 1", "val.txt": "3.png 1\n4.png 1", "classes.txt": "cat\ndog"},
        {"train.txt": "1.png cat\n2.png 1", "val.txt": "3.png dog\n4.png 1", "labels.txt": "cat\ndog"},
    ],
)
def test_lists_and_tables(put, lists: dict[str, str]):
    classes, train, val = read(put(*FLAT, **lists))
    assert classes == ["cat", "dog"]
    assert labels_of(train) == {"train/1.png": "cat", "train/2.png": "dog"}
    assert labels_of(val) == {"val/3.png": "dog", "val/4.png": "dog"}


def test_classes_are_in_the_order_of_their_list_even_without_images(put):
    root = put(*FLAT, **{"train.txt": "1.png 0\n2.png 2", "val.txt": "3.png 0", "classes.txt": "owl\ncat\nant"})
    assert read(root).classes == ["owl", "cat", "ant"]


def test_numbers_without_names_are_names(put):
    classes, train, val = read(put(*FLAT, **{"train.txt": "1.png 10\n2.png 9", "val.txt": "3.png 10"}))
    assert classes == ["9", "10"] and labels_of(train)["train/1.png"] == "10" and labels_of(val) == {"val/3.png": "10"}


def test_one_table_is_split_by_chance(put):
    root = put("x/1.png", "x/2.png", "3.png", "4.png", "unlisted.png")
    (root / "labels.csv").write_text("path,target\nx/1.png,0\nx/2.png,0\n3.png,1\n4.png,1\n")
    classes, train, val = read(root)
    assert classes == ["0", "1"]
    assert [sorted(labels_of(part).values()) for part in (train, val)] == [["0", "1"]] * 2


def test_validation_in_one_folder_with_a_list_beside_folders_for_training(put):
    """As ImageNet is often kept: numbers are places in the order of the ids."""
    root = put("train/n02/a.png", "train/n01/b.png", "val/v_1.png", "val/v_2.png")
    (root / "val.txt").write_text("v_1.png 1\nv_2.png 0\n")
    assert labels_of(read(root).val) == {"val/v_1.png": "n02", "val/v_2.png": "n01"}
    (root / "val.txt").unlink()
    (root / "LOC_val_solution.csv").write_text("ImageId,PredictionString\nv_1,n01 1 2 3 4\nv_2,n02 1 2 3 4\n")
    assert labels_of(read(root).val) == {"val/v_1.png": "n01", "val/v_2.png": "n02"}


def test_tiny_imagenet(put):
    root = put(
        *(f"train/{each}/images/{each}_{n}.png" for each in ("n01", "n02") for n in (0, 1)), "val/images/v_0.png"
    )
    (root / "train/n01/n01_boxes.txt").write_text("n01_0.png\t1\t2\t5\t5\nn01_1.png\t3\t4\t3\t5\n")
    (root / "train/n02/n02_boxes.txt").write_text("n02_0.png\t0\t0\t7\t5\n")
    (root / "val/val_annotations.txt").write_text("v_0.png\tn02\t6\t0\t7\t1\n")
    findings = Findings()
    classes, train, val = read(root, findings)
    assert classes == ["n01", "n02"]
    assert {each.name[-9:]: each.box for each in train} == {
        "n01_0.png": [1, 2, 5, 4],
        "n01_1.png": None,
        "n02_0.png": [0, 0, 8, 6],
        "n02_1.png": None,
    }
    assert [*val] == [("val/images/v_0.png", "n02", [6, 0, 2, 2])]
    first = "train/n01/images/n01_1.png"
    assert findings.lines() == [f"boxes without area, for which the whole image is taken: 1 (first: {first})"]


def test_tiny_imagenet_put_in_order_by_somebody(put):
    root = put("train/n01/0.png", "train/n02/1.png", "val/n01/v_0.png", "val/n02/v_1.png")
    (root / "train/n01/n01_boxes.txt").write_text("0.png\t1\t2\t5\t5\n")
    (root / "val/val_annotations.txt").write_text("v_0.png\tn01\t0\t0\t1\t1\nv_1.png\tn02\t6\t0\t7\t1\n")
    _, train, val = read(root)
    assert train == [("train/n01/0.png", "n01", [1, 2, 5, 4]), ("train/n02/1.png", "n02", None)]
    assert val == [("val/n01/v_0.png", "n01", [0, 0, 2, 2]), ("val/n02/v_1.png", "n02", [6, 0, 2, 2])]


def test_a_class_may_be_called_as_a_split_which_is_said(put):
    findings = Findings()
    labels = read(put("train/1.png", "train/2.png", "bus/3.png", "bus/4.png"), findings)
    assert labels.classes == ["bus", "train"]
    assert findings.lines()[0] == "the folder train is taken for a class: beside it are folders that are no splits"


@pytest.mark.parametrize(
    ("images", "lists", "line"),
    [
        (["train/1.png", "val/2.png"], {}, "has 2 images, but none with a label for training; give a folder for each"),
        (["1.png"], {}, "has 1 images, but none with a label for training; give a folder for each class"),
        (["val/cat/1.png"], {}, "has 1 images, but none with a label for training"),
        (
            ["cat/1.png", "cat/2.png"],
            {},
            "data has images of one class alone, cat; two are the least; give a folder for",
        ),
        (
            ["set/train/cat/1.png"],
            {},
            "one class alone, set; two are the least; if {root}/set is the data set, give that",
        ),
        (
            ["cat/1.png", "dog/2.png"],
            {},
            "each class has one image alone, so that none is left for validation; give two",
        ),
        (
            [*FOUR, "val/owl/5.png"],
            {},
            "data has images of owl for validation, but none for training; each class needs",
        ),
        (
            [*FOUR[:2], "val/3.png"],
            {},
            "val/3.png is for validation, but nothing says its class; put such images into a",
        ),
        (FLAT, {"train.txt": "1.png a\n5.png b"}, "train.txt, line 2: the image 5.png is not there"),
        (FLAT, {"train.txt": "1.png a\n1.png b"}, "line 2: train/1.png is b here and a before; an image has one label"),
        (
            ["a.png", "a.jpg"],
            {"labels.csv": "id,label\na,x"},
            "line 2: the image a may be a.jpg or a.png; name it with",
        ),
        (
            FLAT,
            {"train.txt": "1.png 0\n2.png 2", "classes.txt": "cat\ndog"},
            "line 2: there is no class 2; there are cat, ..., dog, or their places, 0 to 1",
        ),
        (FLAT, {"train.txt": "1.png 0\n2.png 1", "val.txt": "3.png 2"}, "images of 2 for validation, but none for"),
    ],
)
def test_folders_that_cannot_be_learned_from(put, images: list[str], lists: dict[str, str], line: str):
    root = put(*images, **lists)
    names = [name for name in listing(root) if name.endswith(("png", "jpg"))]
    with pytest.raises(UserError) as caught:
        read_labels(root, names, 0.5, 0, Findings())
    assert line.format(root=root) in str(caught.value)


def test_all_lines_that_mean_no_image_are_listed(put):
    root = put(*FLAT, **{"train.txt": "1.png a\n5.png b\n6.png b"})
    with pytest.raises(UserError, match=r"line 2: the image 5.png is not there \(the first of 2 faults\)") as caught:
        read(root)
    assert caught.value.details == (f"{root / 'train.txt'}, line 3: the image 6.png is not there",)


@pytest.mark.parametrize("split", ["train", "."])
def test_a_folder_without_images_is_told(put, split: str):
    root = put(*(name.replace("train/", "") if split == "." else name for name in FOUR[:2]))
    (root / split / ".hidden").mkdir()
    (root / split / "owl").mkdir()
    with pytest.raises(UserError, match=r"owl has no images; each folder there is a class, put some into it or remove"):
        read(root)


def test_a_class_may_lack_in_validation(put):
    classes, _, val = read(put(*FOUR[:3]))
    assert classes == ["cat", "dog"] and labels_of(val) == {"val/cat/3.png": "cat"}
