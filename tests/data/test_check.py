import io
import json
import logging
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tradeoffs.data.check import check_dataset
from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.faults import Fault, require_sound
from tradeoffs.errors import UserError


def encoded(file_format, size=(30, 20)):
    pixels = np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format)
    return buffer.getvalue()


class Folder:
    """A sound data set of two images and two classes, whose content a test then spoils."""

    def __init__(self, root):
        self.images, self.annotations = root / "images", root / "annotations" / "train.json"
        self.images.mkdir()
        self.annotations.parent.mkdir()
        names = ["a.jpg", "b.png"]
        (self.images / "a.jpg").write_bytes(encoded("JPEG"))
        (self.images / "b.png").write_bytes(encoded("PNG"))
        self.content = {
            "images": [{"id": 1 + i, "file_name": name, "width": 30, "height": 20} for i, name in enumerate(names)],
            "annotations": [self.annotation(1), self.annotation(2, image_id=2, category_id=9)],
            "categories": [{"id": 4, "name": "cat"}, {"id": 9, "name": "dog"}],
        }

    @staticmethod
    def annotation(number, **changes):
        return {"id": number, "image_id": 1, "category_id": 4, "bbox": [1, 2, 10, 5], **changes}

    def add(self, number, **changes):
        self.content["annotations"].append(self.annotation(number, **changes))

    def write(self):
        self.annotations.write_text(json.dumps(self.content))

    def check(self, cache=False):
        self.write()
        return check_dataset(self.images, self.annotations, cache)

    def lines(self):
        return [str(fault) for fault in self.check()]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def only(lines):
    assert len(lines) == 1, lines
    return lines[0]


def test_a_sound_set_with_gaps_in_its_category_ids_has_no_fault(folder):
    assert folder.lines() == []


def test_all_faults_are_listed_at_once_with_file_and_id(folder):
    folder.add(3, bbox=[5, 5, 0, 4])
    folder.add(4, bbox=[40, 2, 5, 5])
    folder.add(5, bbox=[25, 2, 10, 5])
    folder.add(6, image_id=77)
    folder.add(7, category_id=5)
    folder.add(8, bbox=[1, 2, 3])
    folder.add(9, bbox=[1, 2, float("nan"), 3])
    folder.content["categories"].append({"id": 11, "name": "unicorn"})
    (folder.images / "a.jpg").write_bytes(encoded("JPEG")[:-200])
    (folder.images / "b.png").unlink()
    found = folder.lines()
    expected = [
        "warning: train.json: 1 of 3 classes never occur: unicorn",
        "error: train.json, annotation 3 of image 1: the box [5, 5, 0, 4] has no area",
        "error: train.json, annotation 4 of image 1: the box [40, 2, 5, 5] is outside its image of 30 x 20",
        "warning: train.json, annotation 5 of image 1: the box [25, 2, 10, 5] is cut at the border of its image of",
        "error: train.json, annotation 6 of image 77: there is no image of this id",
        "error: train.json, annotation 7 of image 1: there is no category 5",
        "error: train.json, annotation 8 of image 1: the box [1, 2, 3] is not four numbers",
        "error: train.json, annotation 9 of image 1: the box [1, 2, nan, 3] is not four numbers",
        f"error: {folder.images / 'a.jpg'} (image 1): cannot be decoded: image file is truncated",
        f"error: {folder.images / 'b.png'} (image 2): there is no such file",
    ]
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start) and "\n" not in line


def test_missing_folder_and_missing_file_are_both_listed(folder):
    first, second = check_dataset(folder.images / "nowhere", folder.annotations.with_name("none.json"))
    assert "no such image folder" in str(first) and "nowhere" in str(first)
    assert "none.json: cannot be read" in str(second)


def test_broken_json_is_placed(folder):
    folder.annotations.write_text('{"images": [],\n "annotations": [,]}')
    fault = only(check_dataset(folder.images, folder.annotations))
    assert str(fault).startswith(f"error: {folder.annotations}: broken JSON at line 2, column 18 (")


def test_missing_top_level_keys(folder):
    del folder.content["categories"], folder.content["annotations"]
    assert "has no valid annotations, categories" in only(folder.lines())


def test_entries_without_what_they_need(folder):
    del folder.content["images"][1]["width"]
    folder.content["annotations"][0]["category_id"] = "4"
    found = [line for line in folder.lines() if "valid" in line]
    assert found == [
        "error: train.json, images[1]: has no valid width",
        "error: train.json, annotations[0]: has no valid category_id",
    ]


