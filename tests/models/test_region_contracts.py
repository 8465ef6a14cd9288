"""What every detector promises whose regions come from outside, on the cheapest backbone."""

import jaxtyping
import pytest
import torch
from model_contracts import (
    CLASSES,
    SIZE,
    check_exports,
    check_round_trip,
    check_step_in_bfloat16,
    compare,
    images,
    make,
    models_of,
)
from torch import nn
from torch.testing import assert_close

from tradeoffs.ops.boxes import iou
from tradeoffs.structures import Regions, Targets

MODELS = models_of("detection", needs="regions")
TARGETS = Targets(
    boxes=torch.tensor([[[8.0, 8, 60, 70], [50, 20, 90, 50]], [[0, 0, 0, 0], [0, 0, 0, 0]]]),
    labels=torch.tensor([[0, 2], [0, 0]]),
    valid=torch.tensor([[True, True], [False, False]]),
)
COUNT, REAL = 24, 20  # rows of regions, and how many are no padding


def regions() -> Regions:
    """Around each object some that overlap it more or less, then some anywhere."""
    generator = torch.Generator().manual_seed(2)
    near = TARGETS.boxes[:1].repeat(2, 4, 1) + 6 * torch.randn(2, 8, 4, generator=generator)
    corners = torch.rand(2, REAL - 8, 2, generator=generator) * 60
    anywhere = torch.cat([corners, corners + 8 + 25 * torch.rand(corners.shape, generator=generator)], dim=2)
    boxes = torch.cat([near, anywhere, torch.zeros(2, COUNT - REAL, 4)], dim=1).clamp(0, SIZE)
    valid = (torch.arange(COUNT) < REAL).expand(2, -1)
    return Regions(boxes, torch.linspace(1, 0, COUNT).expand(2, -1) * valid, valid)


def some(count: int) -> Regions:
    return regions().map(lambda rows: rows[:, :count])


