"""Questions to hand-worked tables."""

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from tradeoffs.errors import UserError
from tradeoffs.metrics.matches import IOU_THRESHOLDS, Matches
from tradeoffs.results.__main__ import main
from tradeoffs.results.answer import Answer, answers, left_out
from tradeoffs.results.question import read_question
from tradeoffs.results.record import Identity, Record, write_record
from tradeoffs.results.seeds import as_one
from tradeoffs.results.table import read_table

BELOW_30 = (("--below", "ms=30"),)


def write(
    runs: Path,
    model: str,
    score: float | None,
    ms: float | None,
    margin: float = 0.01,
    spread: float = 0.5,
    where: str = "a processor",
    seed: int = 1,
    steps: int = 1000,
    status: str = "finished",
    batch: int = 8,
    day: int = 1,
    **cost,
) -> None:
    """`margin` is half of the interval of the mAP, `spread` that of the time."""
    name = f"{model},{seed},{where},{len(list(runs.iterdir()))}"
    who = Identity(name, "detection", model, "mobilenet", "shapes", 128, seed, name, recipe_hash=model)
    times = {"median": ms, "confidence_low": (ms or 0) - spread, "confidence_high": (ms or 0) + spread}
    single = {"total_ms": times, "images_per_second": 1000 / (ms or 1), "disturbed": cost.pop("disturbed", False)}
    how = {"trained": True, "protocol": {"precision": "float32"}, "parameters": 5e6, "other_load": 0.0, **cost}
    accuracy = {"summary": {"mAP": score}, "intervals": {"mAP": [(score or 0) - margin, (score or 0) + margin]}}
    record = Record(
        who,
        status,
        accuracy={} if score is None else accuracy,
        cost={} if ms is None else {"batches": {"1": single, str(batch): single}, **how},
        training={"steps": steps, "seconds": 60.0},
        where={"cpu": where, "threads": 1, "time": f"2026-01-0{day}"},
    )
    (runs / name).mkdir()
    write_record(runs / name / "result.json", record)


def ask(runs: Path, limits=BELOW_30, best: str = "mAP") -> Answer:
    (answer,) = answers(read_table([runs]).table, read_question(limits, best))
    return answer


def test_the_best_within_the_limit(tmp_path):
    write(tmp_path, "ssd", 0.5, 13.2)
    write(tmp_path, "fcos", 0.4, 20)
    write(tmp_path, "rfcn", 0.6, 40)
    answer = ask(tmp_path)
    assert answer.sentence == (
        "ssd mobilenet (mAP 0.500, 13.2 ms) has the highest mAP below 30 ms on shapes, a processor, 1 thread."
    )
    assert answer.doubts == [
        "The next one is fcos mobilenet (mAP 0.400, 20 ms); difference 0.100, 95 % 0.086 to 0.114 by their intervals."
    ]


def test_the_fastest_of_those_that_are_accurate_enough(tmp_path):
    write(tmp_path, "ssd", 0.5, 13.2)
    write(tmp_path, "fcos", 0.55, 13.4)
    write(tmp_path, "rfcn", 0.2, 5)
    answer = ask(tmp_path, [("--above", "mAP=0.4")], "ms")
    assert answer.sentence == (
        "ssd mobilenet (13.2 ms, mAP 0.500) has the lowest time (batch 1) with mAP above 0.4 on shapes, a processor, "
        "1 thread."
    )
    assert answer.doubts == [
        "Too close to call: fcos mobilenet (13.4 ms, mAP 0.550): "
        "difference -0.2 ms, -2.74 to 2.34 as measurements of one model vary."
    ]


