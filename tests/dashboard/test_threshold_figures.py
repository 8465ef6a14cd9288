"""What a run's page draws of its scores."""

import small_runs
from dashboard_runs import write_run, write_scored

from tradeoffs.dashboard.pages import scores
from tradeoffs.dashboard.store import Store
from tradeoffs.dashboard.threshold_figures import confusion_matrix, f1, precision_recall
from tradeoffs.metrics.confusion import Confusion
from tradeoffs.metrics.curves import best_f1
from tradeoffs.metrics.matches import Matches


def titles(store: Store, run: str) -> list[str]:
    return [each.children[0].children for each in scores.sections(store, run, store.record_and_row(run)[0])]


def test_figures_and_their_sections(runs, tmp_path):
    folder = write_scored(runs, "one", small_runs.write_data(tmp_path / "data"), shift=0)
    matches = Matches.load(folder / "matches.npz")
    drawn = precision_recall(matches, ["<b>", "dark"])
    names = [line.name for line in drawn.data]
    assert names == ["all, IoU 0.5: AP 1.00", "all, IoU 0.75: AP 1.00", "&lt;b&gt;: 1.00", "dark: 1.00"]
    best = best_f1(matches)
    assert best.f1 == 1 and f1(matches, ["<b>", "dark"], best).layout.shapes[0].x0 == best.threshold
    assert titles(Store(runs), "one") == [
        *("Precision against recall", "F1 against the score, at IoU 0.5", "Which class was taken for which")
    ]


def test_a_run_of_before_has_none_of_them(runs):
    write_run(runs, "old")
    assert titles(Store(runs), "old") == []


def test_the_matrix_keeps_classes_of_one_name_apart():
    figure = confusion_matrix(Confusion(0.5, ["a", "a"], [[3, 1, 0], [0, 0, 0], [2, 0, 0]]))
    heat = figure.data[0]
    assert heat.z.tolist() == [[0.75, 0.25, 0], [0, 0, 0], [1, 0, 0]]
    assert heat.text.tolist() == [[3, 1, 0], [0, 0, 0], [2, 0, 0]]
    assert heat.hovertext[2][0] == "background, predicted: a: 2"
    assert figure.layout.xaxis.ticktext == ("a", "a", "missed")
