import io
import json
import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tradeoffs.data import image_check
from tradeoffs.data.check import check_dataset
from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.faults import Fault, require_sound
from tradeoffs.data.image_check import image_facts
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
        box = changes.get("bbox", [1, 2, 10, 5])
        return {"id": number, "image_id": 1, "category_id": 4, "bbox": box, "area": 50, **changes}

    def add(self, number, **changes):
        self.content["annotations"].append(self.annotation(number, **changes))

    def write(self):
        self.annotations.write_text(json.dumps(self.content))

    def add_masks(self):
        for annotation in self.content["annotations"]:
            annotation.setdefault("segmentation", [[1, 1, 5, 1, 5, 5]])
        self.write()

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
        "error: train.json, annotation 6 of image 77: there is no image of this id",
        "error: train.json, annotation 7 of image 1: there is no category 5",
        "error: train.json, annotation 8 of image 1: the box [1, 2, 3] is not four numbers",
        "error: train.json, annotation 9 of image 1: the box [1, 2, nan, 3] is not four numbers",
        "warning: train.json, annotation 5 of image 1: the box [25, 2, 10, 5] is cut at the border of its image of",
        "warning: train.json: 2 of 6 boxes reach over the border of their image; perhaps they were made on photos of",
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
    assert str(fault).startswith("error: train.json: broken JSON at line 2, column 18 (")


def test_missing_top_level_keys(folder):
    del folder.content["categories"], folder.content["annotations"]
    assert "has no valid annotations, categories" in only(folder.lines())


@pytest.mark.parametrize(
    ("kind", "key", "value", "what"),
    [
        ("images", "width", None, "has no width; it needs a whole number of pixels, 1 or more"),
        ("images", "height", 0, "its height is 0 instead of a whole number of pixels, 1 or more"),
        ("images", "file_name", 5, "its file_name is 5 instead of a text"),
        ("images", "id", 2**63, f"its id is {2**63} instead of a whole number of at most 64 bits"),
        ("images", "id", "a7", "its id is 'a7' instead of a whole number of at most 64 bits"),
        ("annotations", "image_id", 1.0, "its image_id is 1.0 instead of a whole number of at most 64 bits"),
        ("annotations", "category_id", True, "its category_id is True instead of a whole number of at most 64 bits"),
    ],
)
def test_entries_without_what_they_need(folder, kind, key, value, what):
    for entry in folder.content[kind]:
        entry[key] = value
    found = [line for line in folder.lines() if line.startswith("error") and "ids are unique" not in line]
    assert only(found) == f"error: train.json, {kind}[0]: {what} (and 1 more like it)"


def test_ids_of_images_that_stand_twice(folder):
    folder.content["images"][1]["id"] = 1
    folder.content["annotations"][1]["image_id"] = 1
    what = "the id 1 stands 2 times with different content; ids are unique"
    assert only(folder.lines()) == f"error: train.json, images: {what}"


def test_nothing_depends_on_ids_of_annotations(folder):
    """They may be missing, texts, or stand twice; what is left out is found by its place."""
    folder.add(2)
    folder.add("x", bbox=[5, 5, 0, 4])
    folder.add(2**70, bbox=[3, 3, 6, 6], area=36)
    folder.add(2, bbox=[4, 4, 0, 6])
    del folder.content["annotations"][0]["id"]
    warning, *errors = folder.check()
    assert str(warning) == (
        "warning: train.json, annotations: the id 2 stands more than once with different content; all are used, "
        "their ids are not"
    )
    assert [fault.annotation for fault in errors] == [3, 5]
    left_out = require_sound({folder.annotations: [warning, *errors]}, on_fault="drop")
    data = CocoDataset(folder.images, folder.annotations, *left_out[folder.annotations])
    assert data.objects(0).boxes.tolist() == [[1, 2, 11, 7], [1, 2, 11, 7], [3, 3, 9, 9]]
    assert [each["id"] for each in data.ground_truth()["annotations"]] == [1, 2, 3, 4]


def test_an_empty_split(folder):
    folder.content["images"] = folder.content["annotations"] = []
    assert "error: train.json: has no images" in folder.lines()


def test_a_set_without_annotations_is_only_warned_of(folder):
    folder.content["annotations"] = []
    assert {fault.severity for fault in folder.check()} == {"warning"}


