import pytest
import torch
from model_contracts import make
from torch import nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import UserError
from tradeoffs.training.schedule import constant, parameter_groups, stages_above, warmup_cosine, warmup_step


def learning_rates(schedule, total_steps: int, **kwargs) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = schedule(optimizer, total_steps, **kwargs)
    rates = []
    for _ in range(total_steps):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


def test_constant():
    assert learning_rates(constant, 3) == [2.0, 2.0, 2.0]


def test_warmup_rises_linearly_from_above_zero():
    # 0.3 of 10 steps: 3 steps, so step s gets (s + 1) / 4 of the full rate
    assert learning_rates(constant, 10, warmup=0.3) == pytest.approx([0.5, 1.0, 1.5] + [2.0] * 7)


def test_cosine_without_warmup():
    # 2 * (1 + cos(pi s / 4)) / 2 for s = 0..3
    assert learning_rates(warmup_cosine, 4, warmup=0) == pytest.approx([2.0, 1 + 0.5**0.5, 1.0, 1 - 0.5**0.5])


def test_cosine_is_whole_after_the_warmup_and_ends_at_final():
    rates = learning_rates(warmup_cosine, 1000, warmup=0.1, final=0.01)
    assert rates[100] == pytest.approx(2.0)
    assert rates[550] == pytest.approx(2.0 * (0.01 + 0.99 / 2))
    assert rates[-1] == pytest.approx(0.02, rel=1e-3)
    assert max(rates) <= 2.0


def test_steps_at_fractions_of_the_training():
    rates = learning_rates(warmup_step, 10, warmup=0, milestones=[0.5, 0.8], gamma=0.5)
    assert rates == pytest.approx([2.0] * 5 + [1.0] * 3 + [0.5] * 2)


def test_schedule_keeps_the_ratio_of_groups():
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [a], "lr": 1.0}, {"params": [b], "lr": 10.0}])
    assert warmup_cosine(optimizer, 10, warmup=0.1).get_last_lr() == [0.5, 5.0]


@pytest.mark.parametrize(
    ("schedule", "arguments"),
    [(constant, {"warmup": 1.5}), (warmup_cosine, {"warmup": -0.1}), (warmup_step, {"milestones": [80_000]})],
)
def test_what_is_no_fraction_is_refused(schedule, arguments):
    with pytest.raises(UserError, match="fraction of the training"):
        learning_rates(schedule, 10, **arguments)


def test_only_matrices_and_filters_decay():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    model.scale = nn.Parameter(torch.ones(()))
    model.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)
    decayed, others = parameter_groups(model, lr=1.0, weight_decay=0.1)
    assert [p.shape for p in decayed["params"]] == [(4, 3, 3, 3), (2, 4)]
    assert sorted(p.ndim for p in others["params"]) == [0, 1, 1, 1, 1]
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


def test_heads_learn_at_a_part_of_the_rate():
    model = nn.Sequential(nn.Linear(4, 2, bias=False))
    model.heads = nn.ModuleList([nn.Linear(2, 3)])
    rest, weights, biases = parameter_groups(model, lr=0.5, weight_decay=0.1, head_lr=0.1)
    assert [group["lr"] for group in (rest, weights, biases)] == [0.5, 0.05, 0.05]
    assert [p.shape for group in (rest, weights, biases) for p in group["params"]] == [(2, 4), (3, 2), (3,)]


def small_model() -> nn.Module:
    """Three stages, a layer above them, and a head."""
    model = nn.Module()
    model.backbone = Backbone([nn.Conv2d(3, 3, 1) for _ in range(3)], channels=[3] * 3, strides=[1] * 3)
    model.neck, model.heads = nn.Linear(3, 3), nn.ModuleList([nn.Linear(3, 2)])
    return model


def test_each_stage_learns_at_a_part_of_the_rate_of_the_one_above():
    model = small_model()
    groups = parameter_groups(model, lr=0.8, weight_decay=0.1, head_lr=0.1, layer_decay=0.5)
    rates = {id(parameter): (group["lr"], group["weight_decay"]) for group in groups for parameter in group["params"]}
    layers = [*model.backbone.stages, model.neck, *model.heads]
    expected = [0.2, 0.4, 0.8, 0.8, 0.8 * 0.1]
    assert [rates[id(layer.weight)] for layer in layers] == [(rate, 0.1) for rate in expected]
    assert [rates[id(layer.bias)] for layer in layers] == [(rate, 0.0) for rate in expected]


def test_without_decay_there_are_the_groups_of_ever():
    groups = parameter_groups(small_model(), lr=0.8, weight_decay=0.1, head_lr=0.1)
    assert [group["lr"] for group in groups] == [0.8, 0.8, 0.8 * 0.1, 0.8 * 0.1]
    assert [len(group["params"]) for group in groups] == [4, 4, 1, 1]


def test_stages_of_real_networks():
    """A stage that looks at crops is one; so are a transformer's blocks, with its patches before and classes after."""
    model = make("faster_rcnn", "mobilenet", "backbone.width=0.25", "model.crop_size=4")
    above = stages_above(model)
    trunk, last = model.backbone.stages, model.head.stages[1]
    assert [above[id(next(stage.parameters()))] for stage in [*trunk, *last]] == [4, 3, 2, 1, 0]
    model = make("timm_classifier", "timm", "backbone.name=test_vit")
    network, above = model.backbone.stages[0], stages_above(model)
    parts = [network.patch_embed, *network.blocks, network.norm, network.head]
    assert [above[id(next(part.parameters()))] for part in parts] == [7, 6, 5, 4, 3, 2, 1, 1, 0]
    assert set(above) == {id(parameter) for parameter in model.parameters()}
    model = make("classifier", "timm", "backbone.name=test_vit")
    assert set(stages_above(model).values()) == set(range(7))
