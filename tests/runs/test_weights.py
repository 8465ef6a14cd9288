"""Which weights are taken, and which are refused."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tradeoffs.errors import UserError
from tradeoffs.runs.weights import find_weights, put_weights, read_weights, require_fitting
from tradeoffs.training.checkpoint_files import SafeCheckpointIO


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Of a model that is one convolution with four outputs."""
    state = {f"model.{name}": tensor for name, tensor in nn.Conv2d(3, 4, 1).state_dict().items()}
    path = tmp_path / "cc" / "checkpoints" / "last.ckpt"
    SafeCheckpointIO().save_checkpoint({"state_dict": state, "class_names": ["cell"], "category_ids": [1]}, path)
    return path


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (["last.ckpt"], "has no checkpoint best.ckpt yet; there is checkpoint=last"),
        (["last.ckpt", "result.json"], "is finished, but has no checkpoint best.ckpt; there is checkpoint=last"),
        ([], "has no checkpoint best.ckpt yet; train it first"),
        (["result.json"], "is finished, but has no checkpoint best.ckpt; train it again with overwrite=true"),
    ],
)
def test_a_run_without_best_weights(checkpoint, files, line):
    run = checkpoint.parents[1]
    if "last.ckpt" not in files:
        checkpoint.unlink()
    if "result.json" in files:
        (run / "result.json").touch()
    with pytest.raises(UserError) as caught:
        find_weights(run, "best")
    assert str(caught.value) == f"{run} {line}"


def test_training_can_go_on_with_the_same_model(checkpoint):
    model = nn.Conv2d(3, 4, 1)
    before = model.weight.clone()
    require_fitting(checkpoint, model)
    assert torch.equal(model.weight, before)
    put_weights(read_weights(checkpoint), model)
    assert not torch.equal(model.weight, before)


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (nn.Conv2d(3, 5, 1), "bias is (4,) there and (5,) in the model"),
        (nn.Conv2d(3, 4, 1, bias=False), "bias is (4,) there and missing in the model"),
    ],
)
def test_training_cannot_go_on_with_another_model(checkpoint, model, fault):
    with pytest.raises(UserError) as caught:
        require_fitting(checkpoint, model)
    keep = "keep the settings of model and backbone, and the classes"
    assert str(caught.value) == f"{checkpoint} is of another model: {fault}; {keep}"


def test_training_cannot_go_on_from_other_files(tmp_path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "weights.pt")
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    with pytest.raises(UserError, match=r"weights\.pt is no checkpoint of a run; give best\.ckpt or last\.ckpt of one"):
        require_fitting(tmp_path / "weights.pt", nn.Conv2d(3, 4, 1))
    with pytest.raises(UserError, match=r"text\.ckpt is cut off or no checkpoint"):
        require_fitting(tmp_path / "text.ckpt", nn.Conv2d(3, 4, 1))
