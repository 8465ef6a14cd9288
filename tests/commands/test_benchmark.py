"""Timing grids of tiny models, and what becomes of those that break."""

import csv
import shutil
import signal
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from itertools import cycle
from pathlib import Path

import pytest
import torch

from tradeoffs.commands import benchmark as module
from tradeoffs.commands import benchmark_tables as tables
from tradeoffs.commands import timing_turns
from tradeoffs.commands.benchmark_tables import LOG_WIDTH, print_whole, table_of
from tradeoffs.commands.model_grid import read_grid
from tradeoffs.commands.timing_turns import TimingInTurns
from tradeoffs.errors import UserError
from tradeoffs.measure.contender import Contender
from tradeoffs.models.detection.ssd import SSD
from tradeoffs.results.record import Record, config_hash, read_record, write_record
from tradeoffs.runs.identity import without_neutral
from tradeoffs.settings.command_line import quote_value
from tradeoffs.settings.compose import compose

CLOCKS = ("network_ms", "postprocessing_ms", "total_ms")
MODEL = ("backbone=timm", "model.neck.extra_channels=[16,16,16,16]")
QUICK = ("device=cpu", "batch_sizes=[1,2]", "seconds=0.01", "attempts=1")


Found = tuple[int, dict[str, Record], list[dict[str, str]]]  # exit code, records by name, rows of the CSV


def time_grid(folder: Path, words: list[str]) -> Found:
    code = module.benchmark(
        read_grid("benchmark", [quote_value(word) for word in [*words, f"runs={folder}", "name=grid"]])
    )
    (table,) = (folder / "benchmark" / "grid").glob("results-*.csv")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    places = [table.parent, *folder.glob("*/evaluations/grid")]
    records = {path.parent.name: read_record(path) for place in places for path in place.glob("*/result.json")}
    return code, records, rows


@pytest.fixture
def timed(photos: Path, tmp_path: Path) -> Callable[..., Found]:
    """Times the tiny models of a command line, or those of `run=`."""

    def run(*words: str, settings: tuple[str, ...] = QUICK) -> Found:
        of_runs = any(word.startswith("run=") for word in words)
        model = () if of_runs else (*MODEL, "data=coco_folder", f"data.root={photos}")
        return time_grid(tmp_path, [*settings, *model, *words])

    return run


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, str]:
    """Two backbones at two sizes, and what was printed."""
    axes = ("backbone.name=[test_resnet,test_efficientnet]", "image_size=[64,96]")
    words = [*QUICK, *MODEL, "data=coco_folder", f"data.root={photos}", *axes]
    printed = StringIO()
    with redirect_stdout(printed):
        found = time_grid(tmp_path_factory.mktemp("whole"), words)
    return found, printed.getvalue()


def short(records: dict[str, Record]) -> dict[tuple[str, int], Record]:
    """By backbone and image size."""
    return {(record.who.backbone, record.who.image_size): record for record in records.values()}


def test_a_grid_of_two_models_at_two_sizes(whole):
    (code, records, rows), _ = whole
    assert code == 0 and len(rows) == 8
    found = short(records)
    assert set(found) == {(name, size) for name in ("test_resnet", "test_efficientnet") for size in (64, 96)}
    for (_, size), record in found.items():
        cost = record.cost
        assert (record.status, record.error, record.accuracy) == ("finished", None, {})
        assert cost["image_size"] == [size, size] and not cost["trained"]
        assert cost["activation_bytes"] > 0 and cost["multiply_adds"] > 0
        assert cost["protocol"]["turns"].startswith("4 models in turns")
        assert len(cost["protocol"]["images"]["names"]) == 2
        assert {"cpu_mhz", "load_average"} <= record.where["afterwards"].keys()
        for batch in cost["batches"].values():
            assert batch["turns"] == len(batch["total_ms"]["samples"]) >= 3
            network, rest, total = (batch[name]["samples"][0] for name in CLOCKS)
            assert total == pytest.approx(network + rest, abs=1e-3)
    small, large = (found["test_resnet", size].cost for size in (64, 96))
    assert small["parameters"] == large["parameters"]
    assert large["multiply_adds"] > 2 * small["multiply_adds"]
    assert large["activation_bytes"] > 2 * small["activation_bytes"]


