import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import UserError
from tradeoffs.models.detection.rfcn import RFCN, hardest, region_losses
from tradeoffs.models.detection.two_stage import Samples
from tradeoffs.runs.build import build_model
from tradeoffs.settings.compose import compose
from tradeoffs.structures import Targets

SIZE, CLASSES = 64, 3


@pytest.fixture
def model():
    """On five small convolutions; the last one keeps the stride of 16."""
    torch.manual_seed(0)
    channels = (4, 8, 8, 16, 16)
    layers = [
        nn.Sequential(nn.Conv2d(before, after, 3, stride=1 if k == 4 else 2, padding=1), nn.ReLU())
        for k, (before, after) in enumerate(zip((3, *channels), channels, strict=False))
    ]
    return RFCN(Backbone(layers, channels, strides=(2, 4, 8, 16, 16)), CLASSES, channels=32, num_proposals=20)


@pytest.fixture
def images():
    return torch.randint(0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def targets():
    return Targets(
        boxes=torch.tensor([[[8.0, 8, 40, 40], [30, 20, 60, 50]], [[4, 10, 30, 60], [0, 0, 0, 0]]]),
        labels=torch.tensor([[0, 2], [1, 0]]),
        valid=torch.tensor([[True, True], [True, False]]),
    )


def moved(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def test_the_hardest_regions_are_kept():
    losses = torch.tensor([[1.0, 5, 3, 4], [9, 1, 2, 8]])
    valid = torch.tensor([[True, True, True, True], [False, True, True, False]])
    assert hardest(losses, valid, 2).tolist() == [[False, True, False, True], [False, True, True, False]]
    assert hardest(losses, valid, 9).equal(valid)
    assert hardest(losses, valid, None).equal(valid)


def test_losses_of_regions_by_hand(targets):
    """A region a tenth of its width left of its object, background, and padding."""
    boxes = torch.tensor([[[4.8, 8, 36.8, 40], [0, 0, 9, 9], [0, 0, 0, 0]]])
    samples = Samples(boxes, torch.tensor([[0, -1, -1]]), torch.tensor([[True, True, False]]))
    logits = torch.tensor([[[0.0, 0, 0, 0], [0, 0, 0, math.log(6)], [0, 0, 0, 0]]])
    localization, classification = region_losses(logits, torch.zeros(1, 3, 1, 4), samples, targets[:1])
    assert_close(localization, torch.tensor([[0.5, 0, 0]]))  # an offset of 10 times 0.1
    assert_close(classification[:, :2], torch.tensor([[math.log(4), math.log(1.5)]]))


def test_only_the_kept_regions_are_trained_on_and_counted(model, images, targets):
    model.sampled, model.localization_weight = 1, 0.0
    output = model(images)
    logits = torch.randn_like(output.logits).requires_grad_()
    losses = model.criterion(output._replace(logits=logits), targets)
    losses["classification"].backward()
    assert ((logits.grad != 0).any(dim=-1).sum(dim=1) == 1).all()
    model.sampled = None
    everything = model.criterion(output._replace(logits=logits), targets)
    assert losses["classification"] > everything["classification"] > 0


def test_objects_are_among_the_regions_that_are_trained_on(model, images, targets):
    """With one proposal of an untrained network, there would be nothing to learn a box from."""
    model.train_proposals = 1
    model.losses(images, targets)["localization"].backward()
    assert moved(model.maps)


def test_both_stages_reach_the_backbone_but_the_second_does_not_reach_the_first(model, images, targets):
    early, last = model.backbone.stages[0], model.backbone.stages[-1]
    losses = model.losses(images, targets)
    assert list(losses) == ["rpn_localization", "rpn_objectness", "localization", "classification"]
    (losses["rpn_localization"] + losses["rpn_objectness"]).backward(retain_graph=True)
    assert moved(early) and moved(model.rpn) and not moved(last)
    model.zero_grad()
    (losses["localization"] + losses["classification"]).backward()
    assert moved(early) and moved(last) and moved(model.maps) and not moved(model.rpn)


def test_weights_scale_the_losses_of_both_stages(model, images, targets):
    def losses(localization, classification):
        model.localization_weight, model.classification_weight = localization, classification
        torch.manual_seed(0)  # which anchors are sampled
        return model.criterion(output, targets)

    model.sampled, output = None, model(images)
    once, scaled = losses(1.0, 1.0), losses(3.0, 0.5)
    assert_close(list(scaled.values()), [once[name] * (3 if "localization" in name else 0.5) for name in once])


def test_all_classes_share_one_box(model, images):
    """The two best classes of a region are detected at the same place."""
    output = model(images)
    assert output.offsets.shape == (2, 20, 1, 4)
    logits = torch.full_like(output.logits, -9.0)
    logits[:, 0, :2], logits[:, 1:, -1] = torch.tensor([1.0, 0.0]), 9.0
    offsets = torch.randn_like(output.offsets)
    found = model.postprocess(output._replace(logits=logits, offsets=offsets), (SIZE, SIZE))
    assert found.valid.sum(dim=1).tolist() == [2, 2]
    assert found.labels[:, :2].tolist() == [[0, 1], [0, 1]]
    assert_close(found.boxes[:, 0], found.boxes[:, 1])


def test_fewer_proposals_are_the_first_of_more(model, images):
    more = model(images)
    model.num_proposals = 5
    for few, cut in zip(model(images), more.limited_to(5), strict=True):
        assert_close(few, cut)


def test_an_untrained_network_calls_regions_background(model, images):
    scores = model(images).logits.softmax(dim=-1)
    assert_close(scores[..., -1], torch.full((2, 20), 0.99), atol=0.005, rtol=0)


def test_heads_learn_and_are_saved_once(model):
    assert {id(p) for p in model.heads.parameters()} < {id(p) for p in model.parameters()}
    assert not any(name.startswith("heads") for name in model.state_dict())


@pytest.mark.parametrize(("backbone", "size"), [("resnet18", 6), ("mobilenet", 6), ("inception_v2", 3), ("vgg16", 3)])
def test_score_maps_have_stride_16_where_the_backbone_can_be_dilated(backbone, size):
    network = build_model(compose("train", ["model=rfcn", f"backbone={backbone}"]), CLASSES).eval()
    with torch.no_grad():
        anchors, maps = network.shared(torch.zeros(1, 3, 96, 96, dtype=torch.uint8))
    assert anchors.anchors.shape == (6 * 6 * 12, 4)
    assert maps.shape[-2:] == (size, size)


def test_numbers_of_the_paper_depend_on_the_backbone():
    """Huang et al. 2017, table 2."""
    chosen = {
        name: compose("train", ["model=rfcn", f"backbone={name}"]).model
        for name in ("mobilenet", "inception_v2", "resnet101", "inception_resnet_v2")
    }
    assert [(model.bins, model.crop_size, model.sampled) for model in chosen.values()] == [
        (3, 12, 128),
        (3, 12, 128),
        (7, 21, 128),
        (7, 21, None),
    ]


def test_a_crop_that_does_not_divide_into_parts_is_refused():
    with pytest.raises(UserError, match=r"model.crop_size=12 .* choose 21"):
        RFCN(Backbone([nn.Identity()] * 2, (3, 3), (1, 1)), CLASSES, bins=7, crop_size=12)