def test_ids_that_stand_twice(folder):
    folder.add(2)
    folder.content["images"][1]["id"] = 1
    folder.content["annotations"][1]["image_id"] = 1
    assert folder.lines() == [
        "error: train.json, images: the id 1 stands 2 times with different content; ids are unique",
        "error: train.json, annotations: the id 2 stands 2 times with different content; ids are unique",
    ]


def test_an_empty_split(folder):
    folder.content["images"] = folder.content["annotations"] = []
    assert "error: train.json: has no images" in folder.lines()


def test_a_set_without_annotations_is_only_warned_of(folder):
    folder.content["annotations"] = []
    assert {fault.severity for fault in folder.check()} == {"warning"}


def test_masks_and_keypoints(folder):
    folder.content["categories"][0]["keypoints"] = ["nose", "tail"]
    folder.add(3, keypoints=[1, 1, 2])
    folder.add(4, keypoints=[1, 1, 2, 3, 3, 2], segmentation=[[1, 1, 5, 1, 5, 5], [1, 1, 2, 2]])
    folder.add(5, segmentation={"size": [30, 20], "counts": [600]})
    folder.add(6, segmentation=[1, 1, 5, 1, 5, 5])
    starts = [line.split("annotation ")[1].split(",")[0] for line in folder.lines()]
    assert starts == [
        "3 of image 1: has 3 keypoint numbers; 2 keypoints need 6",
        "4 of image 1: a polygon with fewer than three points is left out",
        "5 of image 1: its mask is of size [30",
        "6 of image 1: its segmentation is neither a list of polygons nor a run-length code",
    ]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"hello", "is not an image"),
        (b"", "is not an image"),
        (encoded("PNG")[:-40], "cannot be decoded"),
        (encoded("JPEG", (20, 30)), "is 20 x 30 pixels where the annotation file says 30 x 20; annotations must be"),
        (encoded("JPEG", (8, 8)), "is 8 x 8 pixels where the annotation file says 30 x 20"),
    ],
)
def test_spoilt_image_files(folder, data, what):
    (folder.images / "a.jpg").write_bytes(data)
    assert f"a.jpg (image 1): {what}" in only(folder.lines())


@pytest.mark.parametrize("data", [encoded("JPEG") + b"more" * 100, encoded("BMP"), encoded("PNG") + bytes(50)])
def test_whole_files_with_other_ends_are_sound(folder, data):
    (folder.images / "a.jpg").write_bytes(data)
    assert folder.lines() == []


def test_stopping_names_the_first_fault_and_lists_all(folder):
    folder.add(3, bbox=[5, 5, 0, 4])
    folder.add(4, image_id=77)
    faults = folder.check()
    with pytest.raises(UserError) as caught:
        require_sound({folder.annotations: faults})
    start = f"2 faults in {folder.annotations}: train.json, annotation 3 of image 1: the box [5, 5, 0, 4] has no area"
    assert str(caught.value).startswith(start)
    assert caught.value.details == tuple(map(str, faults))


def test_dropping_leaves_out_what_is_faulty_and_lists_it(folder, caplog):
    folder.add(3, bbox=[5, 5, 0, 4])
    folder.add(4, image_id=77)
    (folder.images / "b.png").unlink()
    faults = folder.check()
    with caplog.at_level(logging.WARNING):
        left_out = require_sound({folder.annotations: faults}, on_fault="drop")
    assert left_out == {folder.annotations: ({2}, {3, 4})}
    headline, *lines = only(caplog.messages).splitlines()
    assert headline == f"left out images: 1, annotations: 2; 3 faults in {folder.annotations}:"
    assert lines == [f"  {fault}" for fault in faults] and len(lines) == 3
    data = CocoDataset(folder.images, folder.annotations, *left_out[folder.annotations])
    assert data.image_ids == [1] and data.objects(0).boxes.tolist() == [[1, 2, 11, 7]]


def test_dropping_cannot_mend_everything_and_names_what_it_cannot(folder):
    folder.add(1, bbox=[3, 3, 3, 3])
    folder.add(3, bbox=[5, 5, 0, 4])
    folder.content["images"].append({**folder.content["images"][1], "file_name": "a.jpg"})
    with pytest.raises(UserError) as caught:
        require_sound({folder.annotations: folder.check()}, on_fault="drop")
    what = "train.json, images: the id 2 stands 2 times with different content; ids are unique"
    assert str(caught.value) == (
        "data.on_fault=drop leaves out single images and annotations, which does not mend 2 faults in "
        f"{folder.annotations}: {what}, ...; correct these by hand"
    )
    assert caught.value.details == (
        f"error: {what}",
        f"error: {what.replace('images: the id 2', 'annotations: the id 1')}",
    )


