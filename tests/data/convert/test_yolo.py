import math
from pathlib import Path

import pytest
from convert_sources import write_photo, write_text

from tradeoffs.data.convert.yolo_labels import read_line

BOX = "1 0.5 0.5 0.2 0.4"  # of a photo of 100 x 50
IN_PIXELS = ("cat", 40, 15, 60, 35)
PLACES = ("train: train/images", "val: valid/images")


@pytest.fixture
def roboflow(tmp_path: Path) -> Path:
    """As exported: the paths lead one folder too high. The class `no` is no False."""
    root = tmp_path / "set"
    for split, names in {"train": "abc", "valid": "de"}.items():
        for name in names:
            write_photo(root / split / "images" / f"{name}.jpg")
            write_text(root / split / "labels" / f"{name}.txt", BOX)
    write_text(
        root / "data.yaml",
        "train: ../train/images", "val: ../valid/images", "test: ../test/images", "nc: 2", "names: ['no', 'cat']",
    )  # fmt: skip
    return root


def flat(root: Path, *lines: str, orientation: int = 1) -> Path:
    """A photo with these label lines and one without objects."""
    write_photo(root / "images" / "a.jpg", orientation=orientation)
    write_photo(root / "images" / "b.jpg")
    write_text(root / "labels" / "a.txt", *lines)
    write_text(root / "labels" / "b.txt")
    write_text(root / "classes.txt", "dog", "cat", "")
    return root


def test_roboflow_and_ultralytics(roboflow: Path, convert):
    found = convert("yolo", roboflow)
    assert found.boxes("train") == {f"train/images/{name}.jpg": [IN_PIXELS] for name in "abc"}
    assert found.boxes("val") == {f"valid/images/{name}.jpg": [IN_PIXELS] for name in "de"}
    assert found.content("val")["categories"] == [{"id": 1, "name": "no"}, {"id": 2, "name": "cat"}]
    assert found.lines == [
        "data.yaml says test: ../test/images, which is not there; left out",
        "train: 3 images, 3 objects (no 0, cat 3)",
        "val: 2 images, 2 objects (no 0, cat 2)",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ("path: /content/set", "train: train/images", "val: [valid/images]", "names: {0: dog, 1: cat}"),
        ("path: ../set", "train: train.txt", "valid: valid", "names:", "  0: dog", "  1: cat"),
        ("train: C:\\data\\train\\images", "val: /home/me/valid/images", "nc: 2", "names: [dog, cat]"),
        ("names: [dog, cat]",),
    ],
)
def test_other_forms_of_data_yaml(roboflow: Path, convert, lines: tuple[str, ...]):
    write_text(roboflow / "data.yaml", *lines)
    write_text(roboflow / "train.txt", "./train/images/a.jpg", "data/train/images/b.jpg", "/x/train/images/c.jpg")
    found = convert("yolo", roboflow / "data.yaml" if "names" not in lines[0] else roboflow)
    assert [len(found.boxes(split)) for split in ("train", "val")] == [3, 2]
    assert found.boxes("val")["valid/images/d.jpg"] == [IN_PIXELS]


def test_darknet_as_cvat_writes_it(tmp_path: Path, convert):
    root = tmp_path / "set"
    for name in "ab":
        write_photo(root / "obj_train_data" / f"{name}.jpg")
        write_text(root / "obj_train_data" / f"{name}.txt", BOX)
    write_text(root / "obj.data", "classes = 2", "train = data/train.txt", "names = data/obj.names", "backup = backup/")
    write_text(root / "obj.names", "dog", "cat")
    write_text(root / "train.txt", "data/obj_train_data/a.jpg", "data/obj_train_data/b.jpg")
    found = convert("yolo", root, "--val", 0.5)
    assert found.boxes("train") | found.boxes("val") == {"a.jpg": [IN_PIXELS], "b.jpg": [IN_PIXELS]}
    assert found.lines[0] == "split by chance, seed 0: 1 photos for training, 1 for validation"


def test_a_folder_without_a_description(tmp_path: Path, convert):
    for split in ("train", "val"):
        write_photo(tmp_path / "set" / "images" / split / "a.jpg")
        write_text(tmp_path / "set" / "labels" / split / "a.txt", BOX)
    found = convert("yolo", tmp_path / "set")
    assert found.boxes("val") == {"val/a.jpg": [("class_1", 40, 15, 60, 35)]}
    assert found.lines[0].startswith("there are no names of classes (data.yaml, classes.txt)")


