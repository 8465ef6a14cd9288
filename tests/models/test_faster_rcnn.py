import jaxtyping
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import UserError
from tradeoffs.models.detection.faster_rcnn import FasterRCNN, faster_rcnn
from tradeoffs.models.detection.region_head import last_stages, undilated
from tradeoffs.runs.build import build, build_model
from tradeoffs.settings.compose import compose
from tradeoffs.structures import Targets

SIZE, CLASSES = 64, 3
TARGETS = Targets(
    boxes=torch.tensor([[[8.0, 8, 40, 40], [30, 20, 60, 50]], [[4, 10, 30, 60], [0, 0, 0, 0]]]),
    labels=torch.tensor([[0, 2], [1, 0]]),
    valid=torch.tensor([[True, True], [True, False]]),
)


def backbone() -> Backbone:
    """Five small convolutions."""
    channels = (4, 8, 8, 16, 16)
    layers = [
        nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU())
        for before, after in zip((3, *channels), channels, strict=False)
    ]
    return Backbone(layers, channels, strides=(2, 4, 8, 16, 32))


def make(neck: str, **settings) -> FasterRCNN:
    torch.manual_seed(0)
    model = faster_rcnn(backbone(), CLASSES, neck, num_proposals=20, **settings)
    for parameter in model.parameters():  # untrained layers say almost the same of everything
        parameter.data *= 3
    return model


def images(count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)


@pytest.fixture(params=["c4", "fpn"])
def model(request):
    return make(request.param)