def test_what_is_printed(whole):
    _, printed = whole
    lines = printed.splitlines()
    assert lines[0] == (
        "to be timed: 4 of 4 models, about 1 s of turns, up to 25 min (minutes=) with repetitions;"
        " if it is broken off, the same command goes on"
    )
    assert lines[1] == "preparing 4 models"
    assert [line.rpartition(", ")[0] for line in lines[2:4]] == [
        f"timing batches of {size}: 4 models" for size in (1, 2)
    ]
    assert sum(line.strip().startswith("ssd test_resnet 64*") for line in lines) == 2  # a table for each batch size
    assert "* random weights: compare the network's times; those of decoding and NMS depend on training" in lines
    assert lines[-1].startswith("table    ") and Path(lines[-1].split(maxsplit=1)[1]).is_file()


def test_long_names_give_way_to_numbers():
    numbers = {f"number {place}": [f"{place}8.0 to 1040.0"] for place in range(4)}
    with redirect_stdout(StringIO()) as printed:
        print_whole(table_of("Batches of 1", {"model": [30 * "sweep/"], **numbers}))
    text = printed.getvalue()
    assert all(cell in text for (cell,) in numbers.values()) and text.count("/") == 30
    assert max(map(len, text.splitlines())) <= LOG_WIDTH


def test_a_table_too_wide_for_its_window_is_printed_whole(monkeypatch):
    monkeypatch.setattr(tables, "LOG_WIDTH", 40)
    columns = {"model": ["ssd", 30 * "sweep/"], **{f"number {place}": 2 * ["38.0 to 1040.0"] for place in range(4)}}
    with redirect_stdout(StringIO()) as printed:
        print_whole(table_of("Batches of 1", columns))
    text = printed.getvalue()
    assert text.count("38.0 to 1040.0") == 8 and text.count("/") == 30 and "ssd" in text


def test_rows_of_the_csv_are_the_records(whole):
    (_, records, rows), _ = whole
    found = short(records)
    for row in rows:
        record = found[row["backbone"], int(row["image_size"])]
        batch = record.cost["batches"][row["batch_size"]]
        assert {"backbone=timm", f"backbone.name={row['backbone']}"} < set(row["settings"].split())
        assert float(row["total_ms"]) == pytest.approx(batch["total_ms"]["median"], rel=1e-4)
        assert float(row["network_p90"]) == pytest.approx(batch["network_ms"]["p90"], rel=1e-4)
        assert (row["status"], row["trained"], row["error"]) == ("finished", "False", "")
        assert row["config_hash"] == record.who.config_hash
        assert row["device"] == record.where["device"]


def test_the_model_is_that_of_training(whole, photos):
    """Equal settings, so an equal hash."""
    (_, records, _), _ = whole
    words = [*MODEL, "data=coco_folder", f"data.root={photos}", "backbone.name=test_resnet", "image_size=64"]
    expected = config_hash(without_neutral(compose("train", words)))
    assert short(records)["test_resnet", 64].who.config_hash == expected


def test_trained_runs_are_timed(timed, finished_run, tmp_path, capsys):
    """Their records lie with their evaluations, so that a look at a run finds them."""
    run = shutil.copytree(finished_run, tmp_path / "finished")
    code, records, rows = timed(f"run=[{run}]", "model.max_detections=[10,20]")
    assert len(list((run / "evaluations").rglob("result.json"))) == 2
    assert code == 0 and set(records) == {"finished,model.max_detections=10", "finished,model.max_detections=20"}
    for record in records.values():
        assert record.cost["trained"] and record.cost["batches"]["2"]["candidates_per_image"] > 0
    assert {row["trained"] for row in rows} == {"True"}
    printed = capsys.readouterr().out
    assert "random weights" not in printed and "evaluations/grid of each run" in printed


def test_times_of_an_unfinished_run_say_so(timed, finished_run, tmp_path, caplog):
    run = shutil.copytree(finished_run, tmp_path / "finished")
    (run / "result.json").unlink()
    timed(f"run=[{run}]")
    assert f"weights of {run} are not those of a whole training: its training has not ended" in caplog.text