def test_overlapping_accuracies_are_too_close_to_call(tmp_path):
    """Independent intervals of 0.03 and 0.04 to each side make one of 0.05."""
    write(tmp_path, "ssd", 0.53, 13.2, margin=0.03)
    write(tmp_path, "fcos", 0.52, 20, margin=0.04)
    write(tmp_path, "rfcn", 0.47, 20, margin=0.04)
    answer = ask(tmp_path)
    assert answer.doubts == [
        "Too close to call: fcos mobilenet (mAP 0.520, 20 ms): "
        "difference 0.010, 95 % -0.040 to 0.060 by their intervals."
    ]


def test_equal_scores_are_a_tie_even_where_nothing_is_known_of_them(tmp_path):
    write(tmp_path, "ssd", 0.5, 10, margin=0.0)
    write(tmp_path, "fcos", 0.5, 20, margin=0.0)
    assert "Too close to call" in ask(tmp_path).doubts[0]


def test_seeds_are_compared_by_their_spread(tmp_path):
    for seed, (one, other) in enumerate(((0.50, 0.48), (0.52, 0.49), (0.54, 0.53)), 1):
        write(tmp_path, "ssd", one, 13.2, seed=seed)
        write(tmp_path, "fcos", other, 20 if seed == 1 else None, seed=seed)
    answer = ask(tmp_path)
    assert "means of 3 seeds" in answer.sentence
    (doubt,) = answer.doubts
    assert "1 of 3 seeds timed" in doubt and "difference 0.020" in doubt and "over 3 and 3 seeds" in doubt


def test_runs_on_the_same_images_are_compared_image_by_image(tmp_path):
    """Each finds a half of the objects of its own; one finds an image's more."""
    write(tmp_path, "ssd", found(60), 13.2, margin=0.1)
    write(tmp_path, "fcos", found(40), 20, margin=0.1)
    for folder in tmp_path.iterdir():
        matches(60 if "ssd" in folder.name else 40).save(folder / "matches.npz")
    assert "The next one is" in ask(tmp_path).doubts[0]  # one finds all that the other does, and more in each sample
    for folder in tmp_path.iterdir():
        (folder / "matches.npz").unlink()
    write(tmp_path, "rfcn", found(60) - 0.01, 20, margin=0.1)
    assert "by their intervals" in ask(tmp_path).doubts[0]


def matches(count: int) -> Matches:
    """100 images with an object each, in the first `count` of which it is found."""
    found = np.arange(count)
    none = np.zeros((len(IOU_THRESHOLDS), count), bool)
    return Matches(
        image_ids=np.arange(100),
        class_ids=np.array([1]),
        objects=np.ones((1, 100), np.int64),
        classes=np.zeros(count, np.int64),
        images=found,
        scores=np.linspace(0.9, 0.5, count).astype(np.float32),
        true=~none,
        ignored=none,
    )


def found(count: int) -> float:
    return float(np.nanmean(matches(count).average_precision()))


@pytest.mark.parametrize(("ms", "sure"), [(29.8, False), (27.0, True)])
def test_a_time_too_near_the_limit_is_said(tmp_path, ms, sure):
    write(tmp_path, "ssd", 0.5, ms)
    write(tmp_path, "fcos", 0.4, 20)
    write(tmp_path, "rfcn", 0.6, 30.3)
    answer = ask(tmp_path)
    assert answer.sentence.startswith("ssd")
    expected = [
        "Too near the limit to be sure: 29.8 ms, it may be 27.1 to 32.8.",
        "Within the limits for sure: fcos mobilenet (mAP 0.400, 20 ms).",
    ]
    better = "Better, and perhaps within the limits: rfcn mobilenet (mAP 0.600, 30.3 ms)."
    assert answer.doubts == [*([] if sure else expected), better]


@pytest.mark.parametrize(("ms", "named"), [(32.5, True), (34, False)])
def test_who_is_better_and_misses_the_limit_by_little_is_named(tmp_path, ms, named):
    write(tmp_path, "ssd", 0.5, 20)
    write(tmp_path, "fcos", 0.6, ms)
    """By less than a tenth: by so much the times of one model differ from process to process."""
    expected = ["Better, and perhaps within the limits: fcos mobilenet (mAP 0.600, 32.5 ms)."]
    assert ask(tmp_path).doubts == (expected if named else [])


