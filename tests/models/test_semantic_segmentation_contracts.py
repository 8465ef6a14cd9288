"""What every YAML of a model of semantic segmentation promises, on the cheapest backbone that it takes."""

import copy

import jaxtyping
import pytest
import torch
from model_contracts import (
    CLASSES,
    OTHER_BACKBONE,
    SIZE,
    check_exports,
    check_round_trip,
    check_step,
    check_step_in_bfloat16,
    compare,
    images,
    make,
    models_of,
)

from tradeoffs.structures import IGNORED, Targets

MODELS = models_of("semantic_segmentation")
SMALL = {"mobilenet": ["backbone.width=0.25"], "convnet": ["backbone.channels=[8,16,32]"]}


def make_small(name: str, *overrides: str):
    backbone = OTHER_BACKBONE.get(name, "mobilenet")
    return make(name, backbone, *SMALL[backbone], *overrides)


def targets() -> Targets:
    """The two areas of the first image; the rest is class 0, but for an ignored border."""
    label_map = torch.zeros(2, SIZE, SIZE, dtype=torch.uint8)
    label_map[0, 8:70, 8:60] = 1
    label_map[0, 20:50, 50:90] = 2
    label_map[:, :4] = IGNORED
    return Targets(label_map=label_map)


@pytest.fixture(scope="module", params=MODELS)
def built(request):
    """Built once: that takes longer than a step."""
    return make_small(request.param)


@pytest.fixture
def model(built):
    return copy.deepcopy(built)


def test_a_step_is_finite_and_reaches_the_backbone(model):
    check_step(model, targets())


def test_a_step_in_bfloat16_is_finite(model):
    check_step_in_bfloat16(model, targets())


def test_where_all_is_ignored_nothing_is_lost_or_learned(model):
    model.loss = "cross_entropy_dice"
    losses = model.losses(images(), Targets(label_map=torch.full((2, SIZE, SIZE), IGNORED, dtype=torch.uint8)))
    sum(losses.values()).backward()
    assert len(losses) == 2 and all(value == 0 for value in losses.values())
    assert not any(p.grad.any() for p in model.parameters() if p.grad is not None)  # NaN would be true


def test_a_batch_equals_its_images_one_by_one(model):
    model.eval()
    with torch.no_grad():
        together, alone = model(images()).logits, [model(images()[i : i + 1]).logits for i in range(2)]
    torch.testing.assert_close(torch.cat(alone), together, atol=1e-4, rtol=1e-4)


def test_every_pixel_gets_a_class(model):
    """Of images of any shape."""
    for height, width in ((SIZE, SIZE), (75, 110)):
        with torch.no_grad():
            found = model.eval().predict(images().repeat(1, 1, 1, 2)[..., :height, :width])
        assert found.labels.shape == (2, height, width) and found.labels.dtype == torch.uint8
        assert found.labels.max() < CLASSES


def test_a_checkpoint_round_trips(model, tmp_path):
    check_round_trip(model, copy.deepcopy(model), tmp_path / "model.pt")


def test_forward_compiles_as_one_graph(model, monkeypatch):
    compiled = torch.compile(model.eval(), fullgraph=True, backend="eager")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its checks cannot be compiled
    compare(compiled, model, atol=1e-4)


def test_forward_exports(model, monkeypatch):
    check_exports(model, monkeypatch)


def test_the_last_layers_are_known(model):
    """They learn at a rate of their own."""
    weights = [parameter for parameter in model.heads.parameters() if parameter.ndim > 1]
    assert CLASSES in {len(weight) for weight in weights}
    known = {id(parameter) for parameter in model.parameters()}
    assert all(id(parameter) in known for parameter in model.heads.parameters())


def test_one_batch_can_be_overfit(model):
    truth = targets().label_map
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        sum(model.losses(images(), targets()).values()).backward()
        optimizer.step()
    with torch.no_grad():
        found = model.predict(images())  # in training mode: so few steps are too few for the averages of batch norm
    right = (found.labels == truth)[truth != IGNORED].float().mean()
    assert right > 0.9


@pytest.mark.parametrize("backbone", ["resnet18", "vgg16", "inception_v3"])
@pytest.mark.parametrize("name", sorted(set(MODELS) - OTHER_BACKBONE.keys()))
def test_backbones_of_every_kind_fit(name, backbone):
    """Shapes alone, which cost little."""
    with torch.device("meta"):
        model = make(name, backbone).eval()
        logits = model(torch.empty(1, 3, SIZE, SIZE, dtype=torch.uint8)).logits
    assert logits.shape[:2] == (1, CLASSES)
