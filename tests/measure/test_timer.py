import pytest
import torch

from tradeoffs.measure import timer
from tradeoffs.measure.timer import (
    Timing,
    confidence_of_median,
    quantile,
    ratio,
    split_milliseconds,
    time_in_turns,
)


def test_functions_run_in_turns_and_warm_up_is_not_counted():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ABC"}
    timings = time_in_turns(functions, repeats=4, warmup=2, device="cpu")
    assert "".join(calls) == 6 * "ABC"
    assert [len(timing.samples) for timing in timings.values()] == [4, 4, 4]


def test_samples_are_milliseconds_of_the_clock(monkeypatch):
    readings = iter([1.0, 1.002, 5.0, 5.004])  # seconds: 2 ms, then 4 ms
    monkeypatch.setattr(timer.time, "perf_counter", lambda: next(readings))
    timing = time_in_turns({"A": lambda: None}, repeats=2, warmup=0, device="cpu")["A"]
    assert timing.samples == pytest.approx((2.0, 4.0))
    assert timing.median == pytest.approx(3.0)


def test_quantiles_interpolate_as_torch_does():
    samples = (7.0, 1.0, 3.0, 10.0, 2.5)
    for fraction in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0):
        expected = torch.tensor(samples, dtype=torch.float64).quantile(fraction).item()
        assert quantile(samples, fraction) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "ranks"), [(6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (20, (6, 15)), (30, (10, 21))])
def test_confidence_interval_takes_the_tabled_order_statistics(n, ranks):
    # Conover, Practical Nonparametric Statistics, table of the binomial: 95 % or more.
    assert confidence_of_median(tuple(float(i) for i in range(1, n + 1))) == ranks


def test_confidence_interval_of_few_samples_is_their_range():
    assert confidence_of_median((3.0,)) == (3.0, 3.0)
    assert confidence_of_median((4.0, 1.0, 2.0)) == (1.0, 4.0)


def test_disturbed_is_an_interquartile_range_above_a_tenth_of_the_median():
    assert not Timing((95.0, 96.0, 100.0, 104.0, 1000.0)).disturbed  # quartiles 96 and 104
    assert Timing((90.0, 94.0, 100.0, 106.0, 110.0)).disturbed  # quartiles 94 and 106


def test_ratio_is_taken_turn_by_turn():
    theirs, ours = Timing((10.0, 40.0, 30.0)), Timing((5.0, 10.0, 10.0))
    found = ratio(theirs, ours)  # 2, 4, 3
    assert (found.median, found.low, found.high) == pytest.approx((3.0, 2.2, 3.8))
    with pytest.raises(ValueError, match="shorter"):
        ratio(theirs, Timing((1.0,)))


def test_one_call_is_cut_where_its_first_half_is_done(monkeypatch):
    readings = iter([1.0, 1.003, 1.005])  # seconds
    monkeypatch.setattr(timer.time, "perf_counter", lambda: next(readings))
    given = []
    taken = split_milliseconds(lambda: "raw", given.append, torch.device("cpu"))
    assert taken == pytest.approx((3.0, 2.0))
    assert given == ["raw"]