def test_photos_of_a_folder_need_no_data_set(timed, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "build_data", lambda *_: pytest.fail("the data set was read"))
    _, records, _ = timed("backbone.name=test_resnet", "image_size=64", f"source={photos / 'val'}", "num_classes=7")
    (record,) = records.values()
    assert record.cost["protocol"]["images"] == {"from": str(photos / "val"), "names": ["1.png", "2.png"]}


@pytest.mark.parametrize("resize", ["letterbox", "shorter_edge"])
def test_images_are_resized_as_the_config_says(timed, resize):
    _, records, _ = timed("backbone.name=test_resnet", "image_size=64", f"resize={resize}")
    (record,) = records.values()
    # The first photo has 80 x 64 pixels; with `shorter_edge` sides are multiples of 32.
    assert record.cost["image_size"] == {"letterbox": [64, 64], "shorter_edge": [64, 96]}[resize]


def test_it_computes_in_other_formats(timed):
    _, records, _ = timed("backbone.name=test_resnet", "image_size=64", "precision=bfloat16")
    (record,) = records.values()
    assert record.cost["protocol"]["precision"] == "bfloat16"


# Models that break


def broken(monkeypatch, when: Callable[[torch.Tensor], bool], error: Exception) -> None:
    """SSD's forward pass raises `error` for some images."""
    forward = SSD.forward

    def breaking(self, images):
        if when(images):
            raise error
        return forward(self, images)

    monkeypatch.setattr(SSD, "forward", breaking)


NO_MEMORY = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: 8 bytes\nmore"
)


def test_a_lack_of_memory_is_recorded_and_the_others_go_on(timed, monkeypatch, capsys):
    broken(monkeypatch, lambda images: len(images) == 2 and images.shape[-1] == 96, NO_MEMORY)
    code, records, rows = timed("backbone.name=test_resnet", "image_size=[96,64]")
    found = short(records)
    assert code == 1 and found["test_resnet", 64].status == "finished"
    failed = found["test_resnet", 96]
    assert failed.status == "failed"
    assert failed.error.startswith("out of memory at batch 2: [enforce fail") and "\n" not in failed.error
    assert list(failed.cost["batches"]) == ["1"] and failed.cost["parameters"] > 0
    assert [(row["image_size"], row["batch_size"], row["status"]) for row in rows] == [
        *[("96", "1", "failed"), ("64", "1", "finished"), ("64", "2", "finished")]
    ]
    captured = capsys.readouterr()
    assert "failed: ssd test_resnet 96: out of memory at batch 2" in captured.out
    assert "Traceback" not in captured.err


def test_a_lack_of_memory_before_anything_was_measured(timed, monkeypatch):
    broken(monkeypatch, lambda images: images.shape[-1] == 96, NO_MEMORY)
    code, records, rows = timed("backbone.name=test_resnet", "image_size=[96,64]")
    failed = short(records)["test_resnet", 96]
    assert (code, failed.status, failed.cost["batches"]) == (1, "failed", {})
    assert [(row["image_size"], row["total_ms"] == "") for row in rows] == [("96", True), ("64", False), ("64", False)]


def in_turns(record: Record) -> str:
    """How many models had their turns together."""
    return record.cost["protocol"]["turns"].partition(" in ")[0]


def test_what_lacks_memory_beside_others_gets_a_turn_of_its_own(timed, monkeypatch):
    """As on a GPU that holds either model but not both."""
    errors = iter([NO_MEMORY])
    broken(monkeypatch, lambda images: images.shape[-1] == 96 and next(errors, None) is not None, NO_MEMORY)
    code, records, _ = timed("backbone.name=test_resnet", "image_size=[64,96,128]")
    assert code == 0
    turns = {
        size: record.cost["protocol"]["turns"].partition(" in ")[0] for (_, size), record in short(records).items()
    }
    assert turns == {64: "1 model", 96: "2 models", 128: "2 models"}


