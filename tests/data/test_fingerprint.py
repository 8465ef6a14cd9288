"""Equal data have one hash wherever they lie; whatever changes training or scores changes it."""

import json
import os
import shutil
from pathlib import Path

import pytest
from small_runs import annotation_file, write_data

from tradeoffs.data.annotation_file import read_annotation_file
from tradeoffs.data.fingerprint import fingerprint, fingerprint_of


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_data(tmp_path_factory.mktemp("data") / "original")
    content = json.loads(annotation_file(root, "val").read_text())
    first, second, third, *_ = content["annotations"]
    first["segmentation"] = [[1, 2, 30, 2, 30, 40]]
    second["segmentation"] = {"counts": [0, 4096], "size": [64, 80]}
    third["keypoints"] = [1, 2, 2]
    annotation_file(root, "val").write_text(json.dumps(content))
    return root


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    """A copy, in another place and of another time."""
    root = Path(shutil.copytree(original, tmp_path / "copy"))
    for file in root.rglob("*.*"):
        os.utime(file, (1, 1))
    return root


def hash_of(root: Path) -> str:
    return fingerprint(root / "val", annotation_file(root, "val"))


def edit(root: Path, change) -> None:
    file = annotation_file(root, "val")
    content = read_annotation_file(file)
    change(content)
    file.write_text(json.dumps(content))


def as_floats(content: dict) -> None:
    for annotation in content["annotations"]:
        annotation["bbox"] = list(map(float, annotation["bbox"]))
        annotation["segmentation"] = annotation.get("segmentation")
        del annotation["id"]
    content["info"] = {"exported": "today"}


def test_a_copy_is_the_same_data_however_its_json_is_written(original: Path, data: Path):
    assert hash_of(data) == hash_of(original)
    edit(data, as_floats)
    assert hash_of(data) == hash_of(original)


def move_code(content: dict) -> None:
    content["annotations"][4]["segmentation"] = content["annotations"][1].pop("segmentation")


CHANGES = {
    "box": lambda content: content["annotations"][0]["bbox"].__setitem__(2, 25.5),
    "class": lambda content: content["annotations"][0].update(
        category_id=13 - content["annotations"][0]["category_id"]
    ),
    "crowd": lambda content: content["annotations"][0].update(iscrowd=1),
    "area": lambda content: content["annotations"][0].update(area=7),
    "polygon": lambda content: content["annotations"][0]["segmentation"][0].__setitem__(0, 3),
    "code": lambda content: content["annotations"][1]["segmentation"]["counts"].__setitem__(0, 8),
    "moved code": move_code,
    "keypoints": lambda content: content["annotations"][2]["keypoints"].__setitem__(2, 1),
    "broken polygon": lambda content: content["annotations"][0].update(segmentation=[["x"], 3]),
    "one less": lambda content: content["annotations"].pop(),
    "name of a class": lambda content: content["categories"][0].update(name="light"),
    "id of an image": lambda content: content["images"][0].update(id=2**53 + 1),
    "order": lambda content: content["images"].reverse(),
    "size": lambda content: content["images"][0].update(width=70),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_that_matters_changes_it(original: Path, data: Path, change):
    before = hash_of(data)  # so that it is remembered
    edit(data, change)
    assert hash_of(data) != before


def test_photos_count_by_their_size(original: Path, data: Path):
    photo = data / "val" / "1.png"
    content = photo.read_bytes()
    photo.write_bytes(content + b"\0")
    assert hash_of(data) != hash_of(original)
    photo.write_bytes(content)
    assert hash_of(data) == hash_of(original)
    photo.unlink()
    assert hash_of(data) != hash_of(original)
    (data / "val" / "unlisted.png").write_bytes(content)
    photo.write_bytes(content)
    assert hash_of(data) == hash_of(original)


def test_an_annotation_file_of_the_former_date_and_size_is_read_again(original: Path, data: Path):
    file = annotation_file(data, "val")
    before, times = hash_of(data), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_text(file.read_text().replace('"bright"', '"plight"'))
    os.utime(file, ns=times)
    assert hash_of(data) != before


def test_what_is_left_out_belongs_to_it(data: Path):
    source = {"_target_": "tradeoffs.data.sources.coco_folder", "root": str(data)}
    stop, drop = {"source": source, "on_fault": "stop"}, {"source": source, "on_fault": "drop"}
    assert fingerprint_of(stop, "val") == fingerprint_of(drop, "val") == hash_of(data)
    edit(data, lambda content: content["annotations"][0]["bbox"].__setitem__(2, 0))
    assert fingerprint_of(stop, "val") != fingerprint_of(drop, "val")
    shutil.rmtree(data / "val")
    assert fingerprint_of(stop, "val") is None


def test_drawn_data_go_by_their_recipe(tmp_path: Path):
    """Whether they are drawn already or not, and whatever the size of the other split."""
    source = {"_target_": "tradeoffs.data.sources.shapes", "root": str(tmp_path), "num_val": 2, "seed": 0}
    small, large, other = (
        {"source": {**source, **change}} for change in ({"num_train": 3}, {"num_train": 9}, {"seed": 1})
    )
    assert fingerprint_of(small, "val") == fingerprint_of(large, "val") != fingerprint_of(other, "val")
    assert fingerprint_of(small, "train") != fingerprint_of(large, "train")