def test_labels_belong_to_the_photo_as_it_is_shown(tmp_path: Path, convert):
    """EXIF 6: stored 100 x 50, shown 50 x 100, where the box is 20 to 30 by 30 to 70 and its top is stored left."""
    found = convert("yolo", flat(tmp_path / "set", "0 0.5 0.5 0.2 0.4", "0 0.1 0.05 0.2 0.1", orientation=6))
    boxes = found.boxes("train") | found.boxes("val")
    assert boxes["a.jpg"] == [("dog", 30, 20, 70, 30), ("dog", 0, 40, 10, 50)]
    assert any("EXIF" in line and "photo as it is shown, upright" in line for line in found.lines)


def test_polygons_corners_scores_and_repetitions(tmp_path: Path, convert):
    triangle, corners = "0 0.1 0.2 0.3 0.2 0.2 0.6", "1\t0.1\t0.2\t0.3\t0.2\t0.3\t0.6\t0.1\t0.6"
    found = convert("yolo", flat(tmp_path / "set", triangle, corners, f"{BOX} 0.9\r", "", "1,0.5,0.5,0.2,0.4"))
    split = "train" if found.boxes("train").get("a.jpg") else "val"
    assert found.boxes(split)["a.jpg"] == [("dog", 10, 10, 30, 30), ("cat", 10, 10, 30, 30), IN_PIXELS]
    first, second, third = found.content(split)["annotations"]
    assert first["segmentation"] == [[10, 10, 30, 10, 20, 30]] and first["area"] == 200
    assert second["segmentation"] == [[10, 10, 30, 10, 30, 30, 10, 30]] and second["area"] == 400
    assert "segmentation" not in third
    assert any("four corners, taken for a polygon" in line and "a.txt, line 2" in line for line in found.lines)
    assert any("sixth number, taken for a score" in line for line in found.lines)
    assert "label lines that stand twice in a file, counted once: 1 (first: a.txt, line 5)" in found.lines


def test_keypoints_are_left_out_and_said(roboflow: Path, convert):
    write_text(
        roboflow / "data.yaml", "train: train/images", "val: valid/images", "names: [dog, cat]", "kpt_shape: [2, 3]"
    )
    for label in roboflow.glob("*/labels/*.txt"):
        write_text(label, f"{BOX} 0.1 0.2 2 0.3 0.4 1")
    found = convert("yolo", roboflow)
    assert found.boxes("val")["valid/images/d.jpg"] == [IN_PIXELS]
    assert found.lines[0].startswith("label lines with keypoints, of which the box is kept: 5")


def test_boxes_over_the_border_are_cut_and_those_without_area_left_out(tmp_path: Path, convert):
    found = convert("yolo", flat(tmp_path / "set", "0 0.95 0.5 0.2 1.04", "0 0.5 0.5 0 0.5", "0 1.05 0.5 0.02 0.1"))
    boxes = found.boxes("train") | found.boxes("val")
    assert boxes["a.jpg"] == [("dog", 85, 0, 100, 50)]
    assert "objects that reach over the border, cut there: 1 (first: a.jpg)" in found.lines
    assert "objects outside their photo, left out: 1 (first: a.jpg dog)" in found.lines
    assert any("left out 1 without area: a.jpg dog" in line for line in found.lines)


def test_photos_without_labels_and_labels_without_photos_are_counted(tmp_path: Path, convert):
    root = flat(tmp_path / "set", BOX)
    write_photo(root / "images" / "c.jpg")
    write_photo(root / "images" / "._a.jpg")
    write_text(root / "labels" / "lost.txt", BOX)
    found = convert("yolo", root)
    assert "photos without a label file, taken for photos without objects: 1 (first: c.jpg)" in found.lines
    assert "label files without a photo, left out: 1 (first: lost.txt)" in found.lines
    assert len(found.boxes("train")) + len(found.boxes("val")) == 3


def test_photos_of_two_splits_are_said(roboflow: Path, convert):
    (roboflow / "valid" / "images" / "d.jpg").write_bytes((roboflow / "train" / "images" / "b.jpg").read_bytes())
    line = "photos that are in train and in val, so that scores are too good: 1 (first: b.jpg and d.jpg)"
    assert line in convert("yolo", roboflow).lines


def test_one_folder_for_both_splits_can_be_split(roboflow: Path, convert):
    write_text(roboflow / "data.yaml", "train: train/images", "val: train/images", "names: [dog, cat]")
    same = convert("yolo", roboflow)
    assert same.lines[0] == "photos that are in train and in val, so that scores are too good: 3 (first: a.jpg)"
    split = convert("yolo", roboflow, "--val", 0.3)
    assert [len(split.boxes(name)) for name in ("train", "val")] == [2, 1]


