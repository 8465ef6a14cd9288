"""The figures as functions of a table."""

import json

import numpy as np
import pandas as pd
import pytest
from dashboard_runs import FIGURES, write_run

from tradeoffs.dashboard import filters, listing
from tradeoffs.dashboard.axes import GROUPING, choices_in
from tradeoffs.dashboard.bars import MOST_BARS, bars
from tradeoffs.dashboard.figures import figures_of
from tradeoffs.dashboard.pages import figures as pages
from tradeoffs.dashboard.pages import limit
from tradeoffs.dashboard.scatter import frontier, mark_sizes
from tradeoffs.dashboard.store import Store
from tradeoffs.dashboard.style import assigned
from tradeoffs.results.names import short_names


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_the_paper(grid, name):
    figure = FIGURES[name]
    rows = figure.drawable(filters.shown(grid.table(), {}), figure.choices)
    drawn = figure.draw(rows, grid.table(), figure.choices)
    points = sum(len(trace.x) for trace in drawn.data if trace.x is not None and trace.x[0] is not None)
    assert points >= (len(rows) if name != "resolution" else 8)  # where runs of a single size join nothing


def test_a_scatter_has_every_run_and_all_about_it(grid):
    figure = FIGURES["frontier"]
    rows = filters.shown(grid.table(), {})
    drawn = figure.draw(rows, grid.table(), figure.choices)
    marks = [trace for trace in drawn.data if trace.customdata is not None]
    shown = {values[0]: (trace.hovertemplate, values) for trace in marks for values in trace.customdata}
    assert sorted(shown) == sorted(rows.index)
    template, values = shown["points/num_proposals=300"]
    for number, value in enumerate(values):
        template = template.replace(f"%{{customdata[{number}]}}", value)
    assert "mAP: 0.400" in template and "backbone: resnet101" in template and "multiply-adds [G]: 12" in template
    (line,) = [trace for trace in drawn.data if trace.mode == "lines+text" and trace.x[0] is not None]
    assert list(line.y) == sorted(line.y) and set(line.y) <= set(rows["mAP"])


@pytest.mark.parametrize("name", GROUPING)
@pytest.mark.parametrize("average", [{}, {"average": [""]}])
def test_a_scatter_can_be_grouped_by_anything(grid, name, average):
    figure = FIGURES["frontier"]
    rows = filters.shown(grid.table(), average)
    drawn = figure.draw(rows, grid.table(), {**figure.choices, "colour": name, "symbol": name})
    assert sum(len(trace.x) for trace in drawn.data if trace.customdata is not None) == len(rows)


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if not figure.barred])
@pytest.mark.parametrize("view", [{"x": ["image_size"]}, {"y": ["image_size"]}, {"x": ["memory"], "scale": ["log"]}])
def test_any_axis_can_be_chosen_and_marks_tell_their_run(grid, name, view):
    figure, rows = FIGURES[name], filters.shown(grid.table(), {})
    choices = choices_in(view, figure.choices)
    drawn = figure.draw(figure.drawable(rows, choices), grid.table(), choices)
    shown = [trace for trace in drawn.data if trace.hoverinfo != "skip"]
    marks = [trace for trace in shown if "markers" in trace.mode and trace.x[0] is not None]
    assert marks
    assert all(values[0] in rows.index for trace in marks for values in trace.customdata)


def test_what_is_not_finished_or_has_no_times_hides_nothing(runs):
    """Neither a larger image that failed, nor more proposals that were not timed."""
    for proposals in (10, 50):
        ms = 20.0 if proposals == 10 else None
        write_run(runs, f"s/{proposals}", 0.3, ms, model="faster_rcnn", image_size=300, proposals=proposals)
    write_run(runs, "s/failed", None, model="faster_rcnn", image_size=600, proposals=50, status="failed")
    write_run(runs, "s/untimed", 0.3, None)
    rows = Store(runs).table()
    for name, shown, lacking in (("proposals", {"s/10", "s/50"}, 1), ("time", {"s/10"}, 2)):
        figure = FIGURES[name]
        assert set(figure.drawable(rows, figure.choices).index) == shown
        assert figure.lacking(rows, figure.choices) == lacking