def test_models_are_timed_in_groups_where_memory_is_short(timed, monkeypatch):
    monkeypatch.setattr(TimingInTurns, "is_full", lambda self, group: len(group) == 2)
    _, records, _ = timed("backbone.name=test_resnet", "image_size=[64,96,128]")
    turns = {
        size: record.cost["protocol"]["turns"].partition(" in ")[0] for (_, size), record in short(records).items()
    }
    assert turns == {64: "2 models", 96: "2 models", 128: "1 model"}


def test_a_bug_in_one_model_is_shown_and_the_others_go_on(timed, monkeypatch, capsys):
    calls = cycle([False] * 16 + [True] * 100)  # 13 of them in its preparation
    broken(monkeypatch, lambda images: images.shape[-1] == 96 and next(calls), ZeroDivisionError("by zero"))
    code, records, _ = timed("backbone.name=test_resnet", "image_size=[64,96]", "attempts=3", settings=QUICK[:3])
    found = short(records)
    assert code == 1 and found["test_resnet", 64].status == "finished"
    assert found["test_resnet", 96].error.startswith("ZeroDivisionError at batch ")
    assert capsys.readouterr().err.count("ZeroDivisionError: by zero") == 1


def test_a_combination_that_is_refused_is_skipped(timed, monkeypatch, tmp_path, capsys):
    build = module.build_model

    def refusing(config, num_classes):
        if config.image_size == 96:
            raise UserError("96 pixels are too few for this backbone; take 128")
        return build(config, num_classes)

    monkeypatch.setattr(module, "build_model", refusing)
    code, records, rows = timed("backbone.name=test_resnet", "image_size=[64,96]")
    assert code == 0 and list(short(records)) == [("test_resnet", 64)]
    assert [row["status"] for row in rows] == ["finished", "finished", "skipped"]
    line = "skipped: ssd test_resnet 96: 96 pixels are too few for this backbone; take 128"
    assert line in capsys.readouterr().out.splitlines()
    with pytest.raises(UserError, match="no model of the grid can be built:") as caught:
        timed("backbone.name=test_resnet", "image_size=96")
    assert len(caught.value.details) == 1 and caught.value.details[0].endswith(
        "are too few for this backbone; take 128"
    )


# A machine that is not quiet


def test_only_disturbed_times_are_taken_again(timed, monkeypatch, capsys):
    """A clock on which models of 64 px always jump, and those of 96 px never do."""
    jumping, turns = cycle([50.0, 100.0, 150.0]), []

    def turn(self) -> dict[str, float]:
        size = self.images.shape[-1]
        turns.append(size)
        return dict.fromkeys(CLOCKS, next(jumping) if size == 64 else 100.0)

    monkeypatch.setattr(Contender, "turn", turn)
    settings = ("device=cpu", "batch_sizes=1", "seconds=1e-9", "attempts=3")
    _, records, rows = timed("backbone.name=test_resnet", "image_size=[64,96]", settings=settings)
    batches = {size: record.cost["batches"]["1"] for (_, size), record in short(records).items()}
    assert (batches[64]["disturbed"], batches[64]["attempts"]) == (True, 3)
    assert (batches[96]["disturbed"], batches[96]["attempts"]) == (False, 1)
    assert (turns.count(64), turns.count(96)) == (9, 3)
    assert [(row["disturbed"], row["attempts"]) for row in rows] == [("True", "3"), ("False", "1")]
    shown = capsys.readouterr().out
    assert "timing batches of 1: 1 model again, since they were disturbed (attempt 3)" in shown
    assert "! ssd test_resnet 64 at batch 1: disturbed in 3 attempts; do not rank by these times" in shown


# One that is broken off

TWO = ("backbone.name=test_resnet", "image_size=[64,96]")


