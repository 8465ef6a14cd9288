import json
from pathlib import Path

import pytest
from convert_sources import write_photo, write_text

BOX = [40, 15, 20, 20]  # of a photo of 100 x 50
CORNERS = (40, 15, 60, 35)
CLASSES = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]


def write_coco(path: Path, files: dict[str, list[dict]], classes: list[dict] = CLASSES, **size: int) -> None:
    """`files` maps the names of photos to their annotations."""
    size = size or {"width": 100, "height": 50}
    images = [{"id": number, "file_name": name, **size} for number, name in enumerate(files)]
    things = [{"image_id": number, **thing} for number, part in enumerate(files.values()) for thing in part]
    annotations = [{"id": number, **thing} for number, thing in enumerate(things)]
    write_text(path, json.dumps({"images": images, "annotations": annotations, "categories": classes}))


def thing(number: int, **more) -> dict:
    return {"category_id": number, "bbox": BOX, "area": 400, "iscrowd": 0, "segmentation": [], **more}


@pytest.fixture
def cvat(tmp_path: Path) -> Path:
    """One file for all photos, four of them in images/."""
    root = tmp_path / "set"
    for name in "abcd":
        write_photo(root / "images" / f"{name}.jpg")
    write_coco(root / "annotations" / "instances_default.json", {f"{name}.jpg": [thing(2)] for name in "abcd"})
    return root


def rewrite(root: Path, files: dict[str, list[dict]], **more) -> None:
    write_coco(root / "annotations" / "instances_default.json", files, **more)


def everything(found) -> dict:
    return found.boxes("train") | found.boxes("val")


def test_one_file_is_split_by_chance(cvat: Path, convert):
    found = convert("coco", cvat, "--val", 0.25, "--seed", 1)
    assert [len(found.boxes(split)) for split in ("train", "val")] == [3, 1]
    assert everything(found) == {f"{name}.jpg": [("cat", *CORNERS)] for name in "abcd"}
    assert found.lines[0] == "split by chance, seed 1: 3 photos for training, 1 for validation"
    assert found.content("val")["categories"] == CLASSES


def test_the_file_can_be_given(cvat: Path, convert):
    found = convert("coco", cvat / "annotations" / "instances_default.json")
    assert len(everything(found)) == 4


def test_roboflow_without_its_heading(tmp_path: Path, convert):
    """The category 0 is the heading of the others; the splits need not number the others alike."""
    root = tmp_path / "set"
    heading = {"id": 0, "name": "pets", "supercategory": "none"}
    dog, cat = ({"name": name, "supercategory": "pets"} for name in ("dog", "cat"))
    numbered = {"train": (1, 2), "valid": (2, 1), "test": (1, 2)}
    for split, (one, other) in numbered.items():
        write_photo(root / split / f"{split}.jpg")
        classes = [heading, dog | {"id": one}, cat | {"id": other}]
        write_coco(root / split / "_annotations.coco.json", {f"{split}.jpg": [thing(other)]}, classes)
    found = convert("coco", root)
    assert {split: found.boxes(split) for split in ("train", "val", "test")} == {
        split: {f"{folder}/{folder}.jpg": [("cat", *CORNERS)]}
        for split, folder in {"train": "train", "val": "valid", "test": "test"}.items()
    }
    assert found.lines[0] == "the category 0, 'pets', is the heading of the others and never occurs; left out"
    assert "have different categories; classes go by their names" in found.lines[1]
    assert found.content("train")["categories"] == found.content("val")["categories"] == CLASSES


def test_a_class_0_that_is_used_or_no_heading_stays(cvat: Path, convert):
    rewrite(cvat, {"a.jpg": [thing(0)], "b.jpg": []}, classes=[{"id": 0, "name": "dog"}, {"id": 1, "name": "cat"}])
    assert convert("coco", cvat).content("train")["categories"] == CLASSES


def test_label_studio_names_photos_in_its_own_ways(cvat: Path, convert):
    (cvat / "images" / "d.jpg").rename(cvat / "images" / "0123abcd-d.jpg")
    names = [
        "..\\..\\label-studio\\data\\media\\upload\\1\\0123abcd-a.jpg",
        "/data/local-files/?d=photos/b.jpg",
        "https://host/files/c.jpg?token=1",
        "images/d.jpg",
    ]
    rewrite(cvat, {name: [thing(1)] for name in names}, width=0)
    found = convert("coco", cvat)
    assert everything(found) == {f"{name}.jpg": [("dog", *CORNERS)] for name in ("a", "b", "c", "0123abcd-d")}
    assert any(line.startswith("photos found by their name without its folders: 3 (first: ..") for line in found.lines)