UNUSABLE = [
    {"keypoints": [1, 1, 2]},
    {"keypoints": 5},
    {"keypoints": [1, 1, 2, None, 3, 2]},
    {"segmentation": [[1, 1, 5, 1, 5, 5, 2]]},
    {"segmentation": {"size": [30, 20], "counts": [600]}},
    {"segmentation": [1, 1, 5, 1, 5, 5]},
    {"segmentation": [[1, 1, 5, 1, 5, "5"]]},
    {"segmentation": {"size": [20, 30]}},
    {"segmentation": "AAA"},
]


def test_masks_and_keypoints_that_are_asked_for(folder):
    folder.content["categories"][0]["keypoints"] = ["nose", "tail"]
    for number, changes in enumerate(UNUSABLE, 3):
        folder.add(number, **changes)
    folder.add_masks()
    faults = check_dataset(folder.images, folder.annotations, with_masks=True, with_keypoints=True)
    assert [(fault.severity, fault.annotation) for fault in faults] == [("error", 2 + k) for k in range(len(UNUSABLE))]
    assert [fault.what for fault in faults] == [
        "has 3 keypoint numbers; 2 keypoints need 6",
        "its keypoints are 5 instead of a list of numbers",
        "its keypoints are [1, 1, 2, None, 3, 2] instead of a list of numbers",
        "a polygon of its segmentation is no list of x, y, x, y, ...",
        "its mask is of size [30, 20], its image of [20, 30]",
        "its segmentation is neither a list of polygons nor a run-length code",
        "a polygon of its segmentation is no list of x, y, x, y, ...",
        *["its segmentation is neither a list of polygons nor a run-length code"] * 2,
    ]


@pytest.mark.parametrize("segmentation", [None, [], {}])
def test_a_mask_of_each_object_is_needed_where_masks_are_asked_for(folder, segmentation):
    folder.add_masks()
    folder.content["annotations"][1]["segmentation"] = segmentation
    assert folder.check() == []
    fault = only(check_dataset(folder.images, folder.annotations, with_masks=True))
    assert fault.severity == "error" and fault.what.startswith("has no mask (segmentation)") and fault.annotation == 1


def test_masks_and_keypoints_cost_no_box_that_did_not_ask_for_them(folder):
    folder.content["categories"][0]["keypoints"] = ["nose", "tail"]
    for number, changes in enumerate(UNUSABLE, 3):
        folder.add(number, **changes)
    faults = folder.check()
    assert [(fault.severity, fault.more) for fault in faults] == [
        ("warning", 2),
        ("warning", 1),
        ("warning", 0),
        ("warning", 2),
    ]
    left_out = require_sound({folder.annotations: faults}, on_fault="drop")[folder.annotations]
    data = CocoDataset(folder.images, folder.annotations, *left_out, with_masks=False)
    assert data.num_objects == 2 + len(UNUSABLE) and not data.keypoints(0).any()


@pytest.mark.parametrize("segmentation", [None, [], "", {}])
def test_no_mask_is_no_fault(folder, segmentation):
    folder.add(3, segmentation=segmentation)
    assert folder.lines() == []


def test_small_polygons_are_left_out(folder):
    folder.add(3, segmentation=[[1, 1, 5, 1, 5, 5], [1, 1, 2, 2]])
    assert "a polygon with fewer than three points is left out" in only(folder.lines())


@pytest.mark.parametrize(
    ("area", "what"),
    [
        (None, "missing"),
        (0, "0, which is no area"),
        (-1, "-1, which is no area"),
        (float("nan"), "nan, which is no area"),
        ("large", "'large', which is no area"),
        (601, "601, more than its whole image"),
    ],
)
def test_an_area_that_is_none_is_the_boxs(folder, area, what):
    folder.add(3, area=area)
    folder.add(4, area=area)
    expected = f"annotation 3 of image 1: its area is {what}; that of its box is taken (and 1 more like it)"
    assert only(folder.lines()) == f"warning: train.json, {expected}"
    data = CocoDataset(folder.images, folder.annotations)
    assert data.objects(0).areas.tolist() == [50, 50, 50]
    assert [each["area"] for each in data.ground_truth()["annotations"]] == [50] * 4


