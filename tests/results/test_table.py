"""Many records as a table, and what the terminal shows of it."""

import json
import math
from pathlib import Path

import pytest

from tradeoffs.errors import UserError
from tradeoffs.results.__main__ import main
from tradeoffs.results.bounds import bounds, frontier
from tradeoffs.results.columns import device
from tradeoffs.results.names import distinguishing_names
from tradeoffs.results.record import Identity, Record, read_record, write_record
from tradeoffs.results.seeds import over_seeds_table
from tradeoffs.results.table import read_table


def write_run(
    runs: Path,
    name: str,
    score: float | None = 0.3,
    ms: float | None = 20.0,
    disturbed: bool = False,
    load: float = 0.0,
    trained: bool = True,
    precision: str = "float32",
    time: str | None = None,
    **who,
) -> None:
    identity = {"task": "detection", "model": "ssd", "backbone": "mobilenet", "data": "shapes", "image_size": 300}
    identity |= {"seed": 1, "config_hash": name, "recipe_hash": name, **who}
    record = Record(
        Identity(name=name, **identity),
        status="failed" if score is None else "finished",
        error="out of memory" if score is None else None,
        accuracy={} if score is None else accuracy(score),
        cost={} if ms is None else cost(ms, disturbed, load, trained, precision),
        config={"model": {"num_proposals": 50}},
        where={"cpu": "a processor", "threads": 2, "time": time},
    )
    (runs / name).mkdir(parents=True)
    write_record(runs / name / "result.json", record)


def cost(ms: float, disturbed: bool, load: float, trained: bool, precision: str) -> dict:
    batch = {
        "total_ms": {"median": ms, "confidence_low": ms - 1, "confidence_high": ms + 1, "p90": ms + 3},
        "images_per_second": 1000 / ms,
        "peak_memory_bytes": 5e6,
        "disturbed": disturbed,
    }
    sizes = {"multiply_adds": 2.5e9, "parameters": 5e6}
    how = {"other_load": load, "trained": trained, "protocol": {"precision": precision}}
    return {"batches": {"1": batch, "8": batch}, **sizes, **how}


def accuracy(score: float) -> dict:
    return {
        "summary": {"mAP": score, "AP50": 2 * score},
        "intervals": {"mAP": [score - 0.02, score + 0.02], "AP50": [2 * score - 0.03, 2 * score + 0.03]},
    }


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_run(tmp_path, "fast", 0.2, ms=10)
    write_run(tmp_path, "good", 0.4, ms=30, model="fasterrcnn")
    write_run(tmp_path, "bad", 0.3, ms=40)
    write_run(tmp_path, "broken", None)
    return tmp_path


def test_a_row_for_each_record(runs):
    (runs / "fast/checkpoints").mkdir()
    (runs / "fast/checkpoints/result.json").write_text("no record")
    table, faults = read_table([runs])
    assert faults == []
    assert [Path(folder).name for folder in table.index] == ["bad", "broken", "fast", "good"]
    row = table.loc[str(runs / "fast")]
    assert (row["model"], row["mAP"], row["ms"], row["ms_high"]) == ("ssd", 0.2, 10, 11)
    assert (row["multiply_adds"], row["memory"], row["num_proposals"]) == (2.5, 5, 50)
    assert (table.loc[str(runs / "broken"), "status"], table.loc[str(runs / "broken"), "error"]) == (
        "failed",
        "out of memory",
    )


def test_a_record_counts_once_however_it_is_named(runs):
    assert len(read_table([runs, runs / "fast", runs / "fast/result.json"]).table) == 4


