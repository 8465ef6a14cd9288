"""A backbone that comes from a run is built as that run's was."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tradeoffs.errors import UserError
from tradeoffs.runs import build
from tradeoffs.runs.build import padding_of, require_same_backbone
from tradeoffs.settings.compose import compose


@pytest.mark.parametrize(
    ("own", "saved", "expected"),
    [
        ({"padding": None}, {"weights": "pretrained", "padding": None}, {"padding": ""}),
        ({"padding": None}, {"weights": "none", "padding": None}, {}),
        ({"padding": None}, {"weights": "none", "padding": "same"}, {"padding": "same"}),
        ({"padding": "same"}, {"weights": "pretrained", "padding": None}, {}),
        ({"name": "resnet18"}, {"weights": "pretrained", "name": "resnet18"}, {}),
    ],
)
def test_padding_is_that_of_the_weights_which_the_run_began_with(own, saved, expected):
    assert padding_of(OmegaConf.create(own), OmegaConf.create(saved)) == expected


def test_another_backbone_is_refused():
    resnet = OmegaConf.create({"_target_": "a", "name": "resnet50"})
    require_same_backbone(resnet, resnet, Path("runs/x"))
    with pytest.raises(UserError, match="its name is resnet101 and not resnet50"):
        require_same_backbone(resnet, OmegaConf.create({"_target_": "a", "name": "resnet101"}), Path("runs/x"))


def test_none_is_no_run_even_where_one_is_called_so(monkeypatch):
    monkeypatch.setattr(build, "run_or_none", lambda name: pytest.fail(f"{name} was looked up"))
    build.build_backbone(compose("train", ["backbone=resnet18"]))