def boxes_of(folder, *boxes, size=(30, 20)):
    """The folder with these boxes alone; the file of its images is not looked at."""
    for image in folder.content["images"]:
        image["width"], image["height"] = size
    folder.content["annotations"] = [
        folder.annotation(number, bbox=list(box), category_id=(4, 9)[number % 2]) for number, box in enumerate(boxes)
    ]
    return [line for line in folder.lines() if line.startswith(("warning: train.json: ", "error: train.json: "))]


@pytest.mark.parametrize(
    ("boxes", "size", "what"),
    [
        ([(0.1, 0.2, 0.3, 0.3), (0, 0, 1, 1)], (30, 20), "error: train.json: all boxes lie between 0 and 1: they look"),
        (
            [(10, 5, 20, 15), (8, 6, 29, 19)],
            (30, 20),
            "perhaps they are left, top, right, bottom; COCO's are left, top",
        ),
        (
            [(2, 15, 5, 14), (3, 1, 4, 4)],
            (30, 20),
            "1 of 2 boxes reach over the border of their image; perhaps they were",
        ),
        ([(2, 15, 5, 14), (3, 1, 4, 4)], (30, 20), "made on photos turned by 90 degrees"),
        ([(400, 300, 300, 200)] * 3, (480, 480), "perhaps they are thousandths of the image"),
        ([(2000, 300, 1000, 200)] * 3, (2500, 2500), "perhaps they were made on photos of another size"),
        ([(k, k, 10, 20) for k in range(60, 80)], (640, 480), "no box reaches beyond 100: perhaps they are percent"),
        (
            [(k, k, 300, 300) for k in range(600, 620)],
            (4000, 3000),
            "no box reaches beyond 1000: perhaps they are thous",
        ),
    ],
)
def test_boxes_that_are_not_in_pixels(folder, boxes, size, what):
    assert what in only(boxes_of(folder, *boxes, size=size))


