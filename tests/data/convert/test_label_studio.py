import json
from pathlib import Path

import pytest
from convert_sources import write_photo, write_text


def region(kind: str = "rectanglelabels", labels: tuple[str, ...] = ("cat",), **value) -> dict:
    """By default the pixels 40 to 60 by 15 to 35 of a photo of 100 x 50."""
    value = value or {"x": 40, "y": 30, "width": 20, "height": 40, "rotation": 0}
    size = {"original_width": 100, "original_height": 50, "image_rotation": 0}
    return {"type": kind, "value": value | {kind: list(labels)}, **size}


def task(photo: str, *annotations: dict) -> dict:
    return {"id": 1, "data": {"image": photo}, "annotations": list(annotations)}


def done(*regions: dict, at: str = "2024-01-01", **more) -> dict:
    return {"result": list(regions), "updated_at": at, **more}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    for name in "ab":
        write_photo(root / "images" / f"{name}.jpg")
    return root


def write(root: Path, *tasks: dict) -> None:
    write_text(root / "project-1.json", json.dumps(tasks))


def everything(found) -> dict:
    return found.boxes("train") | found.boxes("val")


def test_percent_become_pixels(photos: Path, convert):
    """The second is turned by 90 degrees about its left top corner (40, 10), and so lies below and left of it."""
    polygon = region("polygonlabels", ("dog",), points=[[10, 20], [30, 20], [20, 60]])
    turned = region(x=40, y=20, width=20, height=20, rotation=90)
    ellipse = region("ellipselabels", ("dog",), x=20, y=40, radiusX=10, radiusY=10)
    brush = region("brushlabels", ("dog",), format="rle", rle=[1])
    write(
        photos,
        task("/data/upload/1/0a1b2c3d-a.jpg", done(region(), turned, polygon, ellipse, brush)),
        task("b.jpg", done()),
    )
    found = convert("label_studio", photos)
    assert everything(found) == {
        "a.jpg": [("cat", 40, 15, 60, 35), ("cat", 30, 10, 40, 30), ("dog", 10, 10, 30, 30), ("dog", 10, 15, 30, 25)],
        "b.jpg": [],
    }
    for start in ("turned boxes", "ellipses", "regions of the kind brushlabels, left out: 1"):
        assert any(line.startswith(start) for line in found.lines)


def test_the_latest_annotation_counts_and_skipped_ones_do_not(photos: Path, convert):
    write_photo(photos / "c.jpg")
    write_photo(photos / "d.jpg")
    write(
        photos,
        task("a.jpg", done(region(labels=("new",)), at="2024-03-01"), done(region(labels=("old",)), at="2024-02-01")),
        task("b.jpg", done(region(), was_cancelled=True, at="2024-04-01"), done(region(labels=("new",)))),
        task("c.jpg", done(region(), was_cancelled=True)),
        task("d.jpg"),
    )
    found = convert("label_studio", photos)
    found_labels = {name: [box[0] for box in boxes] for name, boxes in everything(found).items()}
    assert found_labels == {"a.jpg": ["new"], "b.jpg": ["new"]}
    assert "tasks with several annotations, of which the latest is taken: 1 (first: a.jpg)" in found.lines
    assert "tasks that nobody has annotated or that were skipped, left out: 2 (first: c.jpg)" in found.lines


def test_json_min(photos: Path, convert):
    box = {"x": 40, "y": 30, "width": 20, "height": 40, "rotation": 0, "rectanglelabels": ["cat"]}
    label = [box | {"original_width": 100, "original_height": 50}]
    write(photos, {"image": "/data/local-files/?d=in/a.jpg", "id": 1, "label": label}, {"image": "b.jpg", "id": 2})
    assert everything(convert("label_studio", photos)) == {"a.jpg": [("cat", 40, 15, 60, 35)], "b.jpg": []}


def test_a_shape_and_its_label_may_be_two_entries(photos: Path, convert):
    shape = {"x": 40, "y": 30, "width": 20, "height": 40}
    entries = [{"id": "r", "type": "rectangle", "value": shape}, {"id": "r", **region("labels", **shape)}]
    choice = {"id": "r", "type": "choices", "value": shape | {"choices": ["blurred"]}}
    lonely = {"id": "s", "type": "rectangle", "value": shape}
    write(photos, task("a.jpg", done(*entries, choice, lonely)), task("b.jpg", done()))
    found = convert("label_studio", photos)
    assert everything(found)["a.jpg"] == [("cat", 40, 15, 60, 35)]
    assert any(line.startswith("regions without a label, left out: 1") for line in found.lines)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (region() | {"image_rotation": 90}, "the photo was turned by 90 degrees while it was annotated"),
        (region() | {"original_width": 200}, "is of 200 x 50 pixels, its photo"),
        (region(x="1", y=2, width=3, height=4), "the numbers of a region cannot be read"),
    ],
)
def test_faults(photos: Path, refusal, entry: dict, line: str):
    write(photos, task("a.jpg", done(entry)), task("b.jpg", done()))
    assert line in refusal("label_studio", photos)


def test_a_broken_file_and_photos_elsewhere(photos: Path, refusal):
    write(photos, task("s3://bucket/x.jpg", done(region())))
    assert "has none of the annotated photos of project-1.json; put them beside it" in refusal("label_studio", photos)
    write_text(photos / "project-1.json", '[{"data": {}, "annotations": [')
    assert "broken JSON at line 1" in refusal("label_studio", photos)