def test_other_recipes_and_seeds_that_lack_something_are_counted(runs):
    for lr, ms in ((1, 20.0), (2, None)):
        write_run(runs, f"s/lr={lr}", 0.3, ms)
    for proposals in (10, 50):
        write_run(runs, f"s/{proposals}", 0.3, None, model="rfcn", proposals=proposals)
    figure, rows = FIGURES["time"], Store(runs).table()
    assert list(figure.drawable(rows, figure.choices).index) == ["s/lr=1"]
    assert figure.lacking(rows, figure.choices) == 2  # the other recipe, and R-FCN


def test_what_was_stopped_is_no_result(runs):
    for name, score in (("whole", 0.2), ("hopeless", 0.4)):
        write_run(runs, name, score, status="finished" if name == "whole" else "stopped")
    figure, rows = FIGURES["frontier"], filters.shown(Store(runs).table(), {"average": [""]})
    assert list(rows.index) == ["hopeless", "whole"]
    assert list(figure.drawable(rows, figure.choices).index) == ["whole"]
    assert listing.best(rows, "mAP").to_dict() == {"hopeless": "", "whole": "★"}


def test_a_line_joins_the_best_recipes_not_their_means(runs):
    for size, scores in ((64, (0.1, 0.3)), (128, (0.4, 0.2))):
        for number, score in enumerate(scores):
            write_run(runs, f"s/{size}-{number}", score, image_size=size)
    figure, rows = FIGURES["resolution"], Store(runs).table()
    line = figure.draw(rows, rows, figure.choices).data[0]
    assert list(line.y) == [0.5 * 0.3, 0.5 * 0.4]


@pytest.mark.parametrize(
    ("score", "ms", "dashes"), [(0.3, 20.0, ["solid", "dot"]), (0.3, None, ["solid"]), (None, 20.0, ["dot"])]
)
def test_numbers_of_proposals_with_what_there_is(runs, score, ms, dashes):
    for proposals in (10, 50):
        write_run(runs, f"sweep/{proposals}", score, ms, proposals=proposals)
    figure, rows = FIGURES["proposals"], Store(runs).table()
    drawn = figure.draw(figure.drawable(rows, figure.choices), rows, figure.choices)
    lines = [trace for trace in drawn.data if trace.mode == "lines+markers"]
    assert [line.line.dash for line in lines] == dashes
    assert all(list(line.x) == [10, 50] for line in lines)
    assert figure.timed(figure.choices)


def test_sizes_are_compared_with_the_most_proposals(runs):
    for size, proposals in ((64, 10), (64, 50), (128, 10), (128, 50)):
        write_run(runs, f"s/{size}-{proposals}", 0.3 + 0.001 * proposals, image_size=size, proposals=proposals)
    write_run(runs, "s/none", 0.2, model="fcos")
    figure, rows = FIGURES["resolution"], Store(runs).table()
    usable = figure.drawable(rows, figure.choices)
    assert set(usable.index) == {"s/64-50", "s/128-50", "s/none"}
    lines = [trace for trace in figure.draw(usable, rows, figure.choices).data if trace.mode == "lines+markers+text"]
    assert [list(line.text) for line in lines] == [["64 px", "128 px"]]


