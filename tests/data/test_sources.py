import json
import threading
from pathlib import Path

import pytest

from tradeoffs.data import sources
from tradeoffs.data.archives import Split
from tradeoffs.errors import UserError

# Annotations and images of the validation split as they lie in common data sets.
LAYOUTS = [
    ("annotations/val.json", "val"),
    ("annotations/instances_val.json", "images/val"),
    ("annotations/instances_val2017.json", "val2017"),
    ("annotations/instances_val2017.json", "images/val2017"),
    ("val/_annotations.coco.json", "val"),
    ("val.json", "images"),
    ("person_keypoints_val.json", "val"),
]


def make(root: Path, *names: str) -> None:
    """Empty files where a name ends in .json, folders otherwise."""
    for name in names:
        path = root / name
        (path.parent if path.suffix else path).mkdir(parents=True, exist_ok=True)
        if path.suffix:
            path.touch()


@pytest.mark.parametrize(("annotations", "images"), LAYOUTS)
def test_the_usual_places_are_found(tmp_path: Path, annotations: str, images: str):
    make(tmp_path, annotations, images)
    assert sources.coco_folder("val", tmp_path) == (tmp_path / images, tmp_path / annotations)


def test_each_split_has_its_own_place(tmp_path: Path):
    make(tmp_path, *(place.format(split=split) for split in ("train", "val") for place in ("{split}", "{split}.json")))
    assert sources.coco_folder("train", tmp_path) == (tmp_path / "train", tmp_path / "train.json")
    assert sources.coco_folder("val", tmp_path) == (tmp_path / "val", tmp_path / "val.json")


def test_a_place_that_is_given_wins_over_the_usual_ones(tmp_path: Path):
    make(tmp_path, "val", "annotations/val.json", "photos", "labels.json")
    given = sources.coco_folder("val", str(tmp_path), val_images="photos", val_annotations="labels.json")
    assert given == (tmp_path / "photos", tmp_path / "labels.json")


def test_a_split_that_is_not_there_is_said_with_the_places_and_the_remedy(tmp_path: Path):
    make(tmp_path, "annotations/val.json")
    (tmp_path / "annotations" / "val.json").write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(UserError) as caught:
        sources.coco_folder("val", tmp_path)
    line = f"no val images in {tmp_path}: looked for val, val2017, images/val, images/val2017, images"
    hint = "give data.source.val_images=PATH, relative to data.root (. is that folder itself)"
    assert str(caught.value) == f"{line}; {hint}"
    (tmp_path / "annotations" / "val.json").unlink()
    make(tmp_path, "val")
    with pytest.raises(UserError, match=r"no val annotations in .*: looked for annotations/val\.json, .*annotations="):
        sources.coco_folder("val", tmp_path)
    with pytest.raises(UserError, match=r"no val annotations in .*: looked for mine\.json; give"):
        sources.coco_folder("val", tmp_path, val_annotations="mine.json")