@pytest.mark.parametrize("boxes", [[(0, 0, 30, 20)] * 2, [(2, 2, 5, 5), (20, 15, 10, 5)] * 20, [(0.5, 0.5, 1, 2)] * 3])
def test_boxes_in_pixels(folder, boxes):
    assert boxes_of(folder, *boxes) == []


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"hello", "is not an image"),
        (b"", "it is empty"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "it is a HEIC photo, which is not read; save it as JPEG"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"),
        (b"<!DOCTYPE html>", "it is a text, a web page perhaps"),
        (encoded("PNG")[:-40], "cannot be decoded"),
        (encoded("JPEG", (20, 30)), "is 20 x 30 pixels where the annotation file says 30 x 20; one of them was turned"),
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
    assert left_out == {folder.annotations: ({2}, {2, 3})}
    headline, *lines = caplog.messages[-1].splitlines()
    assert headline == f"left out images: 1, annotations: 2; 3 faults in {folder.annotations}:"
    assert lines == [f"  {fault}" for fault in faults] and len(lines) == 3
    data = CocoDataset(folder.images, folder.annotations, *left_out[folder.annotations])
    assert data.image_ids == [1] and data.objects(0).boxes.tolist() == [[1, 2, 11, 7]]


def test_dropping_cannot_mend_everything_and_names_what_it_cannot(folder):
    folder.add(3, bbox=[5, 5, 0, 4])
    folder.content["images"].append({**folder.content["images"][1], "file_name": "a.jpg"})
    folder.content["categories"].append({"id": 9, "name": "wolf"})
    with pytest.raises(UserError) as caught:
        require_sound({folder.annotations: folder.check()}, on_fault="drop")
    what = "train.json, images: the id 2 stands 2 times with different content; ids are unique"
    assert str(caught.value) == (
        "data.on_fault=drop leaves out single images and annotations, which does not mend 2 faults in "
        f"{folder.annotations}: {what}, ...; correct these by hand"
    )
    assert caught.value.details == (
        f"error: {what}",
        f"error: {what.replace('images: the id 2', 'categories: the id 9')}",
    )


def test_of_equal_entries_the_first_is_kept(folder, caplog):
    for entries in folder.content.values():
        entries += [dict(entries[0]), dict(entries[0])]
    folder.add(3, bbox=[5, 5, 0, 4])
    faults = folder.check()
    with pytest.raises(UserError, match="the id 1 stands 3 times with equal content; ids are unique"):
        require_sound({folder.annotations: faults})
    left_out = require_sound({folder.annotations: faults}, on_fault="drop")
    copies, counts = caplog.messages
    assert copies == "warning: train.json, annotations: 2 of 5 repeat an earlier one, id and all, and are left out"
    assert counts.startswith("left out images: 0, annotations: 1, copies: 4 (the first of each is kept); 3 faults in")
    data = CocoDataset(folder.images, folder.annotations, *left_out[folder.annotations])
    assert (data.image_ids, data.category_ids) == ([1, 2], [4, 9])
    assert data.objects(0).boxes.tolist() == [[1, 2, 11, 7]]
    assert [entry["id"] for entry in data.ground_truth()["annotations"]] == [1, 2]


def test_warnings_alone_are_one_line(folder, caplog):
    folder.content["annotations"].pop()
    assert require_sound({folder.annotations: folder.check()}) == {folder.annotations: (frozenset(), frozenset())}
    assert "1 of 2 classes never occur: dog" in only(caplog.messages)


@pytest.fixture
def checked_files(monkeypatch):
    """The files that are opened by a check; none where its verdict is remembered."""
    names = []

    def watched(path, *size):
        names.append(path.name)
        return image_facts(path, *size)

    monkeypatch.setattr(image_check, "image_facts", watched)
    return names


def test_a_verdict_is_remembered_until_the_file_changes(folder, checked_files):
    folder.content["annotations"].pop()
    warning = only(folder.check(cache=True))
    checked_files.clear()
    assert check_dataset(folder.images, folder.annotations) == [warning] and not checked_files
    folder.add(3)
    folder.add(4, bbox=[5, 5, 0, 4])
    assert [fault.severity for fault in folder.check(cache=True)] == ["warning", "error"]
    assert sorted(checked_files) == ["a.jpg", "b.png"]


@pytest.mark.parametrize("below", [False, True])
def test_a_verdict_depends_on_every_file(folder, checked_files, below):
    """In subfolders too, and where a file is overwritten in its place, with its time kept."""
    path = folder.images / "a.jpg"
    if below:
        (folder.images / "cam").mkdir()
        path = path.rename(folder.images / "cam" / "a.jpg")
        folder.content["images"][0]["file_name"] = "cam/a.jpg"
    assert folder.check(cache=True) == []
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(encoded("JPEG", (15, 10)))
    os.utime(path, ns=times)
    for _ in range(2):  # this verdict is remembered as well
        assert "is 15 x 10 pixels" in str(only(check_dataset(folder.images, folder.annotations)))
    assert len(checked_files) == 4
    path.write_bytes(encoded("JPEG"))
    assert check_dataset(folder.images, folder.annotations) == []
    path.unlink()
    assert "no such file" in str(only(check_dataset(folder.images, folder.annotations)))


def test_a_verdict_depends_on_what_is_asked_for(folder):
    folder.add(3, segmentation=[1, 1, 5, 1, 5, 5])
    folder.add_masks()
    assert only(folder.check(cache=True)).severity == "warning"
    assert only(check_dataset(folder.images, folder.annotations, with_masks=True)).severity == "error"


def test_a_damaged_verdict_is_as_good_as_none(folder):
    folder.write()
    file = folder.annotations.parent / ".checked" / "train.json"
    file.parent.mkdir()
    for content in ("", "[]", "{}", '{"state": 1, "names": 2, "faults": 3}'):
        file.write_text(content)
        assert check_dataset(folder.images, folder.annotations) == []


def deep(largest):
    buffer = io.BytesIO()
    Image.fromarray(np.linspace(0, largest, 600).astype(np.uint16).reshape(20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(("largest", "brightest"), [(255, 0), (2**14 - 1, 63), (65535, None)])
def test_photos_of_16_bits_that_would_be_dark(folder, largest, brightest):
    (folder.images / "b.png").write_bytes(deep(largest))
    said = folder.lines()
    assert len(said) == (brightest is not None)
    what = f"1 photos have 16 bits, of which the high byte is read, and there no pixel is brighter than {brightest} of"
    assert all(what in line for line in said)


def test_photos_of_several_pages(folder):
    pages = [Image.new("L", (30, 20), colour) for colour in (0, 255)]
    pages[0].save(folder.images / "b.png", "TIFF", save_all=True, append_images=pages[1:])
    assert "1 photos have several pages, the first is b.png; only the first page" in only(folder.lines())


@pytest.mark.parametrize("size", [(30, 20), (20, 30)])
@pytest.mark.parametrize("orientation", [3, 6])
def test_photos_with_an_orientation(folder, size, orientation):
    """Where the stated size is that of the turned photo alone, boxes are surely not those of the stored pixels."""
    exif = Image.Exif()
    exif[0x112] = orientation
    Image.new("RGB", size).save(folder.images / "a.jpg", exif=exif)
    line = only(folder.lines())
    if size == (30, 20):
        assert line.startswith(
            "warning: train.json: 1 photos with objects have an EXIF orientation, the first is a.jpg ("
        )
    elif orientation == 6:
        assert "its size when its EXIF orientation (6) is followed" in line and line.startswith("error")
    else:
        assert line.startswith("error") and "one of them was turned, or width and height have changed places" in line


@pytest.mark.parametrize(
    ("kind", "key", "line"),
    [
        ("images", "file_name", "warning: train.json: 2 entries stand for one photo, 'a.jpg', which counts each time"),
        ("categories", "name", "warning: train.json: 2 entries are called 'cat'; they are classes of their own"),
    ],
)
def test_entries_that_share_what_should_tell_them_apart(folder, kind, key, line):
    folder.content[kind][1][key] = folder.content[kind][0][key]
    assert only(folder.lines()) == line


@pytest.mark.parametrize("name", ["A.JPG", ".\\a.jpg"])
def test_a_photo_whose_name_is_spelt_otherwise_is_named(folder, name):
    folder.content["images"][0]["file_name"] = name
    assert only(folder.lines()).endswith(
        f"there is no such file, but {folder.images / 'a.jpg'}, whose name is spelt in another way"
    )


@pytest.mark.parametrize("name", ["a\0.jpg", "\ud800.jpg", "a" * 5000, "."])
def test_a_name_that_can_be_no_files_is_one_fault(folder, name):
    folder.content["images"][0]["file_name"] = name
    fault = only(folder.check(cache=True))
    assert fault.severity == "error" and fault.image_id == 1


@pytest.mark.parametrize("text", ['{"images": [{"id": ' + "1" * 5000 + "}]}", "[" * 100_000])
def test_json_without_end(folder, text):
    folder.annotations.write_text(text)
    fault = only(check_dataset(folder.images, folder.annotations))
    assert "holds numbers or brackets without end" in str(fault)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"bbox": [1, 2, 10**400, 5]}, "is not four numbers: left, top, width, height"),
        ({"bbox": None}, "has no box (bbox); it needs four numbers: left, top, width, height"),
        ({"bbox": [0.1, 0.2, 0.3, 0.4], "area": 0.1}, "lies in the first pixel: are its numbers parts of the image"),
        ({"area": 10**400}, "which is no area; that of its box is taken"),
        ({"iscrowd": 2}, "its iscrowd is 2 instead of 0 or 1"),
    ],
)
def test_numbers_that_mean_nothing(folder, change, what):
    folder.add(3, **change)
    line = only(folder.lines())
    assert what in line and len(line) < 250


