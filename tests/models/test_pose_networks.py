"""Sizes of the published networks, and what does not fit."""

import pytest
import torch

from tradeoffs.backbones.none import none
from tradeoffs.errors import MismatchError
from tradeoffs.models.pose.hourglass import Hourglass, Residual
from tradeoffs.runs.build import build_model
from tradeoffs.settings.compose import compose
from tradeoffs.settings.rules import check


def millions(model: torch.nn.Module) -> float:
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6


def built(joints: int, *words: str, names: tuple[str, ...] = ()) -> torch.nn.Module:
    with torch.device("meta"):
        return build_model(compose("train", ["task=pose", *words]), joints, names)


@pytest.mark.parametrize(("stacks", "size", "of_port"), [(1, 3.43, 3.59), (2, 6.57, 6.73), (8, 25.43, 25.59)])
def test_hourglasses_have_the_published_size(stacks, size, of_port):
    """That of the authors' code; the well-known port to PyTorch widens already in the stem's second residual."""
    assert millions(Hourglass(none(), 16, stacks=stacks)) == pytest.approx(size, abs=0.005)
    more = [millions(Residual(*widths)) for widths in ((128, 256), (256, 256))]
    less = [millions(Residual(*widths)) for widths in ((128, 128), (128, 256))]
    assert size + sum(more) - sum(less) == pytest.approx(of_port, abs=0.01)


def test_simple_baselines_have_the_published_size():
    """Xiao et al. 2018, their model zoo: 34.0 million with ResNet-50, 53.0 with ResNet-101, for COCO's 17 joints."""
    assert millions(built(17, "backbone=resnet50")) == pytest.approx(34.0, abs=0.05)
    assert millions(built(17, "backbone=resnet101")) == pytest.approx(53.0, abs=0.05)


def test_heatmaps_are_a_quarter_of_the_image():
    images = torch.zeros(1, 3, 128, 128, dtype=torch.uint8)
    for model in (built(5, "backbone=resnet18"), Hourglass(none(), 5, stacks=1, channels=32)):
        model = model.to_empty(device="cpu") if next(model.parameters()).is_meta else model
        with torch.no_grad():
            assert model.eval()(images).heatmaps.shape == (1, 1, 5, 32, 32)


def test_a_model_with_layers_of_its_own_takes_no_backbone_and_others_need_one():
    with pytest.raises(MismatchError, match="give backbone=none"):
        check(compose("train", ["task=pose", "model=hourglass"]))
    with pytest.raises(MismatchError, match="backbone=none is for model=hourglass"):
        check(compose("train", ["task=pose", "backbone=none"]))
    with pytest.raises(MismatchError, match="layers of its own"):
        built(5, "model=hourglass", "backbone=resnet18")


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(MismatchError, match="a multiple of 64"):
        Hourglass(none(), 5, stacks=1, channels=32)(torch.zeros(1, 3, 96, 96, dtype=torch.uint8))


def test_a_network_knows_which_joints_a_mirror_swaps():
    model = build_model(compose("train", ["task=pose", "backbone=resnet18"]), 3, ["left_eye", "nose", "right_eye"])
    assert model.swapped.tolist() == [2, 1, 0] and "swapped" in model.state_dict()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["augmentation=crop"], "augmentation=crop is for whole images"),
        (["resize=letterbox"], "resize=letterbox has no effect on task=pose"),
        (["task.sigmas=[0]"], "task.sigmas=.* is impossible"),
    ],
)
def test_settings_that_mean_nothing_here(words, fault):
    with pytest.raises(Exception, match=fault):
        check(compose("train", ["task=pose", *words]))
    with pytest.raises(MismatchError, match="augmentation=person cuts out people"):
        check(compose("train", ["augmentation=person"]))