def test_whiskers_are_the_bounds(grid):
    rows = filters.shown(grid.table(), {"sweep": ["points"]})
    trace = FIGURES["frontier"].draw(rows, grid.table(), FIGURES["frontier"].choices).data[0]
    np.testing.assert_allclose(trace.error_y.array, 0.02)
    np.testing.assert_allclose(trace.error_x.array, 0.1 * np.array(trace.x))  # more than the 0.05 of their repeats


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_whiskers_flatten_nothing(grid, scale):
    rows = filters.shown(grid.table(), {}).copy()
    rows["ms_high"] = 1e6
    figure = FIGURES["frontier"]
    drawn = figure.draw(rows, grid.table(), {**figure.choices, "scale": scale})
    ends = drawn.layout.xaxis.autorangeoptions
    assert ends.clipmin < rows["ms"].min() and rows["ms"].max() < ends.clipmax < 2 * rows["ms"].max()
    limit.draw(drawn, grid.table(), {"limit": ["5000"]}, figure)
    assert ends.clipmax > 5000  # the line is always to be seen


def test_titles_say_what_is_shown():
    frontier, memory = FIGURES["frontier"], FIGURES["memory"]
    assert frontier.heading(frontier.choices) == "Accuracy against time"
    assert frontier.heading({**frontier.choices, "x": "parameters"}) == "mAP against parameters"
    assert memory.heading({"x": "parameters"}) == "Parameters of each model"


@pytest.mark.parametrize(
    ("name", "command"), [("resolution", "image_size=300,600"), ("proposals", "num_proposals=10,50")]
)
def test_figures_of_lines_say_what_fills_them(runs, name, command):
    for backbone in ("mobilenet", "resnet18"):
        write_run(runs, backbone, backbone=backbone, proposals=100)
    table, figure = Store(runs).table(), FIGURES[name]
    said, drawn = pages.draw(figure, filters.shown(table, {}), table, {})
    assert drawn == {} and command in str(said)
    write_run(runs, "none", None, ms=20.0, model="fcos")
    write_run(runs, "more", image_size=600, proposals=300)
    write_run(runs, "most", image_size=600, proposals=400)
    more = Store(runs).table()
    said, drawn = pages.draw(figure, filters.shown(more, {}), more, {})
    assert len(drawn) == 1 and "with a single value of" in str(said) and "Not shown: 1 of" in str(said)
    assert figure.groups(table, figure.choices) == []


def test_figures_that_no_run_of_the_task_can_fill_are_not_offered(runs):
    """Scores are a task's, operating points a model's."""
    everything = figures_of(pd.DataFrame({"headline": []}), pd.DataFrame())
    write_run(runs, "one")
    assert everything.keys() - figures_of(Store(runs).table(), Store(runs).table()).keys() == {"proposals"}
    write_run(runs, "two-stage", model="faster_rcnn")
    assert everything.keys() == figures_of(Store(runs).table(), Store(runs).table()).keys()
    write_run(runs / "others", "two", task="classification")
    table = Store(runs / "others").table()
    assert everything.keys() - figures_of(table, table).keys() == {"objects", "resolution", "proposals", "thresholds"}


def test_the_frontier_follows_the_better_direction(grid):
    rows = grid.table()
    fastest, best = rows["ms"].min(), rows["mAP"].max()
    by_time, _ = frontier(rows, "ms", "mAP")
    assert (by_time["ms"].iloc[0], by_time["mAP"].iloc[-1]) == (fastest, best)
    by_throughput, _ = frontier(rows, "images_per_second", "mAP")
    assert sorted(by_throughput.index) == sorted(by_time.index)


def doubtful_runs(runs):
    """In turn: quiet, slower but disturbed so much that it may be faster, disturbed and faster still, untrained."""
    for name, score, ms in (("calm", 0.4, 20), ("shaken", 0.3, 19), ("quick", 0.2, 5), ("untrained", 0.01, 1)):
        folder = write_run(runs, name, score, ms)
        content = json.loads((folder / "result.json").read_text())
        content["cost"]["batches"]["1"]["disturbed"] = name in ("shaken", "quick")
        (folder / "result.json").write_text(json.dumps(content))
    return Store(runs).table()