@pytest.mark.parametrize("names", [17, [1, 2], "nose"])
def test_names_of_keypoints_that_are_none_are_as_good_as_none(folder, names):
    folder.content["categories"][0]["keypoints"] = names
    assert folder.lines() == []
    assert CocoDataset(folder.images, folder.annotations).keypoint_names == []


@pytest.mark.parametrize("value", [[1], "x", 2**70, -5, 1.5, True])
def test_ids_of_annotations_that_are_none_are_counted_anew(folder, value):
    folder.content["annotations"][0]["id"] = value
    assert folder.lines() == []
    truth = CocoDataset(folder.images, folder.annotations).ground_truth()
    assert [each["id"] for each in truth["annotations"]] == [1, 2]


@pytest.mark.parametrize(("key", "value"), [("iscrowd", []), ("iscrowd", "0"), ("iscrowd", float("nan"))])
def test_values_of_the_wrong_kind(folder, key, value):
    folder.add(3, **{key: value})
    assert f"its {key}" in only(folder.lines())


def test_null_is_as_good_as_nothing(folder):
    folder.add(3, iscrowd=None, keypoints=None, segmentation=None)
    assert folder.lines() == []
    assert CocoDataset(folder.images, folder.annotations).ground_truth()["annotations"][2]["iscrowd"] == 0


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
