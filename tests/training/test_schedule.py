import pytest
import torch
from torch import nn

from tradeoffs.errors import UserError
from tradeoffs.training.schedule import constant, parameter_groups, warmup_cosine, warmup_step


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
