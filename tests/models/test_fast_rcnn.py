import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import MultiScaleRoIAlign, nms
from torchvision_checks import assert_same_detections, first_of, first_of_theirs

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import UserError
from tradeoffs.models.detection import two_stage
from tradeoffs.models.detection.fast_rcnn import FastRCNN, fast_rcnn
from tradeoffs.models.detection.region_head import pyramid_head
from tradeoffs.models.detection.rpn import Proposals
from tradeoffs.models.detection.two_stage import Samples, hard_samples, label_proposals, region_losses, sample
from tradeoffs.runs.build import build_model
from tradeoffs.settings.compose import compose
from tradeoffs.structures import Regions, Targets

SIZE, CLASSES, CHANNELS, WIDTH = 64, 3, 8, 16
TARGETS = Targets(
    boxes=torch.tensor([[[8.0, 8, 40, 40], [30, 20, 60, 50]], [[0, 0, 0, 0], [0, 0, 0, 0]]]),
    labels=torch.tensor([[0, 2], [0, 0]]),
    valid=torch.tensor([[True, True], [False, False]]),
)


def backbone(*strides: int) -> Backbone:
    """A small convolution for each stride."""
    layers, before = [], 1
    for stride in strides:
        layers.append(
            nn.Sequential(nn.Conv2d(3 if before == 1 else CHANNELS, CHANNELS, 3, stride // before, 1), nn.ReLU())
        )
        before = stride
    return Backbone(layers, [CHANNELS] * len(strides), strides)


def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)


def regions(count: int = 30) -> Regions:
    """The second image has fewer; some of the first lie at its objects."""
    generator = torch.Generator().manual_seed(2)
    corners = torch.rand(2, count, 2, generator=generator) * 40
    boxes = torch.cat([corners, corners + 4 + 20 * torch.rand(2, count, 2, generator=generator)], dim=2)
    boxes[0, 5:13] = TARGETS.boxes[0].repeat(4, 1) + 3 * torch.randn(8, 4, generator=generator)
    valid = torch.arange(count) < torch.tensor([[count], [count - 4]])
    return Regions(boxes * valid[..., None], torch.ones(2, count), valid)


@pytest.fixture
def pair() -> tuple[RoIHeads, FastRCNN]:
    """torchvision's second stage on a map of stride 8, and ours with its weights."""
    torch.manual_seed(0)
    pooling = MultiScaleRoIAlign(["0"], 7, 2)
    parts = TwoMLPHead(CHANNELS * 49, WIDTH), FastRCNNPredictor(WIDTH, CLASSES + 1)
    theirs = RoIHeads(pooling, *parts, 0.5, 0.5, 16, 0.25, None, 0.05, 0.4, 20)
    head = pyramid_head(CHANNELS, [8], [WIDTH, WIDTH])
    ours = FastRCNN(backbone(2, 4, 8), None, head, CLASSES, sampled=16, beta=1 / 9, background_from=0.0)
    ours.score_threshold, ours.nms_threshold, ours.max_detections = 0.05, 0.4, 20
    with torch.no_grad():
        for layer in (theirs.box_predictor.cls_score, theirs.box_predictor.bbox_pred):
            layer.weight *= 10
        _, first, _, _, second, *_ = head.linear
        put(first, theirs.box_head.fc6.weight.unflatten(1, (CHANNELS, 7, 7)).permute(0, 2, 3, 1).flatten(1))
        put(second, theirs.box_head.fc7.weight)
        put(ours.classes, theirs.box_predictor.cls_score.weight.roll(-1, dims=0))
        put(ours.boxes, theirs.box_predictor.bbox_pred.weight[4:])
        first.bias.copy_(theirs.box_head.fc6.bias)
        second.bias.copy_(theirs.box_head.fc7.bias)
        ours.classes.bias.copy_(theirs.box_predictor.cls_score.bias.roll(-1))
        ours.boxes.bias.copy_(theirs.box_predictor.bbox_pred.bias[4:])
    return theirs, ours.eval()


def put(layer: nn.Linear, weight: torch.Tensor) -> None:
    layer.weight.copy_(weight)


def given(theirs: RoIHeads, ours: FastRCNN, targets: list | None = None) -> tuple:
    proposals = [boxes[valid] for boxes, valid in zip(regions().boxes, regions().valid, strict=True)]
    return theirs({"0": ours.maps(images())[0]}, proposals, [(SIZE, SIZE)] * 2, targets)


@torch.no_grad()
def test_losses_equal_torchvisions_of_the_same_samples(pair, monkeypatch):
    theirs, ours = pair
    monkeypatch.setattr(BalancedPositiveNegativeSampler, "__call__", first_of_theirs)
    monkeypatch.setattr(two_stage, "balanced", first_of)
    rows = zip(TARGETS.boxes, TARGETS.labels, TARGETS.valid, strict=True)
    _, expected = given(theirs.train(), ours, [{"boxes": b[v], "labels": 1 + n[v]} for b, n, v in rows])
    losses = ours.losses(images(), regions(), TARGETS)
    assert_close(losses["classification"], expected["loss_classifier"])
    assert_close(losses["localization"], expected["loss_box_reg"])
    assert losses["localization"] > 0.01


@torch.no_grad()
def test_detections_equal_torchvisions(pair):
    theirs, ours = pair
    expected, _ = given(theirs.eval(), ours)
    found = ours.predict(images(), regions())
    for row, other in enumerate(expected):
        kept = found.valid[row]
        mine = {
            "boxes": found.boxes[row][kept],
            "scores": found.scores[row][kept],
            "labels": found.labels[row][kept] + 1,
        }
        assert 4 < len(other["scores"]) <= 20
        assert_same_detections(mine, other, 0.05, 0.4)


def test_background_overlaps_an_object_a_little():
    """IoU 0.6, 0.3, 0.05 and 0 with the only object; without the third and fourth there is nothing else to sample."""
    boxes = torch.tensor([[[0.0, 0, 10, 6], [0, 0, 10, 3], [0, 0, 10, 0.5], [50, 50, 60, 60]]])
    target = Targets(torch.tensor([[[0.0, 0, 10, 10]]]), torch.tensor([[1]]), torch.tensor([[True]]))
    labelled = label_proposals(Proposals(boxes, torch.ones(1, 4, dtype=torch.bool)), target, background_from=0.1)
    assert labelled.matches.tolist() == [[0, -1, -2, -2]]
    chosen = sample(labelled, count=4, fraction=0.5)
    assert sorted(chosen.matches[chosen.valid].tolist()) == [-1, 0]
    nothing = sample(Samples(boxes[:, 2:], labelled.matches[:, 2:], labelled.valid[:, 2:]), count=4, fraction=0.5)
    assert not nothing.valid.any()


def network(**settings) -> FastRCNN:
    torch.manual_seed(0)
    return fast_rcnn(backbone(4, 16, 32), CLASSES, fully_connected=[WIDTH, WIDTH], sampled=6, **settings).eval()


def test_the_hardest_regions_that_overlap_little_are_learnt():
    """As torchvision's suppression by loss leaves them."""
    samples = label_proposals(Proposals(regions().boxes, regions().valid), TARGETS)
    losses = torch.rand(2, 30, generator=torch.Generator().manual_seed(3))
    chosen = hard_samples(samples, losses, 20)
    for row, valid in enumerate(samples.valid):
        boxes = samples.boxes[row][valid]
        expected = nms(boxes, losses[row][valid], 0.7)
        assert len(expected) < valid.sum() if row == 0 else len(expected) == valid.sum()
        count = min(20, len(expected))
        assert torch.equal(chosen.boxes[row][:count], boxes[expected[:count]])
        assert torch.equal(chosen.matches[row][:count], samples.matches[row][valid][expected[:count]])
        assert chosen.valid[row].sum() == count


def test_mining_makes_the_loss_that_of_the_hardest():
    model, losses = network(ohem=True), {}
    with torch.no_grad():
        model.classes.weight *= 100
        for sampled in (6, 100):
            model.sampled = sampled
            losses[sampled] = model.losses(images(), regions(), TARGETS)["classification"]
        everything = two_stage.with_truth(Proposals(regions().boxes, regions().valid), TARGETS)
        labelled = label_proposals(everything, TARGETS)
        said = model.second_stage(model.maps(images()), labelled.boxes, (SIZE, SIZE))
        boxes, classes = region_losses(*said, labelled, TARGETS)
    assert losses[6] > losses[100]
    best = (boxes + classes).masked_fill(~labelled.valid, -1).argmax(dim=1)
    model.sampled = 1
    expected = classes[[0, 1], best].mean()
    assert_close(model.losses(images(), regions(), TARGETS)["classification"], expected)


@pytest.mark.parametrize(("rank", "same"), [(WIDTH, True), (8, False)])
def test_only_layers_of_full_rank_say_the_same(rank, same):
    model, exact = network(), network()
    model.compress([rank, rank])
    assert [tuple(layer.weight.shape) for layer in model.head.linear[1]] == [(rank, CHANNELS * 49), (WIDTH, rank)]
    with torch.no_grad():
        difference = model(images(), regions()).logits - exact(images(), regions()).logits
    assert (difference.abs().max() < 1e-6) == same


@pytest.mark.parametrize(
    ("widths", "message"), [([], "no fully connected layers; choose null"), ([8], "the head has 1")]
)
def test_ranks_that_do_not_fit_are_refused(widths, message):
    model = fast_rcnn(backbone(4, 16, 32), CLASSES, fully_connected=widths)
    with pytest.raises(UserError, match=message):
        model.compress([4, 4])


def test_vgg_has_the_layers_of_the_paper():
    with torch.device("meta"):  # no weights
        model = build_model(compose("train", ["model=fast_rcnn", "backbone=vgg16"]), CLASSES)
    assert (model.head.channels, model.head.size, model.backbone.strides[-1]) == (4096, 14, 16)
    assert (model.head.pooling, model.sampled, model.background_from, model.nms_threshold) == ("roi_pool", 64, 0.1, 0.3)


def test_nothing_waits_for_a_gpu_in_forward():
    """No regions are suppressed there."""
    assert not hasattr(FastRCNN, "waits_for_gpu")