def moved(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


@pytest.mark.parametrize("stage", ["rpn_", ""])
@pytest.mark.parametrize("task", ["localization", "classification"])
def test_every_loss_reaches_the_backbone(model, stage, task):
    name = stage + task.replace("classification", "objectness" if stage else task)
    model.losses(images(), TARGETS)[name].backward()
    assert moved(model.backbone.stages[0])
    assert moved(model.rpn) == bool(stage)
    assert moved(model.head) != bool(stage)


def test_weights_multiply_both_stages(model):
    def losses() -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        return model.losses(images(), TARGETS)

    model.localization_weight, model.classification_weight = 1.0, 1.0
    before = losses()
    model.localization_weight, model.classification_weight = 3.0, 5.0
    after = losses()
    assert {name: round((after[name] / before[name]).item(), 3) for name in before} == {
        "rpn_localization": 3,
        "rpn_objectness": 5,
        "localization": 3,
        "classification": 5,
    }


def test_the_criterion_of_an_output_has_the_same_names(model):
    expected = model.losses(images(), TARGETS)
    losses = model.criterion(model(images()), TARGETS)
    assert losses.keys() == expected.keys()
    assert all(loss.isfinite() for loss in losses.values())


def test_the_criterion_equals_the_losses_if_all_regions_are_sampled_in_both(model, monkeypatch):
    """Without the objects among the proposals, and with room for all of them."""
    monkeypatch.setattr("tradeoffs.models.detection.faster_rcnn.with_truth", lambda proposals, targets: proposals)
    monkeypatch.setattr("tradeoffs.models.detection.faster_rcnn.POSITIVES", 1.0)
    model.sampled = model.train_proposals = model.num_proposals
    model.rpn.sampled = 10**6
    losses, again = model.losses(images(), TARGETS), model.criterion(model(images()), TARGETS)
    for name, loss in losses.items():
        assert_close(again[name], loss, atol=1e-5, rtol=1e-4)


def test_fewer_proposals_are_the_first_ones(model):
    with torch.no_grad():
        limited = model(images()).limited_to(5)
        model.num_proposals = 5
        for ours, expected in zip(limited, model(images()), strict=True):
            assert_close(ours, expected, atol=1e-5, rtol=1e-4)


def test_candidates_are_counted(model):
    output = model(images())
    scores = output.logits.softmax(dim=-1)[..., :-1]
    model.score_threshold = scores.median().item()
    assert model.num_candidates(output).tolist() == (scores > model.score_threshold).sum(dim=(1, 2)).tolist()


def test_the_boxes_of_a_detection_lie_where_its_region_says(model):
    """With offsets of nothing, detections are proposals."""
    nn.init.zeros_(model.boxes.weight)
    nn.init.zeros_(model.boxes.bias)
    model.score_threshold = 0.0
    with torch.no_grad():
        output, found = model(images()), model.predict(images())
    for i in range(2):
        boxes = found.boxes[i][found.valid[i]]
        distance = (boxes[:, None] - output.proposals[i][output.valid[i]]).abs().amax(dim=-1)
        assert distance.amin(dim=1).max() < 1e-3


class Halve(nn.Module):
    """A last stage of stride 2 that keeps each second pixel, and remembers how large its input was."""

    def forward(self, x):
        self.seen = x.shape[-2:]
        return x[..., ::2, ::2]


def test_crops_are_halved_once():
    """By a last stage with a stride, or before one without."""
    maps, boxes = [torch.randn(1, 6, 4, 4)], torch.tensor([[[0.0, 0, 30, 30], [5, 5, 60, 60]]])
    strided, plain = Halve(), Halve()
    last_stages(strided, 6, (16, 32), crop_size=14)(maps, boxes, (SIZE, SIZE))
    last_stages(plain, 6, (16, 16), crop_size=14)(maps, boxes, (SIZE, SIZE))
    assert tuple(strided.seen) == (14, 14) and tuple(plain.seen) == (7, 7)


def test_layers_after_the_last_stage_see_where_things_are():
    """Averages do not: they stay the same when a crop is mirrored."""
    crop = torch.randn(1, 6, 14, 14)

    def same(*widths: int) -> bool:
        head = last_stages(nn.AvgPool2d(2), 6, (16, 32), 14, fully_connected=widths, dropout=0.5).eval()
        ours, mirrored = (head.describe(head.stages(x)) for x in (crop, crop.flip(-1)))
        return torch.allclose(ours, mirrored, atol=1e-5)

    assert same() and not same(8, 8)


@pytest.mark.parametrize(
    ("name", "overrides", "shape"),
    [
        ("vgg16", [], (4096, 14)),  # pool5 halves the crop, then fc6 and fc7
        ("resnet18", [], (512, 14)),
        ("resnet18", ["backbone.output_stride=8"], (512, 14)),
        ("inception_v3", [], (2048, 17)),
        ("resnet18", ["model.neck=fpn"], (1024, 7)),
    ],
)
def test_regions_of_each_backbone(name, overrides, shape):
    model = build_model(compose("train", ["model=faster_rcnn", f"backbone={name}", *overrides]), CLASSES)
    assert (model.head.channels, model.head.size) == shape


def test_null_is_what_the_neck_has_itself():
    settings = dict.fromkeys(["sampled", "nms_threshold", "localization_weight", "smallest_anchor"])
    c4, fpn = make("c4", **settings), make("fpn", **settings)
    assert (c4.sampled, c4.nms_threshold, c4.localization_weight, c4.rpn.box_weights) == (64, 0.6, 2.0, (10.0, 5.0))
    assert (fpn.sampled, fpn.nms_threshold, fpn.localization_weight, fpn.rpn.box_weights) == (512, 0.5, 1.0, (1.0, 1.0))
    assert make("fpn", sampled=5).sampled == 5


def test_anchors_of_each_neck():
    """Four sizes on one map, or one on each of as many maps as the pyramid has."""
    c4, fpn = make("c4", smallest_anchor=0.1, largest_anchor=0.8), make("fpn", smallest_anchor=0.1, largest_anchor=1.6)
    assert c4.rpn.num_shapes == [12] and fpn.rpn.num_shapes == [3] * 5
    sides = [shapes.prod(dim=1).sqrt() for shapes in (c4.rpn.shapes, fpn.rpn.shapes)]
    assert_close(sides[0][:4], torch.tensor([0.1, 0.2, 0.4, 0.8]))
    assert_close(sides[1][::3], torch.tensor([0.1, 0.2, 0.4, 0.8, 1.6]))


PYRAMID = {"channels": 6, "widths": [10], "sizes_per_map": 2}


def test_a_pyramid_is_as_its_settings_say():
    model = make("fpn", pyramid={**PYRAMID, "strides": [8, 16]}, rpn_sampled=7, largest_anchor=0.64)
    assert (model.neck.strides, model.neck.channels, model.head.channels) == ([8, 16], [6] * 3, 10)
    assert (model.rpn.num_shapes, model.rpn.sampled) == ([6] * 3, 7)
    sides = model.rpn.shapes.prod(dim=1).sqrt()[:6]  # of the finest map, the sizes of one ratio after the other
    assert_close(sides, torch.tensor([0.04, 0.04 * 16**0.2] * 3))


def test_strides_of_a_pyramid_that_do_not_rise_are_refused():
    with pytest.raises(UserError, match=r"\[16, 8\] do not; give them in order"):
        make("fpn", pyramid={**PYRAMID, "strides": [16, 8]})


@pytest.mark.parametrize(
    ("neck", "settings", "linear"),
    [
        ("c4", {}, []),
        ("c4", {"fully_connected": [8]}, ["head.linear.1"]),
        ("fpn", {}, ["head.linear.1", "head.linear.4"]),
    ],
)
def test_heads_are_the_layers_that_no_norm_follows(neck, settings, linear):
    model = make(neck, **settings)
    heads = {id(parameter) for parameter in model.heads.parameters()}
    names = {name.rpartition(".")[0] for name, parameter in model.named_parameters() if id(parameter) in heads}
    assert names == {"rpn.conv", "rpn.head", *linear, "classes", "boxes"}


def test_an_unknown_neck_is_refused():
    with pytest.raises(UserError, match="neck=c5; choose c4 or fpn"):
        faster_rcnn(backbone(), CLASSES, "c5")


def test_a_pyramid_compiles_as_one_graph_and_exports(monkeypatch):
    """What the settings by default do is tested for all models; which map a region is cropped from depends on data."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its checks can be neither
    model = make("fpn").eval()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    exported = torch.export.export(model, (images(),)).module()
    with torch.no_grad():
        for network in (compiled, exported):
            for ours, expected in zip(network(images()), model(images()), strict=True):
                assert_close(ours, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["mobilenet", "resnet18"])
def test_dilated_stages_look_at_neighbours_in_crops(name):
    """They then are the network's own stages without their stride."""
    settings = (compose("train", [f"backbone={name}", f"backbone.output_stride={stride}"]) for stride in ("null", 8))
    plain, dilated = (build(config, "backbone").split(16)[1].eval() for config in settings)
    dilated.load_state_dict(plain.state_dict())
    for layer in plain.modules():
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
    crops = torch.rand(2, next(plain.parameters()).shape[0 if name == "mobilenet" else 1], 4, 4)
    assert_close(undilated(dilated)(crops), plain(crops))