class OfTensors(nn.Module):
    """For graphs whose inputs are tensors."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images, boxes, scores, valid):
        return self.model(images, Regions(boxes, scores, valid))


def tensors() -> tuple:
    return regions().boxes, regions().scores, regions().valid


def build(name: str, *changes: str) -> nn.Module:
    return make(name, "mobilenet", "backbone.width=0.25", *changes)


@pytest.fixture(params=MODELS)
def model(request) -> nn.Module:
    """All layers say something, also those that are learnt after descent."""
    model = build(request.param)
    with torch.no_grad():
        for layer in (model.classes, model.boxes, getattr(model, "svm", model.classes)):
            nn.init.normal_(layer.weight, std=0.1)
    return model


def moved(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def test_there_are_three():
    assert MODELS == ["fast_rcnn", "rcnn", "sppnet"]


def test_a_step_is_finite_and_reaches_what_is_trained(model):
    losses = model.losses(images(), regions(), TARGETS)
    sum(losses.values()).backward()
    assert all(loss.isfinite() and loss.shape == () and loss > 0 for loss in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)
    assert moved(model.classes) and moved(model.heads)
    assert moved(model.backbone.stages[0]) == any(p.requires_grad for p in model.backbone.parameters())
    assert not moved(getattr(model, "svm", nn.Module()))


def test_a_step_in_bfloat16_is_finite(model, monkeypatch):
    check_step_in_bfloat16(OfTargets(model), TARGETS)


class OfTargets(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def losses(self, images, targets):
        return self.model.losses(images, regions(), targets)


@pytest.mark.parametrize("learnt_from", ["no objects", "no regions", "neither"])
def test_losses_are_finite_where_there_is_nothing(model, learnt_from):
    targets = TARGETS[[1, 1]] if learnt_from != "no regions" else TARGETS
    given = regions() if learnt_from == "no objects" else regions().map(torch.zeros_like)
    losses = model.losses(images(), given, targets)
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_nothing_is_found_where_there_are_no_regions(model):
    with torch.no_grad():
        found = model.eval().predict(images(), regions().map(torch.zeros_like))
    assert not found.valid.any()


def test_the_criterion_has_the_names_of_the_losses_and_is_of_all_regions(model):
    model.eval()
    raw = model(images(), regions())
    criterion = model.criterion(raw, TARGETS)
    assert criterion.keys() == model.losses(images(), regions(), TARGETS).keys()
    labels = torch.full((2, COUNT), CLASSES)
    overlaps, which = iou(TARGETS.boxes, regions().boxes).max(dim=1)
    labels[overlaps >= 0.5] = TARGETS.labels.gather(1, which)[overlaps >= 0.5]
    assert (labels < CLASSES).sum() > 2
    expected = nn.functional.cross_entropy(raw.logits[:, :REAL].flatten(0, 1), labels[:, :REAL].flatten())
    assert_close(criterion["classification"], expected)


def test_a_batch_equals_its_images_one_by_one(model):
    model.eval()
    model.score_threshold = 0.0
    with torch.no_grad():
        together = model.predict(images(), regions())
        for i in range(2):
            alone = model.predict(images()[[i]], regions()[[i]])
            assert alone.valid.sum() == together.valid[i].sum() > 0
            assert_close(alone.scores[0, :20], together.scores[i, :20], atol=1e-5, rtol=1e-3)


def test_padding_does_not_matter(model):
    model.eval()
    model.score_threshold = 0.0
    with torch.no_grad():
        padded, exact = (model.predict(images(), some(count)) for count in (COUNT, REAL))
    assert torch.equal(padded.valid, exact.valid)
    assert_close(padded.boxes, exact.boxes, atol=1e-3, rtol=0)
    assert_close(padded.scores, exact.scores, atol=1e-6, rtol=1e-5)


def test_fewer_regions_are_the_first_ones(model):
    model.eval()
    with torch.no_grad():
        limited, given = model(images(), regions()).limited_to(5), model(images(), some(5))
        model.num_proposals = 5
        for ours, same, expected in zip(limited, given, model(images(), regions()), strict=True):
            assert_close(ours, expected, atol=1e-5, rtol=1e-4)
            assert_close(same, expected, atol=1e-5, rtol=1e-4)


def test_training_looks_at_the_first_regions(model):
    model.train_proposals, model.sampled = 8, 100
    model.eval()
    with torch.no_grad():
        few, all_given = (model.losses(images(), given, TARGETS) for given in (some(8), regions()))
    assert_close(few, all_given)


def test_detections_are_sorted_and_inside_the_image(model):
    model.score_threshold = 0.0
    with torch.no_grad():
        found = model.eval().predict(images(), regions())
    boxes = found.boxes[found.valid]
    assert (boxes >= 0).all() and (boxes <= SIZE).all() and found.labels.max() < CLASSES
    assert (found.scores.diff(dim=1)[found.valid[:, 1:]] <= 0).all()


def test_candidates_are_counted(model):
    raw = model.eval()(images(), regions())
    scores = raw.logits.softmax(dim=-1)[:, :REAL, :-1]
    model.score_threshold = scores.median().item()
    assert model.num_candidates(raw).tolist() == (scores > model.score_threshold).sum(dim=(1, 2)).tolist()


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_round_trips(name, tmp_path):
    check_round_trip(build(name), build(name), tmp_path / "model.pt", regions())


def test_forward_compiles_as_one_graph(model, monkeypatch):
    model.eval()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its checks cannot be compiled
    compare(compiled, model, 1e-4, regions())


def test_forward_exports(model, monkeypatch):
    check_exports(OfTensors(model), monkeypatch, *tensors())


# Regions that overlap nothing must be learnt, too. Of random frozen layers only those without norms say something.
EASY = {
    "fast_rcnn": ("mobilenet", "backbone.width=0.25", "model.background_from=0"),
    "rcnn": ("mobilenet", "backbone.width=0.25"),
    "sppnet": ("convnet", "backbone.channels=[16,32,64]", "model.dropout=0", "model.background_from=0"),
}


@pytest.mark.parametrize("name", MODELS)
def test_one_batch_can_be_overfit(name):
    model = make(name, *EASY[name])
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        sum(model.train().losses(images(), regions(), TARGETS).values()).backward()
        optimizer.step()
    with torch.no_grad():
        found = model.predict(images(), regions())  # in training mode, as in test_contracts
    sure = found.valid & (found.scores > 0.5)
    of_object = (found.labels[0][sure[0]][:, None] == TARGETS.labels[0]) & (
        iou(found.boxes[:1, sure[0]], TARGETS.boxes[:1])[0] > 0.5
    )
    assert of_object.any(dim=0).all() and of_object.any(dim=1).all()
    assert not sure[1].any()