def test_damaged_and_newer_records_are_said_and_older_ones_are_read(runs):
    (runs / "fast/result.json").write_text("{")
    newer = json.loads((runs / "good/result.json").read_text()) | {"schema_version": 99}
    (runs / "good/result.json").write_text(json.dumps(newer))
    older = json.loads((runs / "bad/result.json").read_text()) | {"schema_version": 1}
    del older["config"], older["who"]["recipe_hash"]
    (runs / "bad/result.json").write_text(json.dumps(older))
    table, faults = read_table([runs])
    assert [Path(folder).name for folder in table.index] == ["bad", "broken"]
    assert table["recipe"].iloc[0] == table.index[0]
    assert len(faults) == 2
    assert "is damaged" in faults[0]
    assert "has schema 99" in faults[1]


def test_seeds_are_one_row(runs):
    for seed, score in ((2, 0.5), (3, 0.6)):
        write_run(runs, f"good,seed={seed}", score, ms=30 + seed, model="fasterrcnn", seed=seed, recipe_hash="good")
    rows = over_seeds_table(read_table([runs]).table)
    assert rows["seeds"].tolist() == [1, 1, 3]
    row = rows.iloc[-1]
    assert row["mAP"] == pytest.approx(0.5)
    assert row["name"] == "good"
    assert (row["mAP_low"], row["mAP_high"]) == pytest.approx((0.5 - 0.2484, 0.5 + 0.2484), abs=1e-4)
    assert (row["ms_low"], row["ms_high"]) == (29, 34)  # of the fastest and of the slowest


@pytest.mark.parametrize("why", [{"disturbed": True}, {"load": 0.5}])
def test_disturbed_times_are_marked(tmp_path, capsys, why):
    write_run(tmp_path, "calm", ms=10)
    write_run(tmp_path, "shaken", ms=20, seed=2, recipe_hash="calm", **why)
    main([str(tmp_path)])
    assert "15!" in capsys.readouterr().out


def test_two_records_of_one_run_are_one_seed(runs):
    write_run(runs, "again", 0.4, ms=30, model="fasterrcnn", config_hash="good", recipe_hash="good")
    rows = over_seeds_table(read_table([runs]).table)
    assert rows["seeds"].tolist() == [1, 1, 1]


def test_several_records_of_one_run_complete_each_other(tmp_path):
    """Scored without times, timed beside other work, and timed again in quiet."""
    same = {"config_hash": "one", "recipe_hash": "one"}
    write_run(tmp_path, "a-benchmark", None, ms=20, **same)
    write_run(tmp_path, "b", 0.4, ms=50, load=0.5, **same)
    write_run(tmp_path, "b/evaluations/default", 0.4, ms=None, **same)
    finish(tmp_path / "a-benchmark/result.json")
    (row,) = over_seeds_table(read_table([tmp_path]).table).itertuples()
    assert (row.mAP, row.ms, row.ms_low, row.busy, row.seeds) == (0.4, 20, 19, False, 1)


@pytest.mark.parametrize(("own", "again", "score"), [("10", "11", 0.5), ("11", "10", 0.4), (None, "10", 0.5)])
def test_the_newest_of_several_scores_counts(tmp_path, own, again, score):
    """Whichever has the better time, and whatever their folders are called; records of before say no time."""
    same = {"config_hash": "one", "recipe_hash": "one"}
    when = [f"2026-11-{day}T08:00:00+00:00" if day else None for day in (own, again)]
    write_run(tmp_path, "own", 0.4, ms=20, time=when[0], **same)
    write_run(tmp_path, "own/evaluations/default", 0.5, ms=10, time=when[1], **same)
    (row,) = over_seeds_table(read_table([tmp_path]).table).itertuples()
    assert (row.mAP, row.score, row.mAP_low, row.ms) == pytest.approx((score, score, score - 0.02, 20))


def test_a_score_has_its_own_interval_or_none(tmp_path):
    same = {"config_hash": "one", "recipe_hash": "one"}
    write_run(tmp_path, "own", 0.4, time="2026-11-10", **same)
    write_run(tmp_path, "own/evaluations/default", 0.5, time="2026-11-11", **same)
    file = tmp_path / "own/evaluations/default/result.json"
    record = json.loads(file.read_text())
    record["accuracy"].pop("intervals")
    file.write_text(json.dumps(record))
    (row,) = over_seeds_table(read_table([tmp_path]).table).itertuples()
    assert row.mAP == 0.5 and math.isnan(row.mAP_low)