@pytest.mark.parametrize("how", [{"disturbed": True}, {"other_load": 0.4}])
def test_a_disturbed_time_wins_only_with_its_whole_interval(tmp_path, how):
    write(tmp_path, "ssd", 0.5, 20)
    write(tmp_path, "fcos", 0.6, 29, spread=2, **how)
    answer = ask(tmp_path)
    assert answer.sentence.startswith("ssd")
    assert answer.doubts[0] == "Better, and perhaps within the limits: fcos mobilenet (mAP 0.600, 29 ms, disturbed)."
    write(tmp_path, "rfcn", 0.7, 25, spread=2, **how)
    assert ask(tmp_path).sentence.startswith("rfcn mobilenet (mAP 0.700, 25 ms, disturbed)")


def test_a_disturbed_time_is_the_lowest_only_at_its_worst(tmp_path):
    write(tmp_path, "ssd", 0.5, 20)
    write(tmp_path, "fcos", 0.6, 19, spread=3, disturbed=True)
    answer = ask(tmp_path, [], "ms")
    assert answer.sentence.startswith("ssd")
    assert "Too close to call: fcos mobilenet (19 ms, disturbed)" in answer.doubts[0]


def test_where_all_are_disturbed_the_best_is_still_the_best(tmp_path):
    for model, ms in (("ssd", 20), ("fcos", 5), ("rfcn", 10)):
        write(tmp_path, model, 0.5, ms, other_load=0.5)
    answer = ask(tmp_path, [], "images_per_second")
    assert answer.sentence.startswith("fcos mobilenet (200 images/s, disturbed)")
    assert "next is rfcn mobilenet (100 images/s, disturbed), 100 images/s from it." in answer.doubts[0]


def test_devices_batches_and_images_are_not_mixed(tmp_path):
    write(tmp_path, "ssd", 0.5, 20)
    write(tmp_path, "fcos", 0.6, 10, where="another")
    write(tmp_path, "rfcn", 0.6, 12, batch=16)
    table = read_table([tmp_path]).table
    table["images"] = ["disc:3" if "ssd" in name else "disc:4" for name in table.index]
    by_time = answers(table, read_question(BELOW_30))
    assert sorted(answer.about for answer in by_time) == [
        "shapes, a processor, 1 thread, scored on 3 objects",
        "shapes, a processor, 1 thread, scored on 4 objects",
        "shapes, another, 1 thread, scored on 4 objects",
    ]
    by_size = answers(table, read_question([("--below", "parameters=6")]))
    assert [answer.about for answer in by_size] == ["shapes, scored on 4 objects", "shapes, scored on 3 objects"]
    by_throughput = answers(table, read_question([], "images_per_second"))
    assert {answer.about.rpartition(", ")[2] for answer in by_throughput} == {"batches of 8", "batches of 16"}


def test_random_weights_have_no_accuracy_and_are_said_where_only_times_are_asked_for(tmp_path):
    write(tmp_path, "ssd", None, 5, trained=False)
    write(tmp_path, "fcos", 0.5, 10)
    assert ask(tmp_path).sentence.startswith("fcos")
    answer = ask(tmp_path, [], "ms")
    assert "ssd mobilenet (5 ms, timed as random, float32, batch 8, random weights)" in answer.sentence
    assert answer.doubts[-1].startswith("With random weights only the network's time counts")


def test_what_was_hardly_trained_is_said(tmp_path):
    write(tmp_path, "ssd", 0.05, 5, steps=48)
    answer = ask(tmp_path)
    assert "ssd mobilenet (mAP 0.050, 5 ms, 48 steps, mAP 0.050: hardly trained)" in answer.sentence
    write(tmp_path, "fcos", 0.5, 10)
    assert ask(tmp_path).doubts == ["May do better when trained: ssd mobilenet (48 steps, mAP 0.050: hardly trained)."]


