"""What every model YAML promises, on the cheapest backbone; and that every pair of model and backbone works."""

import jaxtyping
import pytest
import torch
from model_contracts import (
    CLASSES,
    OTHER_BACKBONE,
    SIZE,
    check_exports,
    check_round_trip,
    compare,
    images,
    learns_from,
    make,
    models_of,
)

from tradeoffs.ops.boxes import iou
from tradeoffs.ops.masks import pack, unpack
from tradeoffs.settings.compose import CONF
from tradeoffs.structures import Targets

POSES = [model for model in models_of("pose") if "boxes" in learns_from(model)]
MODELS = [*models_of("detection"), *models_of("instance_segmentation"), *POSES]
# The maps of `convnet` are too fine for most detectors, which say so.
BACKBONES = sorted({path.stem for path in (CONF / "backbone").glob("*.yaml")} - {"convnet", "none"})


JOINTS = [[[8.0, 8, 2], [60, 8, 1], [60, 70, 2]], [[50, 20, 2], [90, 20, 2], [0, 0, 0]]]


def targets(model) -> Targets:
    """Two objects in the first image, none in the second. Of the first one the upper half is missing.

    Joints are corners; one is not labelled. A model that looks for people knows no other classes.
    """
    masks = torch.zeros(2, 2, SIZE, SIZE, dtype=torch.uint8)
    masks[0, 0, 39:70, 8:60] = masks[0, 1, 20:50, 50:90] = 1
    return Targets(
        masks=pack(masks),
        boxes=torch.tensor([[[8.0, 8, 60, 70], [50, 20, 90, 50]], [[0, 0, 0, 0], [0, 0, 0, 0]]]),
        labels=torch.tensor([[0, 2], [0, 0]]).clamp(max=getattr(model, "num_classes", CLASSES) - 1),
        valid=torch.tensor([[True, True], [False, False]]),
        keypoints=torch.tensor([JOINTS, torch.zeros(2, CLASSES, 3).tolist()]),
    )


@pytest.fixture(params=MODELS)
def model(request):
    return make(request.param)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("name", sorted(set(MODELS) - OTHER_BACKBONE.keys()))
def test_every_pair_takes_a_step_that_reaches_the_backbone(name, backbone):
    model = make(name, backbone)
    loss = sum(model.losses(images(), targets(model)).values())
    loss.backward()
    assert loss.isfinite()
    gradients = [p.grad for p in model.backbone.stages[0].parameters()]
    assert any(g is not None and g.abs().sum() > 0 for g in gradients)
    assert all(g is None or g.isfinite().all() for g in gradients)


def test_losses_are_the_same_in_any_mode_of_a_model_without_norms():
    model = make("ssd", "vgg16")
    train, evaluate = (make_losses(model.train(mode)) for mode in (True, False))
    assert train == pytest.approx(evaluate, rel=1e-5)


def make_losses(model) -> dict[str, float]:
    with torch.no_grad():
        return {name: float(value) for name, value in model.losses(images(), targets(model)).items()}


def test_images_without_objects_have_a_finite_loss(model):
    losses = model.losses(images(), targets(model)[[1, 1]])
    assert all(value.isfinite() for value in losses.values())


def test_a_batch_equals_its_images_one_by_one(model):
    model.eval()
    model.score_threshold = 0.0  # untrained scores are low
    with torch.no_grad():
        together = model.predict(images())
        for i in range(2):
            alone = model.predict(images()[i : i + 1])
            count = int(alone.valid.sum())
            assert count > 0 and int(together.valid[i].sum()) == pytest.approx(count, rel=0.02)  # overlaps may tie, too
            torch.testing.assert_close(alone.scores[0, :20], together.scores[i, :20], atol=1e-5, rtol=1e-3)


def test_detections_are_sorted_inside_the_image_and_known(model):
    model.eval()
    model.score_threshold = 0.0
    with torch.no_grad():
        found = model.predict(images())
    boxes = found.boxes[found.valid]
    assert (boxes >= 0).all() and (boxes <= SIZE).all()
    assert (found.scores.diff(dim=1)[found.valid[:, 1:]] <= 0).all()
    assert found.labels[found.valid].max() < CLASSES


