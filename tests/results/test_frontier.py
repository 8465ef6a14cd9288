"""The frontier against its definition, pair by pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeoffs.results.frontier import frontier_in_doubt, on_frontier, surely_beaten

numbers = st.one_of(st.integers(0, 5).map(float), st.just(float("nan")))
points = st.lists(st.tuples(numbers, numbers), max_size=30)


def beats(one, other) -> bool:
    return one[0] <= other[0] and one[1] >= other[1] and (one[0] < other[0] or one[1] > other[1])


@given(points)
def test_on_the_frontier_is_whom_nobody_beats(points):
    costs, gains = np.array(points, float).reshape(-1, 2).T
    known = [point for point in points if np.isfinite(point).all()]
    expected = [bool(np.isfinite(point).all()) and not any(beats(other, point) for other in known) for point in points]
    assert on_frontier(costs, gains).tolist() == expected


def test_by_hand():
    #        best, dearer and worse, cheapest, equal to it, cheap but worst
    costs = np.array([10.0, 12, 2, 2, 2])
    gains = np.array([0.5, 0.4, 0.3, 0.3, 0.1])
    assert on_frontier(costs, gains).tolist() == [True, False, True, True, False]


def test_surely_beaten_is_who_is_behind_with_all_of_both_intervals():
    costs = np.array([[1.0, 2.0], [3.0, 4.0], [1.5, 4.0], [3.0, 4.0]])
    gains = np.array([[0.5, 0.6], [0.1, 0.4], [0.1, 0.4], [0.1, 0.55]])
    assert surely_beaten(costs, gains).tolist() == [False, True, False, False]
    assert surely_beaten(costs, gains, chunk=1).tolist() == [False, True, False, False]
    assert not surely_beaten(np.full((2, 2), np.nan), gains[:2]).any()
    assert surely_beaten(np.ones((2, 2)), np.array([[0.5, 0.6], [0.1, 0.2]])).tolist() == [False, True]


@pytest.mark.parametrize(
    ("interval", "on"),
    [
        ((8, 14), [True, False]),  # overlaps that of the other one, which is more accurate
        ((8, 9), [True, True]),  # cheaper for sure
        ((np.nan, 9), [True, True]),
        ((np.nan, 14), [True, False]),
        ((np.nan, np.nan), [True, False]),
    ],
)
def test_a_doubtful_estimate_wins_only_with_its_whole_interval(interval, on):
    costs = np.array([[11.8, 12, 12.2], [interval[0], 8.5, interval[1]]])
    gains = np.array([[0.5, 0.5, 0.5], [0.4, 0.4, 0.4]])
    assert frontier_in_doubt(costs, gains, np.array([False, True]), np.zeros(2, bool)).tolist() == on


def test_a_doubtful_estimate_does_not_put_a_sound_one_off_the_frontier():
    costs = np.array([[11.8, 12, 12.2], [9, 10, 13]])
    gains = np.array([[0.4, 0.4, 0.4], [0.5, 0.5, 0.5]])
    doubt = np.array([False, True])
    assert frontier_in_doubt(costs, gains, doubt, ~doubt & doubt).tolist() == [True, True]
    costs[1] = [9, 10, 11]
    assert frontier_in_doubt(costs, gains, doubt, ~doubt & doubt).tolist() == [False, True]


@given(points)
def test_among_those_without_doubt_it_is_the_frontier(points):
    """The one in doubt has no numbers, so it beats nobody."""
    columns = np.array([*points, (np.nan, np.nan)], float).T
    costs, gains = (np.repeat(column[:, None], 3, axis=1) for column in columns)
    doubt = np.arange(len(costs)) == len(points)
    found = frontier_in_doubt(costs, gains, doubt, np.zeros(len(costs), bool))
    assert found.tolist() == on_frontier(*columns).tolist()