def test_nothing_within_the_limit(tmp_path):
    write(tmp_path, "ssd", 0.5, 40)
    write(tmp_path, "fcos", 0.5, 60)
    answer = ask(tmp_path)
    assert (answer.row, answer.sentence) == (None, "No run is below 30 ms on shapes, a processor, 1 thread.")
    assert answer.doubts == ["The nearest is ssd mobilenet (mAP 0.500, 40 ms)."]
    both = ask(tmp_path, [("--below", "ms=50"), ("--above", "mAP=0.7")])
    assert both.sentence == "No run is below 50 ms and with mAP above 0.7 on shapes, a processor, 1 thread."
    write(tmp_path, "rfcn", 0.4, 29, spread=3, disturbed=True)
    assert ask(tmp_path).sentence == (
        "It cannot be told whether a run is below 30 ms on shapes, a processor, 1 thread: "
        "the only time that may be is disturbed, and a quiet machine may be much faster."
    )


def test_a_disturbed_time_is_no_excuse_for_an_accuracy_below_the_limit(tmp_path):
    write(tmp_path, "ssd", 0.395, 10, disturbed=True)
    assert ask(tmp_path, [("--above", "mAP=0.4")], "ms").sentence.startswith("No run is surely with mAP above 0.4")


def test_where_all_times_are_disturbed_there_is_no_no_but_a_command(tmp_path):
    for model, score in (("ssd", 0.5), ("fcos", 0.6), ("rfcn", 0.595)):
        write(tmp_path, model, score, 100, other_load=0.5)
    answer = ask(tmp_path)
    assert answer.row is None
    assert answer.sentence == (
        "It cannot be told which run is below 30 ms on shapes, a processor, 1 thread: "
        "all 3 times are disturbed, and a quiet machine may be much faster."
    )
    assert answer.doubts[1] == "The highest mAP of these has fcos mobilenet (mAP 0.600, 100 ms, disturbed)."
    assert answer.doubts[2].startswith("Too close to call: rfcn")
    assert answer.doubts[-1].startswith("Disturbed times may be others")  # these folders are no runs
    folders = sorted(tmp_path.iterdir())
    for folder in folders:
        (folder / "config.yaml").touch()
    together = f"run=[{','.join(map(str, folders))}]"
    assert ask(tmp_path).doubts[-1] == f"On a quiet machine: python benchmark.py {shlex.quote(together)} overwrite=true"
    write(tmp_path, "yolo", 0.4, 10)
    assert sum("quiet machine" in doubt for doubt in ask(tmp_path).doubts) == 1
    for folder in folders[1:]:
        shutil.rmtree(folder)
    command = f"python evaluate.py {shlex.quote(f'run={folders[0]}')} measure=true"
    assert ask(tmp_path).doubts[-1] == f"On a quiet machine: {command}"


