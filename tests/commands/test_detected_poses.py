"""A pose network that looks for people itself, from the command line."""

import json
import os
import shutil
from pathlib import Path

import pytest
import small_runs
import torch
from model_contracts import NARROW

import tradeoffs
from tradeoffs.commands.predict import predict
from tradeoffs.dashboard.pictures import draw
from tradeoffs.dashboard.store import Store
from tradeoffs.errors import MismatchError
from tradeoffs.results.record import read_record
from tradeoffs.settings.compose import compose
from tradeoffs.settings.rules import check
from tradeoffs.settings.usual import with_usual

POSE = ("task=pose", "model=keypoint_rcnn", "augmentation=flip", "epochs=1", "model.score_threshold=0")


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "people"
    narrow = [f"model.{text}" for text in NARROW["keypoint_rcnn"]]
    small_runs.run(photos, folder, *POSE, *narrow, "model.max_detections=10", "measure=true")
    return folder


def test_the_record_says_whose_boxes_and_what_times_are_of(run):
    record = read_record(run / "result.json")
    assert record.accuracy["person_boxes"] == {"source": "model"}
    assert record.accuracy["num_people"] > 0 and 0 <= record.accuracy["summary"]["pck"] <= 1
    assert [row["name"] for row in record.accuracy["per_class"]] == small_runs.JOINTS
    assert record.cost["protocol"]["each_image"] == "a whole image"
    assert record.cost["batches"]["1"]["candidates_per_image"] > 0


def test_people_are_found_in_whole_photos(run, photos, tmp_path, capsys):
    config = compose("predict", [f"run={run}", f"source={photos}/val", f"output={tmp_path}/out", "min_score=0.01"])
    check(config)
    predict(config)
    content = json.loads((tmp_path / "out/predictions.json").read_text())
    assert [each["keypoints"] for each in content["categories"]] == [small_runs.JOINTS]
    sizes = {each["id"]: (each["width"], each["height"]) for each in content["images"]}
    assert len(sizes) == small_runs.NUM_VAL and len(content["annotations"]) > len(sizes)
    for each in content["annotations"]:
        (left, top, width, height), limits = each["bbox"], sizes[each["image_id"]]
        assert left + width <= limits[0] + 1e-3 and top + height <= limits[1] + 1e-3 and each["score"] >= 0.01
        x, y = each["keypoints"][0::3], each["keypoints"][1::3]
        assert min(x) >= left - 1e-2 and max(x) <= left + width + 1 and min(y) >= top - 1e-2
    assert "with a score of 0.01 or more: bright" in capsys.readouterr().out


def test_in_python(run, photos):
    found = tradeoffs.load(run, device="cpu", min_score=0)(photos / "val" / "1.png")
    assert set(found.names) == {"bright"} and found.people.keypoints.shape == (len(found), 4, 3)
    assert torch.equal(found.people.boxes, found.boxes)


def test_the_dashboard_draws_who_is_sure_enough(run, tmp_path):
    run = Path(shutil.copytree(run, tmp_path / "run"))
    file = run / "predictions.json"
    joints = [10, 10, 0.1, 50, 10, 0.1, 50, 50, 0.1, 10, 50, 0.01]  # the last is too faint
    file.write_text(json.dumps([{"image_id": 10, "category_id": 3, "keypoints": joints, "score": 0.6}]))
    store = Store(tmp_path)
    (name,) = store.table().index
    drawn = [draw(store, name, 10, score) for score in (0.5, None, 0.7)]
    assert drawn[0] == drawn[1] != drawn[2]
    joints[-1] = 0.1
    file.write_text(json.dumps([{"image_id": 10, "category_id": 3, "keypoints": joints, "score": 0.6}]))
    os.utime(file, ns=(1, 1))
    assert draw(store, name, 10) != drawn[0]


def test_boxes_are_not_for_it(run, photos, tmp_path):
    boxes = small_runs.annotation_file(photos, "val")
    config = compose("predict", [f"run={run}", f"source={photos}/val", f"output={tmp_path}", f"boxes={boxes}"])
    with pytest.raises(MismatchError, match="is not for this network, which finds people itself; leave it out"):
        predict(config)
    with pytest.raises(MismatchError, match=r"task.person_boxes=.* is not for this model, which finds people itself"):
        check(compose("evaluate", [f"run={run}", f"task.person_boxes={boxes}"]))


def test_what_it_chooses_and_refuses():
    words = with_usual(["task=pose", "model=keypoint_rcnn"])
    assert "augmentation=flip" in words and "image_size=300" in words and "augmentation=person" not in words
    assert "augmentation=person" in with_usual(["task=pose"])
    config = compose("train", ["task=pose", "model=keypoint_rcnn", "resize=shorter_edge"])
    check(config)
    assert "usual" not in config.model and config.model.annotations == ["boxes", "keypoints"]
    with pytest.raises(MismatchError, match="augmentation=person cuts out people by their boxes; for task=pose with"):
        check(compose("train", ["task=pose", "model=keypoint_rcnn", "augmentation=person"]))
    with pytest.raises(MismatchError, match="resize=centre cuts objects away"):
        check(compose("train", ["task=pose", "model=keypoint_rcnn", "resize=centre"]))