def write_flat(root: Path, *names: str, split: str = "train") -> None:
    """An annotation file of images `names`, and an image folder nowhere."""
    images = [{"file_name": name} for name in names]
    (root / f"{split}.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))


def test_photos_in_the_folder_itself_are_found_last(tmp_path: Path):
    write_flat(tmp_path, "lost.jpg", "a.jpg")
    with pytest.raises(UserError, match="no train images"):
        sources.coco_folder("train", tmp_path)
    make(tmp_path, "a.jpg")
    assert sources.coco_folder("train", tmp_path) == (tmp_path, tmp_path / "train.json")
    assert sources.coco_folder("train", tmp_path, train_images=".").images == tmp_path
    with pytest.raises(UserError, match=r"no train images in .*: looked for photos; give"):
        sources.coco_folder("train", tmp_path, train_images="photos")
    make(tmp_path, "images")
    assert sources.coco_folder("train", tmp_path).images == tmp_path / "images"


def test_all_that_a_split_lacks_is_said_at_once(tmp_path: Path):
    with pytest.raises(UserError, match=r"no val images, no val annotations in .*; give .*_images=PATH, .*=PATH, rel"):
        sources.coco_folder("val", tmp_path)


def test_a_split_may_have_another_name(tmp_path: Path):
    make(tmp_path, "images", "annotations/val.json", "annotations/test.json", "trainval", "trainval.json")
    assert sources.coco_folder("val", tmp_path, val_name="test").annotations.name == "test.json"
    assert sources.coco_folder("train", tmp_path, train_name="trainval").images.name == "trainval"


@pytest.mark.parametrize("name", ["valid", "validation", "Validation"])
def test_validation_has_other_names_too(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture):
    make(tmp_path, f"{name}/_annotations.coco.json", "test/_annotations.coco.json")
    assert sources.coco_folder("val", tmp_path) == (tmp_path / name, tmp_path / name / "_annotations.coco.json")
    assert not caplog.text


def test_a_test_split_is_taken_for_want_of_another_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    make(tmp_path, "test/_annotations.coco.json")
    assert sources.coco_folder("val", tmp_path).images == tmp_path / "test"
    assert "has no split for validation; its split test" in caplog.text
    with pytest.raises(UserError, match="no val images, no val annotations in"):
        sources.coco_folder("val", tmp_path, val_name="minival")
    write_flat(tmp_path, "lost.jpg", split="val")
    with pytest.raises(UserError, match="no val images in"):
        sources.coco_folder("val", tmp_path)


def test_a_folder_in_another_format_is_told_what_to_type(tmp_path: Path):
    make(tmp_path, "images/a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.1 0.1")
    with pytest.raises(UserError) as caught:
        sources.coco_folder("train", tmp_path)
    new = f"{tmp_path}_coco"
    assert str(caught.value) == (
        f"no train in COCO format in {tmp_path}, but YOLO text files; type: "
        f"python -m tradeoffs.data.convert yolo {tmp_path} {new} --val 0.2 && "
        f"python train.py data=coco_folder data.root={new}"
    )
    with pytest.raises(UserError, match="no train, no val in COCO format in"):
        sources.require_readable({"_target_": "coco_folder", "root": str(tmp_path)})
    make(tmp_path, "val.json", "val")
    sources.require_readable({"_target_": "coco_folder", "root": str(tmp_path)})


def test_one_file_without_splits_is_told_what_to_type(tmp_path: Path):
    make(tmp_path, "images", "annotations/instances_default.json")
    (tmp_path / "annotations" / "instances_default.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(
        UserError, match=r"no train annotations in .*; give .*or convert the COCO format .*; type: python"
    ):
        sources.coco_folder("train", tmp_path)


@pytest.mark.parametrize(
    ("recipe", "line"),
    [
        ({"num_train": 0}, "num_train=0 is impossible; data.source.num_train is a whole number, 1 or more"),
        ({"num_val": 0}, "num_val=0 is impossible; data.source.num_val is a whole number, 1 or more"),
        ({"seed": -1}, "seed=-1 is impossible; data.source.seed is a whole number, 0 or more"),
    ],
)
def test_impossible_shapes(tmp_path: Path, recipe: dict, line: str):
    with pytest.raises(UserError) as caught:
        sources.shapes("train", tmp_path, **recipe)
    assert str(caught.value) == f"data.source.{line}"
    assert not list(tmp_path.iterdir())


def test_a_root_that_is_no_folder(tmp_path: Path):
    with pytest.raises(UserError, match=r"data\.root=.*nowhere is no folder; give one with"):
        sources.coco_folder("val", tmp_path / "nowhere")


def test_shapes_are_drawn_where_they_are_looked_for(tmp_path: Path):
    recipe = {"num_train": 2, "num_val": 1, "seed": 0}
    train, val = (sources.shapes(split, tmp_path, **recipe) for split in ("train", "val"))
    assert [len(list(split.images.iterdir())) for split in (train, val)] == [2, 1]
    assert train.annotations.is_file() and val.annotations.is_file()


@pytest.mark.parametrize("name", ["coco", "voc"])
def test_one_process_fetches_and_the_others_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    at_work, most = [], []

    def fetch(root: Path, *_, **__) -> dict[str, Split]:
        at_work.append(1)
        threading.Event().wait(0.05)  # long enough for the others to come along
        most.append(len(at_work))
        at_work.pop()
        return {"val": Split(root / "images", root / "val.json")}

    monkeypatch.setattr(sources, f"ensure_{name}", fetch)
    found = []
    source = getattr(sources, name)
    threads = [threading.Thread(target=lambda: found.append(source("val", tmp_path / "new"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(tmp_path / "new" / "images", tmp_path / "new" / "val.json")] * 3
    assert most == [1, 1, 1]


def test_the_kind_of_coco_annotations(tmp_path):
    with pytest.raises(UserError, match=r"data.source.kind=boxes is unknown; choose instances or person_keypoints"):
        sources.coco("val", tmp_path, "boxes")
    (tmp_path / "val2017").mkdir()
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/person_keypoints_val2017.json").write_text("{}")
    source = {"_target_": "tradeoffs.data.sources.coco", "root": str(tmp_path)}
    assert sources.existing_split(source, "val") is None
    found = sources.existing_split(source | {"kind": "person_keypoints"}, "val")
    assert found.annotations.name == "person_keypoints_val2017.json" and found.images == tmp_path / "val2017"