def test_what_is_in_doubt_is_hollow_and_on_the_frontier_only_for_sure(runs):
    rows = doubtful_runs(runs)
    figure = FIGURES["frontier"]
    drawn = figure.draw(rows, rows, figure.choices)
    hollow = {
        values[0]: symbol.endswith("-open")
        for trace in drawn.data
        if trace.customdata is not None
        for values, symbol in zip(trace.customdata, trace.marker.symbol, strict=True)
    }
    assert hollow == {"calm": False, "shaken": True, "quick": True, "untrained": True}
    best, maybe = frontier(rows, "ms", "mAP")
    assert (list(best.index), list(maybe.index)) == (["quick", "calm"], ["shaken"])
    assert {"hollow", "ringed"} <= {str(trace.name).partition(":")[0] for trace in drawn.data}


def test_stars_are_for_what_is_beyond_doubt(runs):
    rows = doubtful_runs(runs).drop(["quick", "untrained"])
    assert listing.best(rows, "ms").to_dict() == {"calm": "★", "shaken": "☆"}
    assert listing.marked(rows, "ms") == ["20", "19!"]
    rows = Store(runs).table()
    assert listing.best(rows, "ms").to_dict() == {"calm": "", "quick": "", "shaken": "", "untrained": "★"}
    assert listing.best(rows, "mAP").to_dict() == {"calm": "★", "quick": "", "shaken": "", "untrained": ""}
    assert listing.marked(rows, "mAP")[-1] == "0.010?"
    assert listing.marks_explained(rows, ["mAP"]) == "? hardly trained."
    write_run(runs, "close", 0.39, 30)
    assert listing.best(Store(runs).table(), "mAP")["close"] == "☆"


def test_colours_do_not_depend_on_the_filter(grid):
    figure = FIGURES["frontier"]
    for view in ({}, {"backbone": ["resnet101"]}):
        rows = filters.shown(grid.table(), view)
        drawn = figure.draw(rows, grid.table(), figure.choices)
        colours = {trace.name: trace.marker.color for trace in drawn.data if trace.showlegend is None}
        assert colours["resnet101"] == "#D55E00"


def test_looks_and_sizes(grid):
    assert assigned(["b", "a", "b"], ("x", "y")) == {"a": "x", "b": "y"}
    sizes = mark_sizes(grid.table(), "memory")
    assert sizes.idxmax() == grid.table()["memory"].idxmax()
    assert mark_sizes(grid.table(), "").nunique() == 1


def test_no_more_bars_than_can_be_read(grid):
    rows = grid.table().sample(3 * MOST_BARS, replace=True, random_state=0)
    drawn = bars(rows, {"memory": "memory"}, "MB")
    assert len(drawn.data[0].x) == MOST_BARS
    assert list(drawn.data[0].x) == sorted(drawn.data[0].x)


def test_names_that_look_alike_tell_their_sweep(runs):
    for sweep in ("low", "high"):
        write_run(runs, f"{sweep}/model=ssd")
    write_run(runs, "low/model=fcos", model="fcos")
    assert sorted(short_names(Store(runs).table())) == ["fcos mobilenet", "ssd mobilenet high", "ssd mobilenet low"]


def test_names_are_no_markup(runs):
    write_run(runs, "<script>alert(1)", backbone="<img src=x>")
    rows = Store(runs).table()
    text = FIGURES["frontier"].draw(rows, rows, FIGURES["frontier"].choices).to_json()
    assert "<script" not in text and "<img" not in text


def test_a_time_taken_beside_other_work_may_be_any(runs):
    """Even the fastest of them has no sure star: the others have hollow ones."""
    for name, ms in (("fast", 10), ("slow", 60)):
        folder = write_run(runs, name, 0.4, ms)
        content = json.loads((folder / "result.json").read_text())
        content["cost"]["other_load"] = 0.5
        (folder / "result.json").write_text(json.dumps(content))
    assert listing.best(Store(runs).table(), "ms").to_dict() == {"fast": "★", "slow": "☆"}
