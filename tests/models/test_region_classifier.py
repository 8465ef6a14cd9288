"""R-CNN and SPP-net: how they see regions, and what their parts say before and after they are learnt."""

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.testing import assert_close
from torchvision.ops import roi_pool
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import UserError
from tradeoffs.models.detection import region_svms
from tradeoffs.models.detection.rcnn import RCNN
from tradeoffs.models.detection.region_classifier import RegionClassifier
from tradeoffs.models.detection.sppnet import SPPNet
from tradeoffs.ops.boxes import iou
from tradeoffs.runs.build import build_model
from tradeoffs.settings.compose import compose
from tradeoffs.structures import Batch, Regions, Targets

SIZE, CLASSES, COUNT = 64, 3, 24
MEAN = (0.5, 0.4, 0.25)


def backbone() -> Backbone:
    """Two convolutions with norms, strides 2 and 8."""
    layers = [(3, 8, 2), (8, 16, 4)]
    stages = [
        nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.BatchNorm2d(after), nn.ReLU())
        for before, after, stride in layers
    ]
    return Backbone(stages, (8, 16), (2, 8), mean=MEAN, std=(0.2, 0.2, 0.2))


def rcnn(**settings) -> RCNN:
    torch.manual_seed(0)
    return RCNN(backbone(), CLASSES, crop_size=28, context=2, **settings)


def sppnet(**settings) -> SPPNet:
    torch.manual_seed(0)
    return SPPNet(backbone(), CLASSES, widths=[64, 64], **settings)


@pytest.fixture(params=[rcnn, sppnet])
def make(request):
    return request.param


