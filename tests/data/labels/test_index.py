import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tradeoffs.data.check import check_dataset
from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.faults import require_sound
from tradeoffs.data.labels.index import index_folder, index_place, listing
from tradeoffs.errors import UserError

CLASSES = ("cat/a.png", "cat/b.png", "dog/c.png", "dog/d.png")


@pytest.fixture
def root(put) -> Path:
    return put(*(f"{split}/{name}" for split in ("train", "val") for name in CLASSES))


def index(root: Path, val: float = 0.2, seed: int = 0) -> Path:
    return index_folder(root, root.parent / "cache", val, seed)


def names(root: Path, split: str = "train") -> list[str]:
    return list(CocoDataset(root, index(root) / f"{split}.json").file_names)


def test_a_label_is_a_box_around_the_whole_image(root: Path):
    content = json.loads((index(root) / "train.json").read_text())
    assert content["images"][3] == {"id": 4, "file_name": "train/dog/d.png", "width": 8, "height": 6}
    thing = {"id": 4, "image_id": 4, "category_id": 2, "bbox": [0, 0, 8, 6], "area": 48, "iscrowd": 0}
    assert content["annotations"][3] == thing
    assert content["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert [len(content[kind]) for kind in ("images", "annotations")] == [4, 4]
    assert check_dataset(root, index(root) / "train.json") == []


def test_the_stored_size_of_grey_and_turned_photos_is_taken(root: Path):
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(np.zeros((5, 9), np.uint16)).save(root / "val/cat/a.png")
    Image.new("L", (9, 7)).save(root / "val/cat/b.jpg", exif=exif)
    data = CocoDataset(root, index(root) / "val.json")
    assert data.sizes[:3].tolist() == [[5, 9], [7, 9], [6, 8]]
    assert data.objects(1).boxes.tolist() == [[0, 0, 9, 7]] and data.read_image(1).shape == (3, 7, 9)


def test_words_are_the_names_of_classes(root: Path):
    (root / "words.txt").write_text("cat\tpuss, kitty\n")
    assert CocoDataset(root, index(root) / "val.json").class_names == ["puss", "dog"]


def test_nothing_is_written_while_nothing_changes(root: Path):
    folder = index(root)
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    (root / "notes.md").touch()
    assert index(root) == folder and {file: file.stat().st_mtime_ns for file in folder.iterdir()} == before
    assert sorted(file.name for file in before) == ["listing.sha256", "train.json", "val.json"]
    assert sorted(path.name for path in root.iterdir()) == ["notes.md", "train", "val"]


def test_files_that_come_go_or_change_are_noticed(root: Path, put):
    assert names(root)[0] == "train/cat/a.png"
    put("train/cat/0.png")
    assert names(root)[0] == "train/cat/0.png"
    (root / "train/cat/0.png").unlink()
    assert names(root)[0] == "train/cat/a.png"
    Image.new("RGB", (4, 4)).save(root / "train/cat/a.png")
    assert CocoDataset(root, index(root) / "train.json").sizes[0].tolist() == [4, 4]


def test_a_list_of_the_same_length_is_read_again(root: Path):
    (root / "train.txt").write_text("train/cat/a.png cat\ntrain/dog/c.png dog\n")
    assert names(root) == ["train/cat/a.png", "train/dog/c.png"]
    (root / "train.txt").write_text("train/cat/b.png cat\ntrain/dog/c.png dog\n")
    os.utime(root / "train.txt", (1, 1))
    assert names(root) == ["train/cat/b.png", "train/dog/c.png"]


def test_an_index_that_was_not_finished_is_written_again(root: Path, monkeypatch: pytest.MonkeyPatch):
    folder = index(root)
    (root / "val/cat/a.png").unlink()
    with monkeypatch.context() as broken:
        broken.setattr("tradeoffs.data.labels.index.readable", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            index(root)
    assert not (folder / "listing.sha256").exists()
    assert names(root, "val")[0] == "val/cat/b.png"


def test_each_folder_and_each_setting_has_a_place_of_its_own(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    places = [
        index_place(tmp_path / name, tmp_path / "cache", val, seed)
        for name, val, seed in (("photos", 0.2, 0), ("photos", 0.3, 0), ("photos", 0.2, 1), ("others", 0.2, 0))
    ]
    assert len(set(places)) == 4 and all(place.parent == tmp_path / "cache" for place in places)
    assert places[0].name.startswith("photos-labels-")
    assert index_place(tmp_path / "others/../photos", tmp_path / "cache", 0.2, 0) == places[0]


def test_images_that_cannot_be_read_are_faults_to_stop_at_or_to_drop(root: Path):
    (root / "train/cat/a.png").write_text("<html>")
    (root / "train/dog/c.png").write_bytes((root / "train/dog/d.png").read_bytes()[:45])  # little more than a header
    file = index(root) / "train.json"
    faults = {file: check_dataset(root, file)}
    assert [(fault.severity, fault.image_id) for fault in faults[file]] == [("error", 1), ("error", 3)]
    assert faults[file][0].what == "it is a text, a web page perhaps, not an image"
    assert faults[file][1].what.startswith("cannot be decoded")
    with pytest.raises(UserError, match=r"2 faults in .*train\.json: .*cat/a\.png"):
        require_sound(faults)
    data = CocoDataset(root, file, *require_sound(faults, "drop")[file])
    assert list(data.file_names) == ["train/cat/b.png", "train/dog/d.png"] and data.num_objects == 2


def test_what_was_left_out_or_taken_for_granted_is_said_once(put, caplog: pytest.LogCaptureFixture):
    root = put(*CLASSES, "loose.png")
    for _ in range(2):
        index(root)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"{root}: images that are in no folder of a class, left out: 1 (first: loose.png)",
        f"{root}: split by chance, seed 0: 2 images for training, 2 for validation",
    ]


def test_hidden_files_are_none(root: Path, put):
    put("train/cat/._a.png", ".thumbs/a.png")
    assert len(listing(root)) == 8


def test_a_folder_without_images(put):
    root = put(**{"train/cat/notes.txt": "none"})
    with pytest.raises(UserError, match=r"data has no images; give the folder that holds those to learn from, with"):
        index(root)