@pytest.mark.parametrize("order", [("own", "again"), ("again", "own")])
def test_repeats_that_disagree_are_a_doubt_in_any_order(tmp_path, order):
    """The steadier one counts, and both may be the truth."""
    same = {"config_hash": "one", "recipe_hash": "one"}
    write_run(tmp_path, "own", 0.4, ms=40, **same)
    write_run(tmp_path, "again", None, ms=30, **same)  # as wide in ms, so wider for its time
    finish(tmp_path / "again/result.json")
    (row,) = over_seeds_table(read_table([tmp_path / name for name in order]).table).itertuples()
    assert (row.mAP, row.ms, row.ms_low, row.ms_high) == (0.4, 40, 29, 41)


def test_quiet_times_count_whatever_their_folder_is_called(tmp_path):
    same = {"config_hash": "one", "recipe_hash": "one"}
    write_run(tmp_path, "benchmark", None, ms=20, **same)
    write_run(tmp_path, "own", 0.4, ms=40, disturbed=True, **same)
    finish(tmp_path / "benchmark/result.json")
    (row,) = over_seeds_table(read_table([tmp_path]).table).itertuples()
    assert (row.mAP, row.ms, row.disturbed) == (0.4, 20, False)


@pytest.mark.parametrize(("how", "protocol"), [({"trained": False}, "random"), ({"precision": "bfloat16"}, "bfloat16")])
def test_times_taken_in_another_way_are_a_row_of_their_own(tmp_path, how, protocol):
    """Of random weights, or in another number format; one of two seeds was not timed at all."""
    write_run(tmp_path, "seed=1", 0.4, ms=20, recipe_hash="one", load=0.5)
    write_run(tmp_path, "seed=2", 0.5, ms=None, seed=2, recipe_hash="one")
    write_run(tmp_path, "zebra", None, ms=5, config_hash="seed=1", recipe_hash="one", **how)
    finish(tmp_path / "zebra/result.json")
    scored, other = over_seeds_table(read_table([tmp_path]).table).itertuples()
    assert (scored.mAP, scored.ms, scored.seeds, scored.protocol) == (0.45, 20, 2, "trained, float32, batch 8")
    assert (other.ms, other.seeds) == (5, 1)
    assert math.isnan(other.mAP) and protocol in other.protocol


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ({"cpu": "EPYC", "threads": 2, "omp_wait_policy": "PASSIVE"}, "EPYC, 2 threads (passive)"),
        ({"cpu": "EPYC", "threads": 2, "omp_wait_policy": None}, "EPYC, 2 threads"),
        ({"cpu": "EPYC", "threads": 1, "omp_wait_policy": "PASSIVE"}, "EPYC, 1 thread"),
        ({"cpu": "EPYC", "device": "H100", "threads": 2, "omp_wait_policy": "PASSIVE"}, "H100"),
    ],
)
def test_threads_that_sleep_while_they_wait_are_another_device(where, name):
    assert device(Record(Identity("a", *"tmbd", 300, 1, "h"), "finished", where=where)) == name


def test_a_run_that_was_not_timed_goes_with_its_seeds_not_with_a_benchmark(tmp_path):
    write_run(tmp_path, "benchmark", None, ms=19, config_hash="seed=1", recipe_hash="one", precision="bfloat16")
    write_run(tmp_path, "seed=1", 0.4, ms=20, recipe_hash="one")
    write_run(tmp_path, "seed=2", 0.5, ms=None, seed=2, recipe_hash="one")
    finish(tmp_path / "benchmark/result.json")
    rows = over_seeds_table(read_table([tmp_path]).table)
    assert [(row.seeds, row.ms) for row in rows.itertuples()] == [(1, 19), (2, 20)]
    assert rows["mAP"].tolist()[1] == 0.45


