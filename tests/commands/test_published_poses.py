"""torchvision's Keypoint R-CNN as a run: loaded, refused for other joints, trained further. Weights are random."""

from pathlib import Path

import pytest
import small_runs
import torch
from omegaconf import DictConfig
from torch import nn
from torchvision.models import get_model

import tradeoffs
from tradeoffs.commands.evaluate import evaluate
from tradeoffs.errors import UserError
from tradeoffs.metrics.oks import keypoints_only
from tradeoffs.runs.build import build_model
from tradeoffs.runs.published_files import skeleton
from tradeoffs.runs.weights import start_from_published
from tradeoffs.settings.compose import compose
from tradeoffs.settings.published import make_published_run
from tradeoffs.settings.rules import check

NETWORK = "keypointrcnn_resnet50_fpn"


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    torch.manual_seed(0)
    return get_model(NETWORK, weights=None, weights_backbone=None)


@pytest.fixture(scope="module")
def file(theirs, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "keypoint_rcnn.pth"
    torch.save({name: tensor.half() for name, tensor in theirs.state_dict().items()}, path)
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Published runs are made where they are asked for."""
    monkeypatch.chdir(tmp_path)


def settings(file: Path) -> DictConfig:
    config = compose("train", ["task=pose", "model=keypoint_rcnn", "weights=coco", f"weights.file={file}"])
    check(config)
    return config


def test_it_is_a_run_that_finds_people(file, photos):
    model = tradeoffs.load("coco/keypoint_rcnn", checkpoint=str(file), device="cpu", min_score=0.0, image_size=64)
    model.network.max_detections = 3
    found = model(photos / "val" / "1.png")
    assert set(found.names) == {"person"} and found.people.keypoints.shape == (len(found), 17, 3)
    assert model.skeleton.names[5:7] == ["left_shoulder", "right_shoulder"] and model.category_ids == [1]


def test_its_skeleton_is_cocos(real_data):
    from tradeoffs.data.coco import CocoDataset

    folder = real_data / "coco"
    data = CocoDataset(folder / "val2017", folder / "annotations" / "person_keypoints_val2017.json", with_masks=False)
    own = skeleton(NETWORK)
    assert own.names == data.skeleton.names and sorted(own.edges) == sorted(data.skeleton.edges)
    assert (own.category_id, own.category_name) == (data.skeleton.category_id, data.skeleton.category_name)
    assert keypoints_only(data.ground_truth(), own.category_id)["annotations"]


def test_coco_is_read_with_joints(tmp_path):
    run = make_published_run("coco/keypoint_rcnn", tmp_path)
    config = compose("evaluate", [f"run={run}"])
    assert config.data.source.kind == "person_keypoints" and config.resize == "torchvision"
    assert compose("train", ["data=coco"]).data.source.kind == "instances"


def test_data_with_other_joints(file, photos):
    with pytest.raises(UserError, match=r"knows 17 joints \(nose, .* has 4 joints \(left_top"):
        words = ["run=coco/keypoint_rcnn", f"checkpoint={file}", "data=coco_folder", f"data.root={photos}"]
        evaluate(compose("evaluate", words))


def test_training_keeps_what_it_knows(theirs, file):
    """Of joints that COCO has the outputs, of others all but these; a person is found as before."""
    config = settings(file)
    predictor = theirs.roi_heads.keypoint_predictor.kps_score_lowres
    network = build_model(config, 2)
    said = start_from_published(config, network, ["right_ankle", "nose"])
    assert said.endswith("the outputs of its joints are kept, by name")
    kept = network.keypoint_head[-1]
    assert torch.allclose(kept.weight, predictor.weight[:, [16, 0]], atol=1e-3)
    network = build_model(config, len(small_runs.JOINTS))
    before = network.keypoint_head[-1].weight.clone()
    said = start_from_published(config, network, small_runs.JOINTS)
    assert "the layers of the joints are new, since COCO does not have left_top, right_top, right_bottom, ..." in said
    assert torch.equal(network.keypoint_head[-1].weight, before)
    score = theirs.roi_heads.box_predictor.cls_score.weight
    assert torch.allclose(network.classes.weight, score[[1, 0]], atol=1e-3)