def test_of_equal_entries_the_first_is_kept(folder, caplog):
    for entries in folder.content.values():
        entries += [dict(entries[0]), dict(entries[0])]
    folder.add(3, bbox=[5, 5, 0, 4])
    faults = folder.check()
    with pytest.raises(UserError, match="the id 1 stands 3 times with equal content; ids are unique"):
        require_sound({folder.annotations: faults})
    left_out = require_sound({folder.annotations: faults}, on_fault="drop")
    counts = "left out images: 0, annotations: 1, copies: 6 (the first of each is kept); 4 faults in"
    assert only(caplog.messages).startswith(counts)
    data = CocoDataset(folder.images, folder.annotations, *left_out[folder.annotations])
    assert (data.image_ids, data.category_ids) == ([1, 2], [4, 9])
    assert data.objects(0).boxes.tolist() == [[1, 2, 11, 7]]
    assert [entry["id"] for entry in data.ground_truth()["annotations"]] == [1, 2]


def test_warnings_alone_are_one_line(folder, caplog):
    folder.content["annotations"].pop()
    assert require_sound({folder.annotations: folder.check()}) == {folder.annotations: (frozenset(), frozenset())}
    assert "1 of 2 classes never occur: dog" in only(caplog.messages)


def test_a_verdict_without_errors_is_remembered_until_the_file_changes(folder):
    folder.content["annotations"].pop()
    warning = only(folder.check(cache=True))
    (folder.images / "a.jpg").write_bytes(b"spoilt in place, which only a new check can see")
    assert check_dataset(folder.images, folder.annotations) == [warning]
    folder.add(3)
    assert [fault.severity for fault in folder.check(cache=True)] == ["warning", "error"]


def test_a_verdict_is_forgotten_when_an_image_goes(folder):
    assert folder.check(cache=True) == []
    (folder.images / "a.jpg").unlink()
    assert "no such file" in str(only(check_dataset(folder.images, folder.annotations)))


def test_errors_of_annotations_are_remembered_too(folder):
    """With `data.on_fault=drop` a set is used with its errors, and need not be opened whole each time."""
    folder.add(3, bbox=[5, 5, 0, 4])
    faults = folder.check(cache=True)
    (folder.images / "a.jpg").write_bytes(b"spoilt in place, which only a new check can see")
    assert check_dataset(folder.images, folder.annotations) == faults


def test_a_verdict_that_names_an_image_is_not_remembered(folder):
    (folder.images / "a.jpg").write_bytes(b"spoilt")
    folder.check(cache=True)
    assert not (folder.annotations.parent / ".checked").exists()


@pytest.mark.parametrize(("key", "value"), [("area", "large"), ("iscrowd", []), ("keypoints", 5)])
def test_values_of_the_wrong_kind(folder, key, value):
    folder.add(3, **{key: value})
    assert f"its {key}" in only(folder.lines())


def test_null_is_as_good_as_nothing(folder):
    folder.add(3, area=None, iscrowd=None, keypoints=None)
    assert folder.lines() == []
    truth = CocoDataset(folder.images, folder.annotations).ground_truth()
    assert (truth["annotations"][2]["area"], truth["annotations"][2]["iscrowd"]) == (50, 0)


def test_nothing_is_written_into_a_folder_without_write_permission(folder):
    folder.write()
    folder.annotations.parent.chmod(0o555)
    assert check_dataset(folder.images, folder.annotations) == []
    assert [path.name for path in folder.annotations.parent.iterdir()] == ["train.json"]
    folder.annotations.parent.chmod(0o755)


def test_checking_needs_no_torch():
    code = "import sys, tradeoffs.data.check; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("images", "annotations"),
    [
        ("coco/val2017", "coco/annotations/instances_val2017.json"),
        ("coco/train2017", "coco/annotations/person_keypoints_train2017.json"),
        ("lsp/images", "lsp/person_keypoints_train.json"),
    ],
)
def test_real_sets_are_sound(real_data, images, annotations):
    faults = check_dataset(real_data / images, real_data / annotations, cache=False)
    assert [fault for fault in faults if fault.severity == "error"] == []


def test_a_fault_reads_as_one_line():
    assert str(Fault("error", "file.json, annotation 3", "has no area")) == (
        "error: file.json, annotation 3: has no area"
    )