class Clock:
    """A steady one in place of the real. Turn `end`, counted from 1, does `what` before it is taken."""

    def __init__(self, monkeypatch):
        self.turns, self.end, self.what, self.load = [], None, None, 0.0
        clock = self

        def turn(self) -> dict[str, float]:
            clock.turns.append((self.images.shape[-1], len(self.images)))
            if len(clock.turns) == clock.end:
                clock.what()
            return dict.fromkeys(CLOCKS, 100.0)

        monkeypatch.setattr(Contender, "turn", turn)
        monkeypatch.setattr("tradeoffs.measure.load.share_of_others", lambda *_: self.load)

    def go_on(self) -> None:
        self.turns, self.end = [], None


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(scope="module")
def two(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    """Where `TWO` were timed by a steady clock, and what came of it. Tests must not change the folder."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        Clock(patch)
        return folder, time_grid(folder, [*QUICK, *MODEL, "data=coco_folder", f"data.root={photos}", *TWO])


@pytest.fixture
def two_timed(two: tuple[Path, Found], tmp_path: Path) -> Found:
    """The same in the folder of `timed`."""
    shutil.copytree(two[0], tmp_path, dirs_exist_ok=True)
    return two[1]


def batches_of(records: dict[str, Record]) -> dict[int, dict[str, int]]:
    """By image size: turns of each batch size, of those that had all of them."""
    return {
        size: {name: batch["turns"] for name, batch in record.cost["batches"].items() if "broken_off" not in batch}
        for (_, size), record in short(records).items()
    }


def test_disturbed_times_that_are_kept_are_said(timed, clock, capsys):
    clock.load = 0.5
    timed(*TWO)
    taken = len(clock.turns)
    timed(*TWO)
    said = "timed already: 2 of 2 models, 2 disturbed; overwrite=true times them anew"
    assert said in capsys.readouterr().out and len(clock.turns) == taken


def test_a_run_that_nothing_can_be_written_to_is_refused_before_it_is_timed(timed, clock, finished_run, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "finished")
    (run / "evaluations").mkdir()
    (run / "evaluations" / "grid").write_text("a file")
    with pytest.raises(UserError, match=r"times of a run are kept with its evaluations, but .*/evaluations/grid: "):
        timed(f"run=[{run}]")
    assert not clock.turns


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_was_timed_and_the_same_command_goes_on(timed, clock, capsys, number):
    """Two models in turns: 3 each for batches of 1, then 3 each for batches of 2, of which the second ends it."""
    clock.end, clock.what = 8, lambda: signal.raise_signal(number)
    code, records, rows = timed(*TWO)
    assert code == 128 + number and len(clock.turns) == 8
    assert batches_of(records) == {64: {"1": 3}, 96: {"1": 3}}
    assert {record.status for record in records.values()} == {"stopped"}
    line = "broken off before batches of 2 had all their turns; the same command goes on"
    assert {record.error for record in records.values()} == {line}
    assert len(rows) == 2
    printed = capsys.readouterr().out
    assert "broken off: the same command goes on with 2 of 2 models" in printed
    clock.go_on()
    code, again, _ = timed(*TWO)
    assert code == 0 and sorted(clock.turns) == [(64, 2)] * 3 + [(96, 2)] * 3
    assert batches_of(again) == {64: {"1": 3, "2": 3}, 96: {"1": 3, "2": 3}}
    assert {record.status for record in again.values()} == {"finished"}
    for name, record in records.items():
        assert again[name].cost["batches"]["1"] == record.cost["batches"]["1"]


def test_a_kill_keeps_all_but_the_round_that_it_broke(timed, clock, monkeypatch, tmp_path):
    monkeypatch.setattr(timing_turns, "SECONDS_BETWEEN_SAVES", 0.0)

    def die() -> None:
        raise SystemExit

    clock.end, clock.what = 2 * 3 + 2 * 3 + 1, die
    with pytest.raises(SystemExit):
        timed(*TWO, "batch_sizes=[1,2,3]", settings=(QUICK[0], *QUICK[2:]))
    paths = (tmp_path / "benchmark" / "grid").glob("*/result.json")
    assert batches_of({path.parent.name: read_record(path) for path in paths}) == {
        size: {"1": 3, "2": 3} for size in (64, 96)
    }


def test_few_turns_are_kept_but_are_no_whole_batch(timed, clock):
    clock.end, clock.what = 9, lambda: signal.raise_signal(signal.SIGINT)
    settings = ("device=cpu", "batch_sizes=1", "seconds=1e9", "attempts=1")
    _, records, _ = timed(*TWO, settings=settings)
    assert sorted(record.cost["batches"]["1"]["turns"] for record in records.values()) == [4, 5]
    assert batches_of(records) == {64: {}, 96: {}}


def test_a_further_attempt_that_is_broken_off_changes_nothing(timed, clock, monkeypatch):
    jumping = cycle([50.0, 100.0, 150.0])
    steady = Contender.turn

    def turn(self) -> dict[str, float]:
        return {**steady(self), "total_ms": next(jumping)}

    monkeypatch.setattr(Contender, "turn", turn)
    clock.end, clock.what = 5, lambda: signal.raise_signal(signal.SIGINT)
    settings = ("device=cpu", "batch_sizes=1", "seconds=1e-9", "attempts=3")
    code, records, _ = timed("backbone.name=test_resnet", "image_size=64", settings=settings)
    (record,) = records.values()
    assert (code, record.status, record.cost["batches"]["1"]["turns"]) == (130, "finished", 3)


def test_what_is_timed_already_is_shown(timed, two_timed, clock, capsys):
    _, records, rows = two_timed
    assert timed(*TWO) == (0, records, rows) and not clock.turns
    assert "timed already: 2 of 2 models; overwrite=true times them anew" in capsys.readouterr().out
    timed(*TWO, "overwrite=true")
    assert len(clock.turns) == 12


def test_only_the_rest_of_a_larger_grid_is_timed(timed, two_timed, clock, capsys):
    timed(TWO[0], "image_size=[64,96,128]")
    assert {side for side, _ in clock.turns} == {128}
    printed = capsys.readouterr().out
    assert "to be timed: 1 of 3 models, " in printed
    assert "! some were timed earlier, not in turns with the others: ssd test_resnet 64, ssd test_resnet 96" in printed


@pytest.mark.parametrize(
    ("words", "spoil", "reason"),
    [
        (["seconds=0.02"], None, "seconds was 0.01, and is 0.02"),
        (["precision=bfloat16"], None, "precision was float32, and is bfloat16"),
        (["num_classes=90"], None, "num_classes was 2, and is 90"),
        ([], lambda record: setattr(record.who, "config_hash", "0" * 16), "other settings"),
        ([], lambda record: record.where.update(torch="1.0"), "torch was 1.0, and is "),
        (
            [],
            lambda record: record.cost["protocol"].pop("conditions"),
            "under which conditions they were timed is not known",
        ),
    ],
)
def test_times_under_other_conditions_are_taken_anew(timed, two_timed, clock, tmp_path, capsys, words, spoil, reason):
    model = ("backbone.name=test_resnet", "image_size=64")
    (name,) = (name for name, record in two_timed[1].items() if record.who.image_size == 64)
    if spoil:
        path = tmp_path / "benchmark" / "grid" / name / "result.json"
        spoil(record := read_record(path))
        write_record(path, record)
    given = [word.partition("=")[0] for word in words]
    timed(*model, *words, settings=tuple(word for word in QUICK if word.partition("=")[0] not in given))
    assert len(clock.turns) == 6
    assert f"to be timed anew: 1 of 1 model ({reason}" in capsys.readouterr().out


def test_weights_of_a_run_that_was_trained_anew_are_others(timed, clock, finished_run, tmp_path, capsys):
    copy = shutil.copytree(finished_run, tmp_path / "runs" / "copy")
    timed(f"run=[{copy}]")
    file = copy / "checkpoints" / "best.ckpt"
    content = torch.load(file, weights_only=True)
    torch.save({**content, "epoch": 99}, file)
    clock.go_on()
    timed(f"run=[{copy}]")
    assert clock.turns and "timed anew: 1 of 1 model (other weights)" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, so nothing of this is a mistake")
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("cuda_graphs=true", "cuda_graphs=true needs a CUDA GPU, and the models run on the CPU; leave it out"),
        (
            "precision=tf32",
            "precision=tf32 needs a CUDA GPU, and the models run on the CPU; choose float32 or bfloat16",
        ),
        ("device=cuda", "device=cuda is impossible: torch finds no CUDA GPU here; leave it out, or give device=cpu"),
    ],
)
def test_what_needs_a_gpu(words, line):
    with pytest.raises(UserError) as caught:
        module.benchmark(read_grid("benchmark", [words]))
    assert str(caught.value) == line