def test_photos_of_one_name_are_told_apart_by_folders(cvat: Path, convert, refusal):
    for camera in ("one", "two"):
        write_photo(cvat / "images" / camera / "a.jpg")
    rewrite(cvat, {"one\\a.jpg": [thing(1)], "two/a.jpg": [thing(2)]})
    found = convert("coco", cvat)
    assert everything(found) == {"one/a.jpg": [("dog", *CORNERS)], "two/a.jpg": [("cat", *CORNERS)]}
    assert "photos without annotations, left out: 4 (first: a.jpg)" in found.lines
    rewrite(cvat, {"three/a.jpg": [thing(1)]})
    assert "three/a.jpg may be images/a.jpg or images/one/a.jpg or images/two/a.jpg" in refusal("coco", cvat)


def test_photos_that_lack_are_counted(cvat: Path, convert):
    rewrite(cvat, {"a.jpg": [thing(1)], "lost.jpg": [thing(1)], "b.jpg": []})
    found = convert("coco", cvat)
    assert everything(found) == {"a.jpg": [("dog", *CORNERS)], "b.jpg": []}
    assert "photos that are named but not there, left out with their labels: 1 (first: lost.jpg)" in found.lines


def test_shapes(cvat: Path, convert):
    """A polygon without a box, one without its list, one that is none, and a box that CVAT has turned by 90 degrees."""
    triangle = [10, 10, 30, 10, 20, 30]
    things = [
        {"category_id": 1, "segmentation": [triangle]},
        thing(1, segmentation=triangle),
        thing(2, segmentation=[[1, 2, 3, 4]], iscrowd=1),
        thing(2, bbox=[40, 20, 20, 10], attributes={"rotation": 90.0}),
        thing(1, bbox=[10, 10, 0, 5]),
    ]
    rewrite(cvat, {"a.jpg": things, "b.jpg": [thing(1)]})
    found = convert("coco", cvat)
    split = "train" if "a.jpg" in found.boxes("train") else "val"
    boxes = found.boxes(split)["a.jpg"]
    assert boxes == [("dog", 10, 10, 30, 30), ("dog", *CORNERS), ("cat", *CORNERS), ("cat", 45, 15, 55, 35)]
    first, second, third, *_ = found.content(split)["annotations"]
    assert first["segmentation"] == second["segmentation"] == [triangle] and first["area"] == 200
    assert "segmentation" not in third and third["iscrowd"] == 1 and third["area"] == 400
    assert any(line.startswith("polygons that are none, left out: 1") for line in found.lines)
    assert any(line.startswith("turned boxes, of which the upright box") for line in found.lines)
    assert any("left out 1 without area" in line for line in found.lines)


def test_boxes_of_the_photo_as_it_is_shown(cvat: Path, convert, refusal):
    """EXIF 8: stored 100 x 50, shown 50 x 100: what is at its left top is stored at the right top."""
    write_photo(cvat / "images" / "a.jpg", orientation=8)
    polygon = [[5, 10, 15, 10, 15, 30]]
    rewrite(cvat, {"a.jpg": [thing(1, bbox=[5, 10, 10, 20], segmentation=polygon)]}, width=50, height=100)
    write_photo(cvat / "images" / "b.jpg", (50, 100))
    write_coco(cvat / "val.json", {"b.jpg": []}, width=50, height=100)
    assert "--exif upright turns what was marked" in refusal("coco", cvat)
    found = convert("coco", cvat, "--exif", "upright")
    assert found.boxes("train") == {"a.jpg": [("dog", 70, 5, 90, 15)]}
    assert found.content("train")["annotations"][0]["segmentation"] == [[90, 5, 90, 15, 70, 15]]


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"a.jpg": [thing(3)]}, "annotation 0: there is no category 3"),
        ({"a.jpg": [thing(1, bbox=[1, 2, 3])]}, "annotation 0: the box [1, 2, 3] is not four numbers"),
        ({"a.jpg": [thing(1, bbox=[1, 2, 3, float("nan")])]}, "the box [1, 2, 3, nan] is not four numbers"),
        ({"a.jpg": [], "images/a.jpg": []}, "twice: a.jpg and images/a.jpg"),
        ({"x.jpg": []}, "has none of the photos that instances_default.json names"),
    ],
)
def test_faults(cvat: Path, refusal, files: dict, line: str):
    rewrite(cvat, files)
    assert line in refusal("coco", cvat)