def batch(seed: int) -> Batch:
    """Two images with a bright object each, a red one of class 0 and a green one of class 1; regions around and off."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 100, (2, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)
    corners = torch.randint(0, 30, (2, 1, 2), generator=generator).float()
    boxes = torch.cat([corners, corners + 24], dim=2)
    for row, (left, top, right, bottom) in enumerate(boxes[:, 0].int().tolist()):
        images[row, row, top:bottom, left:right] += 150
    near = boxes + 3 * torch.randn(2, 8, 4, generator=generator)
    corners = torch.rand(2, COUNT - 8, 2, generator=generator) * 40
    anywhere = torch.cat([corners, corners + 8 + 16 * torch.rand(2, COUNT - 8, 2, generator=generator)], dim=2)
    regions = Regions(torch.cat([near, anywhere], 1), torch.ones(2, COUNT), torch.ones(2, COUNT, dtype=torch.bool))
    targets = Targets(boxes, torch.tensor([[0], [1]]), torch.ones(2, 1, dtype=torch.bool))
    none = torch.zeros(2, 3, dtype=torch.int64)
    return Batch(images, targets, torch.zeros(2, 4), none[:, :2], none[:, 0], none, regions)


BATCHES = [batch(seed) for seed in range(6)]


def learnt(make, monkeypatch, *names: str) -> RegionClassifier:
    """After those stages; a few images need other strengths than a data set."""
    monkeypatch.setattr(region_svms, "COST", 0.1)
    model = make(ridge=1.0, dropout=0.0)
    for name in names:
        model.stages()[name](BATCHES)
    return model


@torch.no_grad()
def said(model: RegionClassifier) -> tuple:
    """Of new images: the output, the scores, the targets."""
    new = batch(99)
    raw = model.eval()(new.images, new.regions)
    return raw, model.scores(raw), new.targets


def test_stages_come_in_order_and_can_be_left_out(make):
    assert list(make().stages()) == ["svms", "box_regression"]
    assert list(make(svms=False).stages()) == ["box_regression"]
    assert list(make(box_regression=False).stages()) == ["svms"]


def test_before_the_stages_the_softmax_speaks_of_regions_as_they_are(make):
    model = make()
    raw, scores, _ = said(model)
    assert_close(scores, raw.logits.softmax(dim=-1)[..., :-1])
    found = model.postprocess(raw, (SIZE, SIZE))
    regions = raw.proposals.clamp(0, SIZE)
    for row in range(2):
        apart = (found.boxes[row][found.valid[row]][:, None] - regions[row]).abs().amax(dim=-1)
        assert apart.amin(dim=1).max() < 1e-3


def test_afterwards_the_machines_do_in_the_order_of_their_margins(make, monkeypatch):
    raw, scores, targets = said(learnt(make, monkeypatch, "svms"))
    assert ((scores > 0) & (scores < 1)).all()
    for label in range(CLASSES):
        order = raw.margins[..., label].flatten().argsort()
        assert (scores[..., label].flatten()[order].diff() >= 0).all()
    overlaps = iou(targets.boxes, raw.proposals)[:, 0]
    for row in range(2):  # which is the object's class, too
        on, off = raw.margins[row, overlaps[row] > 0.7], raw.margins[row, overlaps[row] < 0.1]
        assert on[:, row].mean() > off[:, row].mean() + 0.02
        assert on[:, row].mean() > on[:, 1 - row].mean() + 0.02


def test_boxes_are_refined_when_they_are_learnt(make, monkeypatch):
    """The best box of each image that it has learnt from comes closer to its object, on average."""
    model = learnt(make, monkeypatch, "box_regression").eval()
    assert not model.has_svms
    model.nms_threshold, model.max_detections, gains = 1.0, 3 * COUNT, []
    for known in BATCHES:
        with torch.no_grad():
            found = model.predict(known.images, known.regions)
        before = iou(known.targets.boxes, known.regions.boxes)[:, 0]
        for row in range(2):
            own = found.boxes[row][found.valid[row] & (found.labels[row] == row)]
            count = int((before[row] > 0.6).sum())
            after = iou(known.targets.boxes[row], own)[0].topk(count).values
            gains.append(after.mean() - before[row].topk(count).values.mean())
    assert torch.stack(gains).mean() > 0.02


def test_stages_give_the_same_each_time_and_leave_the_rest_alone(make, monkeypatch):
    first, again = (learnt(make, monkeypatch, "svms", "box_regression") for _ in range(2))
    untouched = make(dropout=0.0).state_dict()
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        assert torch.equal(value, untouched[name]) == (name.split(".")[0] not in ("svm", "boxes", "has_svms"))
    assert first.training


def test_what_is_learnt_is_saved(make, monkeypatch, tmp_path):
    model, other = learnt(make, monkeypatch, "svms", "box_regression"), make()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    other.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert_close(said(other)[:2], said(model)[:2])


def test_later_descent_does_not_reach_what_was_learnt(make):
    model = make()
    model.losses(BATCHES[0].images, BATCHES[0].regions, BATCHES[0].targets)["classification"].backward()
    assert all(p.grad is None for layer in (model.svm, model.boxes) for p in layer.parameters())


# R-CNN: whole images of regions


def crops_by_hand(box: tuple[int, ...]) -> torch.Tensor:
    """Twenty-eight pixels of the image with the mean around it, of which 24 are the box."""
    color = tuple(round(255 * part) for part in MEAN)
    canvas = Image.new("RGB", (300, 300), color)
    canvas.paste(to_pil_image(BATCHES[0].images[0]), (100, 100))
    return pil_to_tensor(canvas.crop(tuple(100 + side for side in box)).resize((28, 28), Image.Resampling.BOX))


@pytest.mark.parametrize(
    ("region", "enlarged"),
    [((8.0, 8, 32, 56), (6, 4, 34, 60)), ((40, 40, 64, 64), (38, 38, 66, 66)), ((0, 0, 24, 24), (-2, -2, 26, 26))],
    ids=["inside", "over the border", "over the corner"],
)
def test_a_crop_is_the_region_with_its_context_on_the_mean(region, enlarged):
    crop = rcnn().crops(BATCHES[0].images, torch.tensor([region], dtype=torch.float32), torch.tensor([0]))[0]
    assert_close(crop.int(), crops_by_hand(enlarged).int(), atol=1, rtol=0)


def test_missing_pixels_are_nothing_to_the_network():
    model = rcnn()
    crop = model.crops(BATCHES[0].images, torch.tensor([[-200.0, -200, -100, -100]]), torch.tensor([0]))
    assert model.backbone.normalize(crop).abs().max() < 0.5 / 255 / 0.2


def test_crops_can_be_seen_a_few_at_a_time():
    model = rcnn().eval()
    with torch.no_grad():
        expected = model.describe(BATCHES[0].images, BATCHES[0].regions.boxes)
        for model.chunk in (1, 7, 1000):
            found = model.describe_many(BATCHES[0].images, BATCHES[0].regions.boxes)
            assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_context_that_leaves_no_room_is_refused():
    with pytest.raises(UserError, match=r"model.context=14 fills model.crop_size=28; choose 2"):
        RCNN(backbone(), CLASSES, crop_size=28, context=14)


def test_vgg_has_its_own_layers_in_front_of_the_classes():
    with torch.device("meta"):  # no weights
        model = build_model(compose("train", ["model=rcnn", "backbone=vgg16"]), CLASSES)
    assert model.classes.in_features == 4096


# SPP-net: a pyramid of bins


def test_vectors_are_torchvisions_bins_of_each_level():
    """The whole map of stride 8, in 50 bins."""
    model = sppnet().eval()
    images, boxes = BATCHES[0].images, BATCHES[0].regions.boxes
    place = model.backbone(images)[-1], list(boxes)
    bins = [roi_pool(*place, level, spatial_scale=1 / 8).flatten(2) for level in (1, 2, 3, 6)]
    expected = torch.cat(bins, dim=2)
    assert expected.shape == (2 * COUNT, 16, 50)
    flat = expected.mT.flatten(1)
    first, second = model.layers[1], model.layers[4]
    found = model.describe(images, boxes).vectors.flatten(0, 1)
    assert_close(found, F.relu(second(F.relu(first(flat)))), atol=1e-5, rtol=1e-4)


def test_convolutions_are_frozen_with_their_statistics():
    model = sppnet().train()
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    loss = model.losses(BATCHES[0].images, BATCHES[0].regions, BATCHES[0].targets)["classification"]
    loss.backward()
    assert all(torch.equal(value, before[name]) for name, value in model.backbone.state_dict().items())
    assert not any(p.requires_grad for p in model.backbone.parameters())
    assert all(p.grad is not None for p in model.layers.parameters())


@pytest.mark.parametrize(("name", "channels"), [("vgg16", 512), ("resnet18", 512), ("mobilenet", 1024)])
def test_regions_are_cut_out_of_the_last_map_of_stride_16(name, channels):
    with torch.device("meta"):
        model = build_model(compose("train", ["model=sppnet", f"backbone={name}"]), CLASSES)
    assert model.layers[1].in_features == 50 * channels
    assert model.backbone.strides[model.map] == 16