def test_wide_images_are_looked_at_from_end_to_end(model):
    model.eval()
    model.score_threshold = 0.0
    with torch.no_grad():
        width = model.predict(images().repeat(1, 1, 1, 2)).boxes[..., 2].max()
        height = model.predict(images().repeat(1, 1, 2, 1)).boxes[..., 3].max()
    assert SIZE < width <= 2 * SIZE and SIZE < height <= 2 * SIZE


@pytest.mark.parametrize("name", MODELS)
def test_a_step_in_bfloat16_reaches_the_backbone(name):
    model = make(name)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.losses(images(), targets(model))
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert all(p.grad.isfinite().all() and p.grad.any() for p in model.backbone.stages[0].parameters())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert model.eval().predict(images()).boxes.isfinite().all()


@pytest.mark.parametrize("name", ["ssd", "retinanet", "faster_rcnn", "rfcn"])
def test_anchors_do_not_grow_with_the_padding_of_a_batch(name):
    model = make(name, "resnet18", "resize=shorter_edge").eval()
    with torch.no_grad():
        alone = model(images()).anchors
        padded = model(torch.nn.functional.pad(images(), (0, 64, 0, 64))).anchors
    sizes, expected = ((boxes[:, 2:] - boxes[:, :2]).round().unique(dim=0) for boxes in (padded, alone))
    assert torch.equal(sizes, expected)


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_round_trips(name, tmp_path):
    check_round_trip(make(name), make(name), tmp_path / "model.pt")


def test_forward_compiles_as_one_graph(model, monkeypatch):
    model.eval()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its checks cannot be compiled
    compare(compiled, model, atol=1e-4)


def test_forward_exports(model, monkeypatch):
    check_exports(model, monkeypatch)


# What a minute can overfit: a second stage must see regions like those that it is trained on. With norms in its towers
# all scores of RetinaNet are 1 by then, and anchors whose boxes no loss has reached (IoU 0.4 to 0.5) may come first.
LIGHT = {
    "mobilenet": ["backbone.width=0.5"],
    "convnet": ["backbone.channels=[16,32,64]"],
    "faster_rcnn": ["backbone.width=1.0"],
    "mask_rcnn": ["backbone.width=1.0", "model.sampled=64"],
    "retinanet": ["model.tower_norm=false"],
    "yolo": ["model.dropout=0"],
}


@pytest.mark.parametrize("name", MODELS)
def test_one_batch_can_be_overfit(name):
    backbone = OTHER_BACKBONE.get(name, "mobilenet")
    model = make(name, backbone, *LIGHT.get(backbone, []), *LIGHT.get(name, []))
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(60):
        optimizer.zero_grad()
        sum(model.train().losses(images(), targets(model)).values()).backward()
        optimizer.step()
    with torch.no_grad():
        found = model.predict(images())  # in training mode: sixty steps are too few for the averages of batch norm
    valid, true = found.valid[0] & (found.scores[0] > 0.5), targets(model)
    boxes, labels = found.boxes[0][valid], found.labels[0][valid]
    of_object = (labels[:, None] == true.labels[0]) & (iou(boxes[None], true.boxes[:1])[0] > 0.4)
    best = of_object.int().argmax(dim=0)  # detections are sorted
    assert of_object.any(dim=0).all()
    torch.testing.assert_close(boxes[best], true.boxes[0], atol=4.0, rtol=0)
    assert of_object.any(dim=1).all()  # a second box of an object may be left, a third object not
    if name in models_of("instance_segmentation"):
        mine, masks = unpack(found.pasted[0][valid][best], SIZE), unpack(true.masks[0], SIZE)
        assert ((mine & masks).sum(dim=(1, 2)) / (mine | masks).sum(dim=(1, 2)) > 0.6).all()
    if name in POSES:
        off = (found.keypoints[0][valid][best] - true.keypoints[0])[..., :2].norm(dim=-1)
        assert off[true.keypoints[0, ..., 2] > 0].max() < 6
