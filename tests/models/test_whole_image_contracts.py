"""What every YAML of a model for whole images promises, on the cheapest backbone."""

import pytest
import torch
from model_contracts import (
    CLASSES,
    SIZE,
    check_exports,
    check_round_trip,
    check_step,
    check_step_in_bfloat16,
    images,
    make,
    models_of,
)

from tradeoffs.structures import Targets

MODELS = [*models_of("classification"), *models_of("localization")]
LOCALIZERS = models_of("localization")
CHEAP = ("mobilenet", "backbone.width=0.25")


def targets() -> Targets:
    """The main object of each image; in the second one there is nothing to be seen of it."""
    return Targets(label=torch.tensor([0, 2]), boxes=torch.tensor([[[8.0, 8, 60, 70]], [[30.0, 40, 90, 80]]]))


@pytest.fixture(params=MODELS)
def model(request):
    return make(request.param, *CHEAP)


def test_a_step_is_finite_and_reaches_the_backbone(model):
    check_step(model, targets())


def test_a_step_in_bfloat16_is_finite(model):
    check_step_in_bfloat16(model, targets())


def test_a_batch_equals_its_images_one_by_one(model):
    model.eval()
    with torch.no_grad():
        together, alone = model.predict(images()), [model.predict(images()[i : i + 1]) for i in range(2)]
    for name, values in vars(together).items():
        torch.testing.assert_close(torch.cat([getattr(each, name) for each in alone]), values, atol=1e-4, rtol=1e-4)


def test_predictions_are_sorted_and_known(model):
    with torch.no_grad():
        found = model.eval().predict(images())
    assert found.scores.shape == (2, CLASSES)  # all of them, where there are fewer than five
    assert (found.scores.diff(dim=1) <= 0).all() and (found.scores >= 0).all()
    assert all(set(labels) == set(range(CLASSES)) for labels in found.labels.tolist())


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_round_trips(name, tmp_path):
    check_round_trip(make(name, *CHEAP), make(name, *CHEAP), tmp_path / "model.pt")


def test_forward_exports(model, monkeypatch):
    check_exports(model, monkeypatch)


def test_the_last_layers_are_known(model):
    """They learn at a rate of their own."""
    weights = [parameter for parameter in model.heads.parameters() if parameter.ndim > 1]
    assert CLASSES in {len(weight) for weight in weights}
    known = {id(parameter) for parameter in model.parameters()}
    assert all(id(parameter) in known for parameter in model.heads.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_one_batch_can_be_overfit(name):
    model = make(name, *CHEAP)
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(60):
        optimizer.zero_grad()
        sum(model.losses(images(), targets()).values()).backward()
        optimizer.step()
    with torch.no_grad():
        found = model.predict(images())  # in training mode: sixty steps are too few for the averages of batch norm
    assert torch.equal(found.labels[:, 0], targets().label) and (found.scores[:, 0] > 0.9).all()
    if name in LOCALIZERS:
        torch.testing.assert_close(found.boxes[:, 0], targets().boxes[:, 0], atol=0.05 * SIZE, rtol=0)