def test_what_failed_was_stopped_or_lacks_a_number_takes_no_part(tmp_path):
    write(tmp_path, "ssd", 0.5, 10)
    write(tmp_path, "fcos", 0.9, 10, status="stopped")
    write(tmp_path, "rfcn", 0.9, None)
    write(tmp_path, "yolo", None, 10)
    table, question = read_table([tmp_path]).table, read_question(BELOW_30)
    assert ask(tmp_path).sentence.startswith("ssd")
    assert left_out(table, question) == "Left out: 2 without mAP or time (batch 1); 1 stopped."


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--below", "milliseconds=30"), "--below milliseconds is unknown; choose: mAP"),
        (("--below", "MS=30"), "--below MS is unknown; did you mean ms? choose: mAP"),
        (("--best", "map"), "--best map is unknown; did you mean mAP? choose: mAP"),
        (("--below", "ms"), "--below ms has no number; write --below ms=30, in ms"),
        (("--below", "ms=30ms"), "--below ms=30ms has no number; write --below ms=30, in ms"),
        (("--below", "ms<40"), "--below ms<40 is no limit; write ms=40"),
        (("--below", "ms <= 40"), "--below ms <= 40 is no limit; write ms=40"),
        (("--below", "ms==40"), "--below ms==40 is no limit; write ms=40"),
        (("--below", "mAP>0.4"), "--below mAP>0.4 is no limit; write --above mAP=0.4"),
        (("--above", "mAP=nan"), "--above mAP=nan has no number; write --above mAP=30"),
        (("--best", "seed"), "--best seed cannot be answered: of seed neither more nor less is better"),
        (("--x", "sm"), "--x sm is unknown"),
    ],
)
def test_what_cannot_be_asked_is_one_line(tmp_path, capsys, arguments, line):
    assert main([str(tmp_path), *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
    assert said.err.startswith(line)


def test_a_shortened_option_is_refused_not_taken_for_the_other_one(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--bel", "ms=30"])
    assert "--bel" in capsys.readouterr().err


def test_the_command_answers(tmp_path, capsys):
    write(tmp_path, "ssd", 0.5, 10)
    write(tmp_path, "rfcn", 0.9, None)
    assert main([str(tmp_path), "--below", "ms=30", "--below", "parameters=6", "--best", "mAP"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ssd mobilenet (mAP 0.500, 10 ms, parameters 5 M) has the highest mAP below 30 ms and with parameters "
        "below 6 M on shapes, a processor, 1 thread.",
        "Left out: 1 without mAP or time (batch 1) or parameters.",
    ]
    assert main([str(tmp_path), "--best", "AP_small"]) == 2
    assert "none of these runs has AP_small" in capsys.readouterr().err


def test_several_groups_have_an_answer_each(tmp_path):
    for where in ("one", "another"):
        write(tmp_path, "ssd", 0.5, 10, where=where)
    found = answers(read_table([tmp_path]).table, read_question(BELOW_30))
    assert [answer.about for answer in found] == ["shapes, another, 1 thread", "shapes, one, 1 thread"]


def test_a_question_without_limits(tmp_path):
    write(tmp_path, "ssd", 0.5, 10)
    assert ask(tmp_path, []).sentence == "ssd mobilenet (mAP 0.500) has the highest mAP on shapes."
    with pytest.raises(UserError):
        read_question([("--below", "zzz=3")])


def test_a_disturbed_answer_says_what_the_next_one_is(tmp_path):
    write(tmp_path, "ssd", 0.5, 13.2, disturbed=True)
    write(tmp_path, "fcos", 0.4, 20, disturbed=True)
    (said,) = [doubt for doubt in ask(tmp_path).doubts if doubt.startswith("The next one is")]
    assert said.startswith("The next one is fcos mobilenet (mAP 0.400, 20 ms, disturbed); difference 0.100")


def test_times_in_turns_come_before_those_taken_alone(tmp_path):
    """Of equally disturbed ones: a steadier time that was taken alone compares with no other model's."""
    together, single = ({"precision": "float32", "turns": f"{models} in turns"} for models in ("2 models", "1 model"))
    for model, alone, first, second in (("fcos", 55.0, 60.0, 88.0), ("retinanet", 56.5, 61.0, 88.5)):
        write(tmp_path, model, 0.4, alone, spread=0.1, disturbed=True)
        for day, ms in ((1, first), (2, second)):
            write(tmp_path, model, None, ms, spread=5, disturbed=True, protocol=together, day=day)
        write(tmp_path, model, None, 70, spread=5, disturbed=True, protocol=single, day=3)
    table = as_one(same_runs(read_table([tmp_path]).table))
    assert table.set_index("model")["ms"].to_dict() == {"fcos": 88.0, "retinanet": 88.5}


def same_runs(table):
    """As if all records of a model were of one run."""
    return table.assign(config_hash=table["model"])