def test_records_of_an_older_schema_complete_each_other(tmp_path):
    for name, score, ms in (("own", 0.4, None), ("again", None, 20)):
        write_run(tmp_path, name, score, ms=ms, config_hash="one", recipe_hash=None)
    finish(tmp_path / "again/result.json")
    (row,) = over_seeds_table(read_table([tmp_path]).table).itertuples()
    assert (row.mAP, row.ms) == (0.4, 20)


def test_a_record_without_times_says_nothing_about_load(tmp_path):
    write_run(tmp_path, "a", 0.4, ms=20, load=0.5, recipe_hash="one", config_hash="one")
    write_run(tmp_path, "b", 0.4, ms=None, recipe_hash="one", config_hash="one")
    record = json.loads((tmp_path / "b/result.json").read_text()) | {"cost": {"error": "out of memory"}}
    (tmp_path / "b/result.json").write_text(json.dumps(record))
    (row,) = over_seeds_table(read_table([tmp_path]).table).itertuples()
    assert (row.ms, row.busy, row.disturbed) == (20, True, True)


def test_a_single_score_keeps_the_bounds_of_its_images(tmp_path):
    write_run(tmp_path, "seed=1", None, ms=20, recipe_hash="one")
    write_run(tmp_path, "seed=2", 0.5, ms=22, seed=2, recipe_hash="one")
    finish(tmp_path / "seed=1/result.json")
    (row,) = over_seeds_table(read_table([tmp_path]).table).itertuples()
    assert (row.seeds, row.ms, row.name) == (1, 21, "seeds")
    assert row.Index == str(tmp_path / "seed=2")  # who follows it finds the scores
    assert (row.mAP_low, row.mAP_high, row.AP50_low) == pytest.approx((0.48, 0.52, 0.97))


def finish(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "finished", "error": None}))


def test_a_seed_of_something_else_stays_in_the_name(tmp_path):
    for seed in (1, 2):
        write_run(tmp_path, f"data.source.seed=3,seed={seed}", recipe_hash="one")
    (row,) = over_seeds_table(read_table([tmp_path]).table).itertuples()
    assert row.name == "data.source.seed=3"


def test_times_beside_other_work_beat_nobody_for_sure(tmp_path, capsys):
    write_run(tmp_path, "good", 0.4, ms=10)
    write_run(tmp_path, "bad", 0.2, ms=20, load=0.5, model="fcos")
    main([str(tmp_path)])
    assert "~" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"cost": None}, "cost is None"),
        ({"status": ["finished"]}, "status is ['finished']"),
        ({"accuracy": {"summary": {"mAP": "high"}}}, "mAP is 'high'"),
        ({"config": {"model": {"num_proposals": "many"}}}, "num_proposals is 'many'"),
        ({"training": {"epochs": 10**400}}, "int too large to convert to float"),
    ],
)
def test_a_record_of_an_odd_form_is_said(runs, odd, why):
    content = json.loads((runs / "fast/result.json").read_text()) | odd
    (runs / "fast/result.json").write_text(json.dumps(content))
    table, (fault,) = read_table([runs])
    assert len(table) == 3
    assert f"fast/result.json is damaged: {why}" in fault


def test_a_record_that_cannot_be_read_is_said(runs):
    (runs / "fast/result.json").unlink()
    (runs / "fast/result.json").symlink_to("result.json")
    table, (fault,) = read_table([runs])
    assert len(table) == 3
    assert "fast/result.json cannot be read: Too many levels" in fault


def test_exact_costs_leave_no_doubt(tmp_path, capsys):
    """What is counted has no bounds, so what needs as much and finds less is beaten for sure."""
    write_run(tmp_path, "good", 0.4)
    write_run(tmp_path, "bad", 0.2, model="fcos")
    for y in ("mAP", "AP50"):
        main([str(tmp_path), "--x", "multiply_adds", "--y", y])
    assert "~" not in capsys.readouterr().out
    main([str(tmp_path), "--x", "images_per_second"])  # whose bounds nobody knows
    assert "~" in capsys.readouterr().out