def test_copies_of_a_photo_stay_together(tmp_path: Path, convert):
    for photo in "ab":
        for copy in range(3):
            write_photo(tmp_path / "set" / "train" / "images" / f"{photo}_jpg.rf.{copy}f.jpg")
            write_text(tmp_path / "set" / "train" / "labels" / f"{photo}_jpg.rf.{copy}f.txt", BOX)
    found = convert("yolo", tmp_path / "set", "--val", 0.3)
    assert [len({name[0] for name in found.boxes(split)}) for split in ("train", "val")] == [1, 1]
    assert "Roboflow's copies of one photo (.rf.) stay in one split" in found.lines


def test_the_source_is_left_as_it_is_and_a_mistake_writes_nothing(roboflow: Path, convert, refusal):
    before = {path: path.stat().st_mtime_ns for path in roboflow.rglob("*")}
    assert "has a split for validation, of 2 photos; leave out --val" in refusal("yolo", roboflow, "--val", 0.2)
    convert("yolo", roboflow)
    assert {path: path.stat().st_mtime_ns for path in roboflow.rglob("*")} == before


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("2 0.5 0.5 0.1 0.1", "there is no class 2; 2 classes, 0 to 1 have names"),
        ("0 0.5 nan 0.1 0.1", "nan is not a number"),
        ("0 0.5 0.5 -0.1 0.1", "the box has the size -0.1 x 0.1"),
        ("0 320 240 100 80", "320 is not between 0 and 1; YOLO's numbers are parts of the photo, not pixels"),
        ("dog 0.5 0.5 0.1 0.1", "the class dog is not a number"),
        ("0.5 0.5 0.1 0.1 0.1", "the class 0.5 is not a whole number of 0 or more"),
        ("0 0.5 0.5 0.1", "has 4 numbers instead of 5, or a class and at least three points"),
        ("0 0,5 0,5 0,1 0,1", "numbers are written with commas; write points"),
    ],
)
def test_faults_of_labels_are_told_by_file_and_line(tmp_path: Path, refusal, line: str, what: str):
    root = flat(tmp_path / "set", BOX, line, "0 inf 0 0 0")
    file = root / "labels" / "a.txt"
    said = refusal("yolo", root).splitlines()
    assert said[0].startswith(f"error: {file}, line 2: {what}") and said[0].endswith("(the first of 2 faults)")
    assert said[1:] == [f"  {file}, line 3: inf is not a number"]


def described(*lines: str):
    return lambda root: write_text(root / "data.yaml", *lines)


def unreadable_label(root: Path) -> None:
    (root / "train" / "labels" / "a.txt").write_bytes(b"\xff\x00\x81")


def two_of_a_stem(root: Path) -> None:
    write_photo(root / "train" / "images" / "a.png")


def no_labels(root: Path) -> None:
    for path in root.glob("*/labels/*.txt"):
        path.unlink()


def two_descriptions(root: Path) -> None:
    write_text(root / "other.yaml", "names: [a]")
    (root / "data.yaml").rename(root / "one.yaml")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (described("names: [a, b", "train: x"), "data.yaml is broken YAML, line 2"),
        (described(*PLACES, "nc: 3", "names: [a, b]"), "2 names, but says that there are 3 classes"),
        (described(*PLACES, "names: [a, a]"), "the class 'a' stands twice in names"),
        (described(PLACES[1], "names: [a, b]"), "has no photos for training: 2 in val"),
        (described(*PLACES, "names: !!python/object/apply:os.mkdir ['made']"), "there is no class 1; 1 classes"),
        (unreadable_label, "a.txt is not a text file in UTF-8"),
        (lambda root: (root / "train" / "images" / "a.jpg").write_text("no"), "cannot read the image"),
        (two_of_a_stem, "a.txt may belong to a.jpg or a.png; rename"),
        (no_labels, "has no label file (PHOTO.txt) for any of 5 photos"),
        (two_descriptions, "has one.yaml, other.yaml; give one of them"),
    ],
)
def test_faults_of_a_folder(roboflow: Path, refusal, spoil, message: str):
    spoil(roboflow)
    assert message in refusal("yolo", roboflow)


def test_a_byte_order_mark_and_other_encodings(tmp_path: Path, convert):
    root = flat(tmp_path / "set")
    (root / "labels" / "a.txt").write_bytes(b"\xef\xbb\xbf" + BOX.encode() + b"\r\n")
    (root / "labels" / "b.txt").write_bytes(BOX.encode("utf-16"))
    found = convert("yolo", root)
    assert found.boxes("train") | found.boxes("val") == {"a.jpg": [IN_PIXELS], "b.jpg": [IN_PIXELS]}


def test_a_line_of_one_box():
    number, ((left, top), (right, bottom)), note = read_line("3.0 0.5 0.25 0.5 0.5")
    assert (number, left, top, right, bottom, note) == (3, 0.25, 0.0, 0.75, 0.5, "")
    with pytest.raises(ValueError, match="the class inf is not a number"):
        read_line(f"{math.inf} 0 0 0 0")
