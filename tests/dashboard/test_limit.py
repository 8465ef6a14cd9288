"""The limit in the figures of costs and gains."""

import pytest
from dashboard_runs import FIGURES

from tradeoffs.dashboard import filters
from tradeoffs.dashboard.export import report
from tradeoffs.dashboard.pages import limit


@pytest.mark.parametrize(
    ("name", "view", "said"),
    [
        ("frontier", {"limit": ["40"]}, "ssd resnet101 600 px (mAP 0.305, 37 ms"),
        ("frontier", {"limit": ["40"], "model": ["faster_rcnn"]}, "faster_rcnn resnet101 600 px 50 proposals"),
        ("frontier", {"limit": ["3"]}, "No run is below 3 ms on shapes"),
        ("frontier", {"limit": ["40"], "x": ["images_per_second"]}, "with the highest mAP above 40 images/s"),
        ("frontier", {"limit": ["3O"]}, "3O is no number"),
    ],
)
def test_the_answer_is_that_of_the_results(grid, name, view, said):
    view = {"model": ["ssd"], **view}
    text = str(limit.answer_components(grid, view, FIGURES[name]))
    assert said.replace("with the", "has the") in text


def test_nothing_is_asked_without_a_limit_or_below_other_figures(grid):
    assert limit.answer_components(grid, {}, FIGURES["frontier"]) == []
    assert limit.components(grid, {"limit": ["40"]}, FIGURES["objects"]) == []
    assert limit.components(grid, {"limit": ["40"]}, FIGURES["arithmetic"]) == []  # two costs


@pytest.mark.parametrize(("view", "place"), [({"limit": ["40"]}, 40), ({}, 120 * limit.BESIDE)])
def test_the_line_stands_at_the_limit_or_waits_beside_the_marks(grid, view, place):
    figure = FIGURES["frontier"]
    drawn = figure.draw(filters.shown(grid.table(), {}), grid.table(), figure.choices)
    limit.draw(drawn, grid.table(), view, figure)
    (line,) = drawn.layout.shapes
    assert (line.x0, line.x1) == (place, place)


def test_a_report_answers_too(grid):
    assert "has the highest mAP below 40 ms" in report(grid, {"limit": ["40"]})