def test_models_scored_on_other_images_are_said(tmp_path, capsys):
    for name, count in (("few", 4), ("many", 16), ("again", 16)):
        write_run(tmp_path, name, 0.4)
        record = json.loads((tmp_path / name / "result.json").read_text())
        record["accuracy"]["per_class"] = [{"name": "disc", "AP": 0.4, "instances": count}]
        (tmp_path / name / "result.json").write_text(json.dumps(record))
    main([str(tmp_path)])
    assert "Scored on 2 different sets of images: accuracies do not compare." in capsys.readouterr().out
    main([str(tmp_path / "many"), str(tmp_path / "again")])
    assert "different" not in capsys.readouterr().out


def test_people_in_given_boxes_and_in_whole_images_are_told_apart(tmp_path, capsys):
    """Neither times nor accuracies compare: each kind of boxes has a table, a frontier and an answer of its own."""
    detector = {"source": "runs/detector/predictions.json", "hash": "0123456789abcdef"}
    for name, score, ms, model, boxes in (
        ("crops", 0.8, 3, {}, {"source": "truth"}),
        ("detected", 0.6, 4, {}, detector),
        ("whole", 0.5, 90, {"annotations": ["boxes", "keypoints"]}, {"source": "model"}),
    ):
        write_run(tmp_path, name, score, ms, task="pose", model="keypoint_rcnn" if model else "simple_baseline")
        record = json.loads((tmp_path / name / "result.json").read_text())
        record["accuracy"] |= {"summary": {"pck": score}, "person_boxes": boxes}
        record["config"] = {"task": {"name": "pose"}, "model": model}
        record["cost"].setdefault("protocol", {})["each_image"] = "a whole image" if model else "one person, cut out"
        (tmp_path / name / "result.json").write_text(json.dumps(record))
    table = read_table([tmp_path]).table
    assert table.set_index("name")["given_boxes"].to_dict() == {
        "crops": "true boxes",
        "detected": "a detector's boxes (012345)",
        "whole": "own boxes",
    }
    on, _ = frontier(over_seeds_table(table), "ms", "pck", (True, False))
    assert on.all()
    main([str(tmp_path)])
    said = capsys.readouterr().out
    for boxes in ("true", "a detector's", "own"):
        assert f"pose, shapes, {boxes} boxes" in said
    main([str(tmp_path), "--below", "ms=100", "--best", "pck"])
    assert capsys.readouterr().out.count("has the highest pck") == 3
    protocols = table.set_index("name")["protocol"]
    assert "one person, cut out" in protocols["crops"] and "image" not in protocols["whole"]


def test_seeds_that_tie_are_no_certainty(tmp_path):
    """Two equal scores have the interval of the images, and no interval leaves what a share can be."""
    for name, scores in (("tied", (0.4, 0.4)), ("low", (0.01, 0.06)), ("no share", (1.2, 1.4))):
        for seed, score in enumerate(scores, 1):
            write_run(tmp_path, f"{name},seed={seed}", score, seed=seed, recipe_hash=name)
    rows = over_seeds_table(read_table([tmp_path]).table).set_index("recipe")
    assert rows.loc["tied", ["mAP_low", "mAP_high"]].tolist() == pytest.approx([0.38, 0.42])
    assert rows.loc["low", "mAP_low"] == 0.0 and 0.06 < rows.loc["low", "mAP_high"] <= 1.0
    assert rows.loc["no share", "mAP_low"] < 1.2 and rows.loc["no share", "mAP_high"] > 1.4


