"""Whose boxes people are looked at in, from the command line."""

import json
from pathlib import Path

import pytest
import small_runs

from tradeoffs.commands.evaluate import evaluate
from tradeoffs.commands.predict import predict
from tradeoffs.errors import MismatchError, UserError
from tradeoffs.results.record import read_record
from tradeoffs.settings.compose import compose
from tradeoffs.settings.rules import check

EDGES = {"skeleton": [[1, 2], [2, 3], [3, 4], [4, 1]]}
POSE = ("task=pose", "model=simple_baseline", "model.channels=16", "augmentation=person", "epochs=1")


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "pose"
    small_runs.run(photos, folder, *POSE)
    return folder


def evaluated(run: Path, output: Path, *words: str) -> dict:
    config = compose("evaluate", [f"run={run}", "trainer.accelerator=cpu", f"output={output}", *words])
    check(config)
    evaluate(config)
    return read_record(output / "result.json").accuracy


def predicted(run: Path, source: Path, output: Path, *words: str) -> dict:
    config = compose("predict", [f"run={run}", f"source={source}", f"output={output}", "device=cpu", *words])
    check(config)
    predict(config)
    return json.loads((output / "predictions.json").read_text())


def test_boxes_of_a_detector_are_in_the_record(run, photos, tmp_path):
    """The true boxes, but for the last person's, whose joints are all wrong then."""
    annotations = json.loads(small_runs.annotation_file(photos, "val").read_text())["annotations"]
    bright = [each for each in annotations if each["category_id"] == 3]
    file = tmp_path / "found.json"
    file.write_text(json.dumps([{**each, "score": 0.5} for each in bright[:-1]]))
    truth = evaluated(run, tmp_path / "truth")
    given = evaluated(run, tmp_path / "given", f"task.person_boxes={file}")
    assert truth["person_boxes"] == {"source": "truth"} and given["person_boxes"]["source"] == str(file)
    assert len(given["person_boxes"]["hash"]) == 16 and given["num_people"] == truth["num_people"] == len(bright)
    assert given["summary"]["pck"] <= truth["summary"]["pck"]
    results = [json.loads((tmp_path / name / "predictions.json").read_text()) for name in ("truth", "given")]
    assert [len(each) for each in results] == [len(bright), len(bright) - 1]


def test_predictions_in_boxes_of_predict(run, photos, tmp_path):
    whole = predicted(run, photos / "val", tmp_path / "whole")
    assert len(whole["annotations"]) == len(whole["images"]) == small_runs.NUM_VAL
    assert whole["categories"] == [{"id": 3, "name": "bright", "keypoints": small_runs.JOINTS} | EDGES]
    boxes = [{"image_id": 1, "category_id": 3, "bbox": [2, 2, 20, 20], "score": 0.5}] * 3
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps({**whole, "annotations": boxes}))
    given = predicted(run, photos / "val", tmp_path / "given", f"boxes={file}")
    assert [each["image_id"] for each in given["annotations"]] == [1, 1, 1]


def test_other_joints_than_the_models(run, tmp_path):
    fewer = [{**small_runs.CATEGORIES[0], "keypoints": small_runs.JOINTS[:3]}, small_runs.CATEGORIES[1]]
    data = small_runs.write_data(tmp_path / "data", fewer)
    for split in ("train", "val"):
        file = small_runs.annotation_file(data, split)
        content = json.loads(file.read_text())
        for each in content["annotations"]:
            if "keypoints" in each:
                each["keypoints"] = each["keypoints"][:9]
        file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"knows 4 joints .* has 3 joints"):
        evaluated(run, tmp_path / "out", "data=coco_folder", f"data.root={data}")


def test_boxes_are_for_poses_alone(finished_run, run, photos, tmp_path):
    with pytest.raises(MismatchError, match="boxes= are for networks that find the joints"):
        predicted(finished_run, photos / "val", tmp_path / "out", f"boxes={small_runs.annotation_file(photos, 'val')}")
    with pytest.raises(MismatchError, match="has 2 numbers, but data=coco_folder 4 joints"):
        evaluated(run, tmp_path / "sigmas", "task.sigmas=[0.1,0.1]")
