"""`upsampling=NAME`: it lies over the model's own, names the run, and is refused where there is none."""

import pytest
from omegaconf import OmegaConf

from tradeoffs.errors import MismatchError, UserError
from tradeoffs.settings.compose import CONF, compose
from tradeoffs.settings.help_text import usage
from tradeoffs.settings.rules import check_upsampling
from tradeoffs.settings.values import check_values


def test_it_lies_over_the_models_own():
    config = compose("train", ["model=unet", "upsampling=nearest", "backbone=resnet18"])
    assert config.model.upsampling == {"_target_": "tradeoffs.ops.upsampling.Nearest", "_partial_": True}
    assert config.name == "model=unet,backbone=resnet18,upsampling=nearest"
    default = compose("train", ["model=unet"])
    assert default.model.upsampling._target_.endswith(".TransposedConvolution") and default.name == "model=unet"


@pytest.mark.parametrize("choice", sorted(file.stem for file in (CONF / "upsampling").glob("*.yaml")))
def test_choices_differ_in_their_class_alone(choice):
    """Or what one says would stay below another."""
    assert OmegaConf.load(CONF / "upsampling" / f"{choice}.yaml").keys() == {"_target_", "_partial_"}


def test_a_model_without_one_refuses_it():
    config = compose("train", ["model=ssd", "upsampling=nearest"])
    with pytest.raises(MismatchError, match="upsampling= is for models that upsample: deconvnet, fcn, unet; leave it"):
        check_upsampling(config, CONF)
    with pytest.raises(UserError, match="upsampling=nearst is unknown; did you mean nearest"):
        compose("train", ["model=unet", "upsampling=nearst"])


def test_help_shows_the_choices():
    text = usage("train", CONF, ["model=unet", "upsampling=bilinear"])
    assert "bilinear*" in text and "Pixels are mixed by their distance." in text


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["model=unet", "model.loss=binary_cross_entropy"], "model.loss is one of cross_entropy, dice, cross_entropy_"),
        (["model=classifier", "model.loss=dice"], "model.loss is one of cross_entropy, binary_cross_entropy"),
        (["model=fcn", "model.stride=4"], "model.stride is one of 8, 16, 32"),
        (["model=unet", "model.overlap=1"], "model.overlap is a number from 0 to 0.9"),
    ],
)
def test_settings_of_one_name_differ_from_task_to_task(words, line):
    with pytest.raises(UserError, match=line):
        check_values(compose("train", words))