@pytest.mark.parametrize("number", ["7", 7.0, -7])
def test_ids_of_any_kind(cvat: Path, convert, number):
    file = cvat / "annotations" / "instances_default.json"
    content = json.loads(file.read_text())
    content["images"][0]["id"] = content["annotations"][0]["image_id"] = number
    content["categories"][1]["id"] = number
    for annotation in content["annotations"]:
        annotation["category_id"] = number
    write_text(file, json.dumps(content))
    assert everything(convert("coco", cvat)) == {f"{name}.jpg": [("cat", *CORNERS)] for name in "abcd"}


def test_capitals_and_accents_make_no_difference_where_nothing_else_has_the_name(cvat: Path, convert):
    write_photo(cvat / "images" / "e\u0301.jpg")
    rewrite(cvat, {"A.JPG": [thing(2)], "b.jpg": [thing(2)], "\u00e9.jpg": [thing(2)]})
    assert sorted(everything(convert("coco", cvat))) == ["a.jpg", "b.jpg", "e\u0301.jpg"]


def test_boxes_that_can_be_none(cvat: Path, refusal):
    rewrite(cvat, {"a.jpg": [thing(2) | {"bbox": [0.1, 0.2, 0.3, 0.4]}]})
    assert "all boxes lie between 0 and 1; they must be given in pixels" in refusal("coco", cvat)
    rewrite(cvat, {"a.jpg": [thing(2) | {"bbox": [200, 10, 9, 9]}], "b.jpg": []})
    assert "no object with a sound box\n  objects outside their photo, left out: 1 (first: a.jpg cat)" in refusal(
        "coco", cvat
    )
    rewrite(cvat, {"a.jpg": [thing(2, iscrowd="0")]})
    assert "its iscrowd is '0' instead of 0 or 1" in refusal("coco", cvat)
    rewrite(cvat, {"x.jpg": [thing(2)], "y.jpg": [thing(2)]})
    assert "has none of the photos that instances_default.json names\n  photos that are named but" in refusal(
        "coco", cvat
    )


def test_a_photo_of_another_size(cvat: Path, refusal):
    rewrite(cvat, {"a.jpg": [], "b.jpg": []}, width=200, height=100)
    said = refusal("coco", cvat)
    assert "a.jpg in" in said and "is of 200 x 100 pixels, its photo" in said and "of 100 x 50" in said
    assert "(the first of 2 faults)" in said


def test_two_files_for_one_split(cvat: Path, refusal, convert):
    write_coco(cvat / "labels.json", {"a.jpg": []})
    assert "has several annotation files whose names tell no split: " not in refusal("coco", cvat / "labels.json")
    write_coco(cvat / "more.json", {"a.jpg": []})
    (cvat / "annotations" / "instances_default.json").unlink()
    assert "tell no split: labels.json, more.json; leave one there" in refusal("coco", cvat)


def test_a_real_set(real_data: Path, convert):
    """The numbers of COCO's own files, and its crowds' masks."""
    found = convert("coco", real_data / "coco")
    for split in ("train", "val"):
        theirs = json.loads((real_data / "coco" / "annotations" / f"instances_{split}2017.json").read_text())
        ours = found.content(split)
        assert [len(ours["images"]), len(ours["annotations"])] == [len(theirs["images"]), len(theirs["annotations"])]
        assert [c["name"] for c in ours["categories"]] == [c["name"] for c in theirs["categories"]]
        one, other = (
            sorted(str(a["segmentation"]) for a in content["annotations"] if a["iscrowd"]) for content in (ours, theirs)
        )
        assert one == other and one


def test_keypoints_come_along(cvat: Path, convert, refusal):
    classes = [{"id": 2, "name": "cat", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}]
    pose = [50, 20, 2, 0, 0, 0]
    rewrite(cvat, {"a.jpg": [thing(2, keypoints=pose, num_keypoints=9)], "b.jpg": [thing(2)]}, classes=classes)
    found = convert("coco", cvat, "--val", 0.5)
    contents = [found.content(split) for split in ("train", "val")]
    assert all(content["categories"] == [{**classes[0], "id": 1}] for content in contents)
    annotations = [annotation for content in contents for annotation in content["annotations"]]
    assert [(each.get("keypoints"), each.get("num_keypoints")) for each in annotations if "keypoints" in each] == [
        (pose, 1)
    ]
    rewrite(cvat, {"a.jpg": [thing(2, keypoints=pose[:5])]}, classes=classes)
    assert "its keypoints are [50, 20, 2, 0, 0]; they need x, y, visibility of 2" in refusal("coco", cvat)
    rewrite(cvat, {"a.jpg": [thing(2, keypoints=pose)], "b.jpg": []})
    assert "keypoints of a class whose category names none, left out: 1" in "".join(convert("coco", cvat).lines)