def test_a_score_above_a_tenth_may_be_chance(tmp_path):
    write_run(tmp_path, "chance", 0.3, task="classification")
    record = json.loads((tmp_path / "chance/result.json").read_text())
    counts = [{"id": place, "name": str(place), "accuracy": 0.3, "instances": 10} for place in range(3)]
    record["training"] = {"steps": 24}
    record["accuracy"] = {"summary": {"top1": 0.33}, "per_class": counts}
    (tmp_path / "chance/result.json").write_text(json.dumps(record))
    again = tmp_path / "chance/evaluations/again"
    again.mkdir(parents=True)
    record |= {"training": {}, "accuracy": {"summary": {"top1": 0.38}, "per_class": counts}}
    (again / "result.json").write_text(json.dumps(record))
    assert read_table([tmp_path]).table["hardly_trained"].tolist() == ["24 steps, top1 0.330: hardly trained"] * 2


def write_seeds(runs: Path, *hashes: str | None) -> None:
    """A run for each hash of validation images, of one recipe."""
    for seed, images in enumerate(hashes, 1):
        name = f"seed={seed}"
        write_run(runs, name, 0.1 * seed, ms=10 * seed, seed=seed, recipe_hash="one", val_data=images)
        record = json.loads((runs / name / "result.json").read_text())
        record["accuracy"]["per_class"] = [{"name": "disc", "AP": 0.4, "instances": 4}]
        (runs / name / "result.json").write_text(json.dumps(record))


def test_seeds_are_averaged_over_the_same_images_alone(tmp_path, capsys):
    write_seeds(tmp_path, "a" * 16, "a" * 16, "b" * 16)
    main([str(tmp_path)])
    said = capsys.readouterr().out
    assert "0.150" in said and "0.300" in said and "0.200" not in said
    assert "scored" in said and "aaaaaa" in said and "bbbbbb" in said
    assert "Scored on 2 different sets of images" in said
    rows = [line.split("│") for line in said.splitlines() if "ssd" in line]
    assert [row[-2].strip() for row in rows] == ["*", "*"]  # a score on other images beats nobody


def test_data_that_are_not_known_are_not_those_that_are(tmp_path, capsys):
    write_seeds(tmp_path, "a" * 16, None)
    main([str(tmp_path)])
    said = capsys.readouterr().out
    assert "aaaaaa" in said and "not known" in said
    assert "Whether all were scored on the same images is not known" in said


def test_runs_of_equal_settings_on_other_training_data_are_two(tmp_path, capsys):
    for name, score in (("before", 0.2), ("after", 0.8)):
        write_run(tmp_path, name, score, config_hash="one", recipe_hash="one", train_data=name, val_data="a" * 16)
    write_run(tmp_path, "benchmark", None, ms=5, config_hash="one", recipe_hash="one")  # of one of both
    finish(tmp_path / "benchmark/result.json")
    main([str(tmp_path)])
    said = capsys.readouterr().out
    assert "0.200" in said and "0.800" in said and "trained" in said


def test_a_folder_is_no_place_for_a_table(runs, capsys):
    assert main([str(runs), "--csv", str(runs)]) == 2
    assert "is a folder; give --csv a file" in capsys.readouterr().err


def test_a_file_for_which_there_is_no_folder_is_said_at_once(runs, capsys):
    assert main([str(runs), "--csv", str(runs / "nowhere/all.csv")]) == 2
    said = capsys.readouterr()
    assert not said.out and "nowhere/ does not exist" in said.err


