from itertools import pairwise

from tradeoffs.measure import turns as module
from tradeoffs.measure.timer import Timing
from tradeoffs.measure.turns import (
    Timed,
    disturbed_in_time,
    plan_turns,
    rounds,
    take_turns,
    time_until_steady,
)

STEADY, RESTLESS = (100.0, 100.0, 100.0, 100.0), (50.0, 100.0, 150.0, 100.0)


class Scripted:
    """A contender whose clock shows given milliseconds, call by call; `calls` is shared by all of a test."""

    def __init__(self, name: str, milliseconds: list[float], calls: list[str]):
        self.name, self.milliseconds, self.calls = name, iter(milliseconds), calls

    def __call__(self) -> dict[str, float]:
        self.calls.append(self.name)
        return {"total_ms": next(self.milliseconds)}


def test_turns_are_as_many_as_fit_within_reason():
    assert [plan_turns(seconds, 10) for seconds in (0.001, 0.5, 1.0, 4.0, 60.0)] == [50, 20, 10, 3, 3]


def test_rounds_give_everybody_their_turns_evenly():
    order = list(rounds({"A": 12, "B": 12, "C": 3}))
    assert [sum(name in each for each in order) for name in "ABC"] == [12, 12, 3]
    assert [number for number, each in enumerate(order) if "C" in each] == [3, 7, 11]


def test_neighbours_change_and_the_seed_decides():
    names = dict.fromkeys("ABCD", 30)
    order = list(rounds(names, seed=1))
    neighbours = {pair for each in order for pair in pairwise(each)}
    assert neighbours == {(a, b) for a in "ABCD" for b in "ABCD" if a != b}
    assert order == list(rounds(names, seed=1)) != list(rounds(names, seed=2))


def test_samples_stay_in_the_order_of_the_rounds():
    calls = []
    contenders = {name: Scripted(name, [1.0, 2.0, 3.0], calls) for name in "AB"}
    seen = []
    found = take_turns(contenders, {"A": 3, "B": 2}, on_turn=lambda: seen.append(len(calls)))
    assert found["A"].timings == {"total_ms": Timing((1.0, 2.0, 3.0))}
    assert found["B"].timings == {"total_ms": Timing((1.0, 2.0))}
    assert "".join(sorted(calls)) == "AAABB" and len(seen) == 5
    assert "A" in calls[:2] and "B" in calls[1:4]  # in turns, not one after the other


def test_a_contender_that_fails_drops_out_with_what_it_has():
    answers = iter([{"total_ms": 1.0}, None])
    found = take_turns({"A": lambda: next(answers), "B": Scripted("B", [1.0] * 4, [])}, {"A": 4, "B": 4})
    assert found["A"].failed and found["A"].timings["total_ms"].samples == (1.0,)
    assert not found["B"].failed and len(found["B"].timings["total_ms"].samples) == 4


def test_only_disturbed_ones_are_timed_again_and_the_steadiest_attempt_is_kept():
    calls, begun = [], []
    contenders = {
        "quiet": Scripted("quiet", [*STEADY], calls),
        "late": Scripted("late", [*RESTLESS, *STEADY], calls),
        "never": Scripted("never", [*RESTLESS, 70.0, 100.0, 130.0, 100.0, *RESTLESS], calls),
    }
    found = time_until_steady(
        contenders, dict.fromkeys(contenders, 4), attempts=3, on_attempt=lambda *numbers: begun.append(numbers)
    )
    assert begun == [(1, 3, 12), (2, 2, 8), (3, 1, 4)]
    assert {name: timed.attempts for name, timed in found.items()} == {"quiet": 1, "late": 2, "never": 3}
    assert {name: timed.disturbed for name, timed in found.items()} == {"quiet": False, "late": False, "never": True}
    assert found["late"].timings["total_ms"].samples == STEADY
    assert sorted(found["never"].timings["total_ms"].samples) == [70.0, 100.0, 100.0, 130.0]


def test_a_failure_in_a_further_attempt_is_said():
    answers = iter([*({"total_ms": value} for value in RESTLESS), None])
    found = time_until_steady({"A": lambda: next(answers)}, {"A": 4})
    assert found["A"].failed and found["A"].attempts == 2


def test_no_attempt_begins_that_cannot_finish_in_time():
    found = {
        "long": Timed({"total_ms": Timing(RESTLESS)}, seconds=8),
        "quiet": Timed({"total_ms": Timing(STEADY)}, seconds=1),
        "short": Timed({"total_ms": Timing(RESTLESS)}, seconds=2),
        "failed": Timed({"total_ms": Timing(RESTLESS)}, seconds=1, failed=True),
    }
    assert disturbed_in_time(found, 10) == ["long", "short"]
    assert disturbed_in_time(found, 9) == ["short"]
    assert disturbed_in_time(found, 1) == []


def test_after_the_deadline_nothing_is_repeated(monkeypatch):
    monkeypatch.setattr(module.time, "monotonic", lambda: 1000.0)
    found = time_until_steady({"A": Scripted("A", [*RESTLESS], [])}, {"A": 4}, deadline=999.0)
    assert found["A"].attempts == 1 and found["A"].disturbed


def test_a_spread_that_changes_no_result_is_no_disturbance():
    """Three milliseconds of suppression after a second of network: its jumping by one is nothing to repeat for."""
    network, suppression = Timing((1000.0,) * 4), Timing((2.0, 3.0, 3.0, 4.0))
    assert suppression.disturbed
    assert not Timed({"network_ms": network, "postprocessing_ms": suppression}).disturbed
    assert Timed({"network_ms": Timing((20.0,) * 4), "postprocessing_ms": suppression}).disturbed


def test_seconds_are_those_of_the_whole_turn(monkeypatch):
    readings = iter([0.0, 2.0, 10.0, 13.0, 20.0, 24.0])  # before and after each of three turns
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(readings))
    assert take_turns({"A": lambda: {"total_ms": 1.0}}, {"A": 3})["A"].seconds == 2 + 3 + 4
