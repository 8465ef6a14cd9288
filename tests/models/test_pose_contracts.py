"""What every YAML of a pose network promises that looks at one person, on the cheapest backbone or none.

Those that look for people are detectors: see `test_contracts`.
"""

import jaxtyping
import pytest
import torch
from model_contracts import CLASSES, check_exports, check_round_trip, learns_from, make, models_of

from tradeoffs.structures import Targets

SIDE = 64
MODELS = [model for model in models_of("pose") if not learns_from(model)]
SMALL = {
    "simple_baseline": ("mobilenet", "backbone.width=0.25", "model.channels=32"),
    "hourglass": ("none", "model.stacks=2", "model.channels=32", "model.depth=3"),
}


def build(name: str, *changes: str) -> torch.nn.Module:
    return make(name, *SMALL.get(name, ("mobilenet",)), "task=pose", *changes, f"image_size={SIDE}")


def awake(model: torch.nn.Module) -> torch.nn.Module:
    """In evaluation mode, with statistics of batch norm that fit, and last layers that say something."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    for head in model.heads:
        torch.nn.init.normal_(head.weight, std=0.1)
    with torch.no_grad():
        model.train()(images())
    return model.eval()


def images() -> torch.Tensor:
    """Noise with bright squares at the joints."""
    pictures = torch.randint(0, 100, (2, 3, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    for row, joints in enumerate(targets().keypoints[:, 0].int().tolist()):
        for joint, (x, y, _) in enumerate(joints):
            pictures[row, joint, y - 5 : y + 5, x - 5 : x + 5] += 150
    return pictures


def targets() -> Targets:
    joints = [[[20.0, 30, 2], [40, 12, 1], [50, 50, 2]], [[30, 20, 2], [10, 44, 2], [40, 40, 0]]]
    return Targets(keypoints=torch.tensor(joints)[:, None])


@pytest.fixture(params=MODELS)
def model(request):
    return build(request.param)


def test_a_step_is_finite_and_reaches_the_first_layer(model):
    losses = model.losses(images(), targets())
    sum(losses.values()).backward()
    assert all(loss.isfinite() and loss.shape == () for loss in losses.values())
    first = next(parameter for parameter in model.parameters() if parameter.ndim == 4)
    assert first.grad.isfinite().all() and first.grad.any()


def test_a_step_in_bfloat16_is_finite(model):
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.losses(images(), targets())
    sum(losses.values()).backward()
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses.values())


def test_joints_that_are_not_labelled_do_not_learn(model):
    """Wherever they are said to be; an image without any learns nothing, and is no fault."""
    moved, none = targets(), targets()
    moved.keypoints[1, 0, 2, :2] = 5.0
    none.keypoints[..., 2] = 0
    awake(model)
    with torch.no_grad():
        output = model(images())
        first, second, nothing = (model.criterion(output, each) for each in (targets(), moved, none))
    assert first == second and sum(nothing.values()) == 0


def test_a_batch_equals_its_images_one_by_one(model):
    awake(model)
    with torch.no_grad():
        together = model(images()).heatmaps
        alone = torch.cat([model(images()[i : i + 1]).heatmaps for i in range(2)])
    torch.testing.assert_close(alone, together, atol=1e-3, rtol=1e-3)


def test_all_joints_are_found_somewhere(model):
    with torch.no_grad():
        found = awake(model).predict(images()).keypoints
    assert found.shape == (2, CLASSES, 3)
    assert (found[..., :2] >= 0).all() and (found[..., :2] <= SIDE).all()
    assert (found[..., 2] >= 0).all() and (found[..., 2] <= 1).all()


def test_a_map_without_a_peak_costs_one(model):
    """And one that is as the joints want it nothing, whatever the size of images and maps."""
    with torch.no_grad():
        output = model.eval()(images())
    empty = model.criterion(output._replace(heatmaps=torch.zeros_like(output.heatmaps)), targets())
    assert empty["heatmaps"].item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", MODELS)
def test_the_second_look_is_part_of_forward_and_not_of_training(name):
    """A network that sees the mirrored image first finds the same, mirrored, with left and right changed."""
    model = awake(build(name, "model.flip_test=true"))
    model.swapped.copy_(torch.tensor([1, 0, 2]))
    with torch.no_grad():
        one, two = model(images()).heatmaps, model(images().flip(-1)).heatmaps
        assert not torch.equal(one, model.heatmaps(images()))
        assert model.losses(images(), targets())["heatmaps"] != model.criterion(model(images()), targets())["heatmaps"]
    assert one.abs().max() > 0.1
    torch.testing.assert_close(one, two.flip(-1)[:, :, [1, 0, 2]], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_round_trips(name, tmp_path):
    check_round_trip(build(name), build(name), tmp_path / "model.pt")


@pytest.mark.parametrize("flip", ["false", "true"])
@pytest.mark.parametrize("name", MODELS)
def test_forward_exports(name, flip, monkeypatch):
    check_exports(awake(build(name, f"model.flip_test={flip}")), monkeypatch)


def test_forward_compiles_as_one_graph(model, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with torch.no_grad():
        compiled = torch.compile(awake(model), fullgraph=True, backend="eager")(images())
        torch.testing.assert_close(compiled.heatmaps, model(images()).heatmaps)


@pytest.mark.parametrize("name", MODELS)
def test_one_batch_can_be_overfit(name):
    model = build(name, "model.sigma=1.5")
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        sum(model.losses(images(), targets()).values()).backward()
        optimizer.step()
    with torch.no_grad():
        found = model.predict(images()).keypoints  # in training mode, as for other models
    labelled = targets().keypoints[:, 0, :, 2] > 0
    off = (found[..., :2] - targets().keypoints[:, 0, :, :2]).norm(dim=-1)
    assert off[labelled].max() < 3 and (found[..., 2][labelled] > 0.5).all()