def test_the_terminal_shows_rows_frontier_and_failures(runs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main([str(runs), "--csv", str(runs / "all.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "detection, shapes, a processor, 2 threads"
    rows = {
        line.split("│")[3].strip(): line.split("│")[-2].strip() for line in lines if "ssd" in line or "fast" in line
    }
    assert "failed: " in lines[-2]
    assert lines[-2].endswith("broken: out of memory")
    assert list(rows.values()) == ["*", "", "*"]
    assert len((runs / "all.csv").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("folders", "settings"),
    [
        (
            ("model=ssd,optimizer.lr=0.01", "model=ssd,optimizer.lr=0.1,seed=2"),
            ("optimizer.lr=0.01", "optimizer.lr=0.1,seed=2"),
        ),
        (("low/model=ssd", "high/model=ssd"), ("low", "high")),  # two sweeps
        (("lr=1", "lr=1/evaluations/nms=0.3"), ("", "nms=0.3")),
        (("lr=1", "lr=1/evaluations/default"), ("", "evaluated again")),
        (("s/lr=1", "s/lr=1/evaluations/num_proposals=5,10/num_proposals=5,lr=2"), ("", "lr=2")),
        (("lr=1", "benchmark/trained=model=ssd,lr=1,24729edf"), ("lr=1", "benchmark/lr=1,24729edf")),
        (
            ("benchmark/model=ssd,fcos,backbone=resnet18/model=ssd,backbone=resnet18", "ssd,backbone=resnet18,lr=1"),
            ("benchmark", "ssd,lr=1"),  # of a grid; a folder called by hand
        ),
        (
            ("benchmark/model=ssd,fcos,24729edf/model=ssd", "benchmark/model=ssd,fcos,46a2bf33/model=ssd"),
            ("24729edf", "46a2bf33"),
        ),
    ],
)
def test_rows_that_look_alike_are_told_apart_by_their_folders(tmp_path, folders, settings):
    for number, folder in enumerate(folders):
        write_run(tmp_path, folder, 0.1 * (number + 1))
    rows = over_seeds_table(read_table([tmp_path]).table)
    assert dict(zip(rows.index, distinguishing_names(rows), strict=True)) == dict(
        zip((str(tmp_path / folder) for folder in folders), settings, strict=True)
    )


def test_that_column_is_there_only_where_it_is_needed(tmp_path, capsys):
    write_run(tmp_path, "optimizer.lr=0.01", 0.2)
    write_run(tmp_path, "optimizer.lr=0.1", 0.3)
    main([str(tmp_path)])
    assert "│ optimizer.lr=0.1 " in capsys.readouterr().out
    write_run(tmp_path / "others", "optimizer.lr=0.01", 0.2)
    write_run(tmp_path / "others", "optimizer.lr=0.1", 0.3, model="fcos")
    main([str(tmp_path / "others")])
    assert "optimizer" not in capsys.readouterr().out


def test_a_narrow_terminal_shows_less_but_cuts_no_number(runs, capsys, monkeypatch):
    shown = {}
    for columns in (200, 50):
        monkeypatch.setenv("COLUMNS", str(columns))
        main([str(runs)])
        shown[columns] = capsys.readouterr().out
    assert "AP50" in shown[200] and "wider terminal" not in shown[200]
    assert "AP50" not in shown[50] and "wider terminal" in shown[50]
    numbers = {word for line in shown[50].splitlines() if "│" in line for word in line.split() if "." in word}
    assert numbers and numbers <= set(shown[200].split())


def test_data_sets_and_devices_are_not_mixed(runs, capsys):
    write_run(runs, "elsewhere", data="coco")
    main([str(runs)])
    out = capsys.readouterr().out
    assert "detection, shapes, a processor" in out
    assert "detection, coco, a processor" in out


@pytest.mark.parametrize(("place", "line"), [("", "no records in"), ("zzz", "zzz does not exist")])
def test_nothing_to_show_is_said(tmp_path, capsys, place, line):
    assert main([str(tmp_path / place)]) == 2
    assert line in capsys.readouterr().err


def test_a_place_that_does_not_exist(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_table([tmp_path / "zzz"])


def test_numbers_of_another_process_may_be_others(tmp_path):
    """Whatever the repeats say: a time by a tenth, in turns with others by 3 %, the memory of a process by a third."""
    for name, how in {
        "alone": {"turns": "the model alone", "memory": "resident set of the process"},
        "turns": {"turns": "3 models in turns, in an order that changes every round"},
        "gpu": {"memory": "torch's allocator"},
        "old": {},
    }.items():
        write_run(tmp_path, name, ms=100)
        record = read_record(tmp_path / name / "result.json")
        record.cost["protocol"] |= how
        write_record(tmp_path / name / "result.json", record)
    rows = over_seeds_table(read_table([tmp_path]).table)
    rows.index = [Path(name).name for name in rows.index]
    low, _, high = bounds(rows, "ms").T
    highest = dict(zip(rows.index, high, strict=True))
    assert highest == pytest.approx({"alone": 110, "turns": 103, "gpu": 110, "old": 110})
    assert low[rows.index.get_loc("turns")] == pytest.approx(100 / 1.03)
    memory = dict(zip(rows.index, bounds(rows, "memory")[:, 2], strict=True))
    assert memory == pytest.approx({"alone": 20 / 3, "turns": 20 / 3, "gpu": 5, "old": 20 / 3})
    throughput = bounds(rows, "images_per_second")[rows.index.get_loc("alone")]
    assert throughput == pytest.approx([10 / 1.1, 10, 11])


def test_a_disturbed_time_wins_no_frontier_by_chance(tmp_path, capsys):
    """Its turns reach from 10 to 23 ms, those of the other one from 21 to 23."""
    write_run(tmp_path, "shaken", 0.3, ms=20, disturbed=True, model="fcos")
    write_run(tmp_path, "calm", 0.4, ms=22)
    write_run(tmp_path, "quick", 0.2, ms=5, disturbed=True, model="yolo")
    main([str(tmp_path)])
    out = capsys.readouterr().out
    marks = {line.split("│")[1].strip(): line.split("│")[-2].strip() for line in out.splitlines() if "│" in line}
    assert marks == {"ssd": "*", "fcos": "~", "yolo": "*"}
    assert "! disturbed: do not rank" in out


def test_what_was_hardly_trained_is_marked_and_on_no_frontier(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    write_run(tmp_path, "untrained", 0.013, ms=5, model="yolo")
    write_run(tmp_path, "untrained/evaluations/nms=0.5", 0.05, ms=5, model="rfcn")
    write_run(tmp_path, "untrained/evaluations/nms=0.9", 0.2, ms=5, model="fcos")  # so it was trained after all
    write_run(tmp_path, "good", 0.4, ms=30)
    main([str(tmp_path)])
    lines = [line for line in capsys.readouterr().out.splitlines() if "│" in line or line.startswith("?")]
    assert ["?" in line for line in lines] == [False, False, True, True, True]
    assert [line.split("│")[-2].strip() for line in lines[:4]] == ["*", "*", "", ""]
    assert lines[4].startswith("? ") and "yolo mobilenet: mAP 0.013: next to nothing was learned" in lines[4]


def test_how_much_was_trained_is_a_column_where_it_differs(tmp_path, capsys):
    for name, epochs in (("few", 2), ("many", 20)):
        write_run(tmp_path, name, 0.3, recipe_hash=name)
        content = json.loads((tmp_path / name / "result.json").read_text())
        content |= {"training": {"epochs": epochs, "steps": 100 * epochs}, "config": {"batch_size": 8}}
        (tmp_path / name / "result.json").write_text(json.dumps(content))
    main([str(tmp_path)])
    out = capsys.readouterr().out
    assert {"epochs", "images", "seen", "1600", "16000"} <= set(out.split())
    main([str(tmp_path / "few")])
    assert "epochs" not in capsys.readouterr().out


def test_a_benchmark_on_other_photos_is_not_of_its_data_set(tmp_path, capsys):
    for name, origin in (("own", "validation split of shapes"), ("other", "my_photos")):
        write_run(tmp_path, name, 0.3, trained=False, model=name)
        content = json.loads((tmp_path / name / "result.json").read_text())
        content["cost"]["protocol"]["images"] = {"from": origin, "names": []}
        (tmp_path / name / "result.json").write_text(json.dumps(content | {"accuracy": {}}))
    main([str(tmp_path)])
    out = capsys.readouterr().out
    assert "detection, shapes, a processor" in out and "detection, photos of my_photos, a processor" in out
