"""Searches: with a launcher that trains nothing, and whole ones that are killed."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import optuna
import pytest
from forked import start_sweep
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from small_configs import SWEEPS, write_files
from small_runs import SETTINGS

from hydra_plugins.tradeoffs_sweeps.optuna import OptunaSweeper
from tradeoffs.errors import BusyError, UserError
from tradeoffs.results.record import Identity, Record, config_hash, write_record
from tradeoffs.runs.identity import without_neutral
from tradeoffs.sweeps.plan import read_job
from tradeoffs.sweeps.process import Outcome
from tradeoffs.sweeps.search import Search, Settings, check_settings
from tradeoffs.sweeps.search_space import read_space
from tradeoffs.sweeps.search_study import STORAGE, open_study, rounded, show_best, sole_search

AXES = ("image_size=64,96,128", "optimizer.lr=tag(log,interval(1e-4,1e-1))")
OBJECTIVES = ("mAP", "ms")


class Fake(Launcher):
    """A launcher that writes what `result` makes of a job's settings: (mAP, ms), or another end; None fails."""

    def __init__(self, conf: Path, result: Callable):
        self.conf, self.result = conf, result
        self.launched: list[str] = []

    def setup(self, **_):
        """There is nothing to set up."""

    def launch(self, job_overrides, initial_job_idx):
        return [self.run(overrides) for overrides in job_overrides]

    def run(self, overrides) -> JobReturn:
        job = read_job("train", overrides, self.conf)
        self.launched.append(job.name)
        found = self.result(job.config)
        returned = JobReturn(overrides, status=JobStatus.COMPLETED if found else JobStatus.FAILED)
        if isinstance(found, Outcome):
            returned.return_value = found
        elif found:
            write(job, *found)
        return returned


def write(job, score: float, milliseconds: float | None, status: str = "finished") -> None:
    settings = without_neutral(job.config)
    who = Identity(job.name, "detection", "ssd", "any", "drawn", 64, 1, config_hash(settings))
    cost = {"batches": {"1": {"total_ms": {"median": milliseconds}}}}
    job.folder.mkdir(parents=True, exist_ok=True)
    write_record(job.folder / "result.json", Record(who, status, accuracy={"summary": {"mAP": score}}, cost=cost))


def trade_off(config) -> tuple[float, float]:
    """The best learning rate is 0.01; larger images are better and slower."""
    decades_off = abs(math.log10(config.optimizer.lr) + 2)
    return config.image_size / 200 - decades_off / 3, float(config.image_size)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return write_files(tmp_path / "conf", SWEEPS)


@pytest.fixture
def search(conf: Path, tmp_path: Path) -> Callable:
    """search(*words, trials=..., result=..., at_once=...) runs one in the folder of the earlier ones."""

    def run(
        *words: str,
        trials: int,
        result: Callable = trade_off,
        at_once: int = 1,
        name: str = "found",
        hashes: Mapping[str, str | None] = MappingProxyType({}),
    ) -> Search:
        folder = tmp_path / name
        space = read_space("train", [*words, f"runs='{folder}'"], conf=conf)
        with sole_search(folder):
            study = open_study(folder, space, OBJECTIVES, anew=False, hashes=hashes)
            searching = Search(study, space, Settings(trials, OBJECTIVES, 1, 5, seed=1), Fake(conf, result))
            searching.run(at_once)
        return searching

    return run


def states(searching: Search) -> list[TrialState]:
    return [trial.state for trial in searching.study.trials]


def chosen(searching: Search) -> list[dict]:
    return [trial.params for trial in searching.study.trials]


def test_a_search_goes_on_with_the_same_data_alone(search):
    search(*AXES, trials=1, hashes={"train": "a" * 16, "val": None})  # not fetched yet
    search(*AXES, trials=1, hashes={"train": "a" * 16, "val": "b" * 16})
    with pytest.raises(UserError, match="holds another search; choose another name=") as said:
        search(*AXES, trials=2, hashes={"train": "a" * 16, "val": "c" * 16})
    assert said.value.details == ("validation data: bbbbbb -> cccccc",)


def test_axes_are_written_as_for_a_grid(conf):
    words = ["model=rfcn,ssd", "seed=range(1,6,2)", "image_size=int(interval(64,128))", *AXES[1:], "epochs=3"]
    space = read_space("train", words, {"epochs": "5,6"}, conf)
    assert space.axes == {
        "model": CategoricalDistribution(["rfcn", "ssd"]),
        "seed": IntDistribution(1, 5, step=2),
        "image_size": IntDistribution(64, 128),
        "optimizer.lr": FloatDistribution(1e-4, 1e-1, log=True),
    }
    assert space.fixed == ("epochs=3",)
    values = {"model": "ssd", "seed": 3, "image_size": 70, "optimizer.lr": 0.00342}
    job = space.job(values)
    assert job.name == "model=ssd,image_size=70,optimizer.lr=0.00342,seed=3"
    assert (job.config.optimizer.lr, job.config.seed, job.config.epochs) == (0.00342, 3, 3)


def test_an_axis_with_one_value_is_a_setting(conf):
    space = read_space("train", ["model=ssd,rfcn", "model.num_proposals=choice(50)"], conf=conf)
    assert (list(space.axes), space.fixed) == (["model"], ("model.num_proposals=50",))
    assert space.job({"model": "rfcn"}).config.model.num_proposals == 50
    space.require_possible()  # though SSD has no proposals


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["image_size=64"], "there is nothing to search; give settings with several values"),
        (["optimizer.lr=interval(1,0)"], r"optimizer.lr=interval\(1,0\) cannot be searched: "),
        (["optimizer.lr=tag(log,interval(0,1))"], "cannot be searched: "),
        (["model=ssd,sdd"], "model=sdd is unknown; did you mean ssd?"),
        (["optimizer.lr=interval(-1,1)"], "optimizer.lr=-1.0 is impossible; optimizer.lr is a number above 0"),
        (["zzz=1,2"], "zzz is not a setting"),
    ],
)
def test_a_mistake_is_said_before_anything_starts(conf, words, line):
    with pytest.raises(UserError, match=line):
        read_space("train", words, conf=conf).require_possible()


@pytest.mark.parametrize(
    ("changes", "measure", "line"),
    [
        ({"trials": 0}, True, "hydra.sweeper.trials=0 is impossible; it is a whole number, 1 or more"),
        ({"objectives": ["mAP", "model"]}, True, "objective model is unknown; .* of: mAP, "),
        ({"objectives": []}, True, "name one or more"),
        ({}, False, "objective ms is measured after training, and measure=false"),
    ],
)
def test_settings_that_cannot_be(changes, measure, line):
    with pytest.raises(UserError, match=line):
        check_settings(Settings(4, OBJECTIVES, 1, 5, 1)._replace(**changes), measure)


@pytest.mark.parametrize(
    ("value", "distribution", "expected"),
    [
        (0.00342918, FloatDistribution(1e-3, 1e-2), 0.00343),
        (0.0000123456, FloatDistribution(1e-6, 1, log=True), 0.0000123),
        (0.123456, FloatDistribution(0, 1), 0.123),
        (1.2340001, FloatDistribution(1.2340002, 2, log=True), 1.2340002),
        (7, IntDistribution(1, 9), 7),
        ("ssd", CategoricalDistribution(["ssd"]), "ssd"),
    ],
)
def test_numbers_are_rounded_within_their_axis(value, distribution, expected):
    assert rounded(value, distribution) == expected


def test_it_finds_better_runs_than_chance_does_and_shows_the_frontier(search, capsys):
    searching = search(*AXES, trials=25)
    assert states(searching) == [TrialState.COMPLETE] * 25
    best = [trial.params for trial in searching.study.best_trials]
    assert {values["image_size"] for values in best} == {"64", "96", "128"}
    later = [values["optimizer.lr"] for values in chosen(searching)][5:]
    assert sum(10**-2.5 < rate < 10**-1.5 for rate in later) > len(later) / 2  # a third of the axis
    show_best(searching.runs().values(), searching.space, OBJECTIVES)
    shown = [line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    by_score = sorted(searching.study.best_trials, key=lambda trial: trial.values[0])
    assert shown == [str(trial.number) for trial in by_score]


def test_the_same_seed_proposes_the_same_also_after_an_interruption(search):
    whole = search(*AXES, trials=8, name="whole")

    def interrupted(config):
        if len(list(Path(config.runs).glob("*/result.json"))) == 6:
            raise KeyboardInterrupt
        return trade_off(config)

    with pytest.raises(KeyboardInterrupt):
        search(*AXES, trials=8, result=interrupted)
    again = search(*AXES, trials=8)
    assert chosen(again) == chosen(whole)
    assert states(again) == [TrialState.COMPLETE] * 8
    assert len(again.launcher.launched) == 8 - 6


def test_killed_at_any_moment_it_goes_on(search, tmp_path):
    """However much of the study's file was written, and with each record that the runs have left."""
    search("image_size=64,96,128", "seed=range(1,4)", trials=6, at_once=2)
    file = tmp_path / "found" / STORAGE
    content = file.read_bytes()
    for cut in range(1, len(content), len(content) // 25):
        file.write_bytes(content[:cut])
        again = search("image_size=64,96,128", "seed=range(1,4)", trials=6, at_once=2)
        assert len(again.runs()) == 6
        assert TrialState.RUNNING not in states(again)
    file.write_bytes(content)
    assert search("image_size=64,96,128", "seed=range(1,4)", trials=6).launcher.launched == []


def test_more_trials_go_on_and_fewer_change_nothing(search):
    before = chosen(search(*AXES, trials=3))
    assert chosen(search(*AXES, trials=2)) == before
    after = search(*AXES, trials=5)
    assert (len(after.runs()), len(after.launcher.launched), chosen(after)[:3]) == (5, 2, before)


def test_no_setting_is_run_twice_and_it_ends_when_all_are_tried(search, capsys):
    searching = search("image_size=64,96,128", "seed=1,2,3", trials=40, at_once=2)
    assert len(searching.launcher.launched) == len(set(searching.launcher.launched)) == 9
    assert set(states(searching)) == {TrialState.COMPLETE}
    assert "nothing else is left to try" in capsys.readouterr().out
    before = len(searching.study.trials)
    assert len(search("image_size=64,96,128", "seed=1,2,3", trials=40).study.trials) == before


def test_runs_that_are_there_already_are_told_without_training(search, conf, tmp_path):
    for size in (64, 96):
        job = read_space("train", ["image_size=64,96", f"runs='{tmp_path}/found'"], conf=conf).job({"image_size": size})
        write(job, 0.5, size)
    searching = search("image_size=64,96", trials=2)
    assert searching.launcher.launched == []
    assert sorted(trial.values for trial in searching.study.trials) == [[0.5, 64], [0.5, 96]]


def test_what_makes_no_sense_is_left_out_without_a_run(search, capsys):
    searching = search("model=ssd,rfcn", "model.num_proposals=10,100", trials=9)
    assert len(searching.launcher.launched) == 2
    assert all(name.startswith("model=rfcn") for name in searching.launcher.launched)
    assert searching.skipped["model=ssd,model.num_proposals=10"].startswith("model.num_proposals is not a setting")
    assert "skipped model=ssd,model.num_proposals=10: " in capsys.readouterr().out
    assert set(states(searching)) == {TrialState.COMPLETE, TrialState.PRUNED}


def test_what_is_found_not_to_fit_when_it_is_built_is_left_out(search):
    searching = search(
        "seed=1,2", trials=2, result=lambda config: Outcome("skipped", "no") if config.seed == 2 else (1, 1)
    )
    assert searching.skipped == {"seed=2": "no"}
    assert sorted(states(searching)) == [TrialState.COMPLETE, TrialState.PRUNED]
    assert search("seed=1,2", trials=2).launcher.launched == []


def test_a_failed_run_is_told_and_tried_again_at_the_next_start(search):
    searching = search("seed=1,2,3", trials=3, result=lambda config: None if config.seed == 2 else (0.1, 1.0))
    assert set(states(searching)) == {TrialState.COMPLETE, TrialState.FAIL}
    assert len(searching.launcher.launched) == 3
    again = search("seed=1,2,3", trials=3)
    assert again.launcher.launched == ["seed=2"]
    assert {trial.state for trial in again.runs().values()} == {TrialState.COMPLETE}
    assert len(again.runs()) == 3


def test_a_run_that_was_trained_anew_counts_with_its_new_scores(search, conf, tmp_path, capsys):
    space = search("image_size=64,96", trials=2).space
    write(space.job({"image_size": "96"}), 0.01, 200)
    again = search("image_size=64,96", trials=2)
    assert again.launcher.launched == []
    assert again.runs()[space.name({"image_size": "96"})].values == [0.01, 200]
    capsys.readouterr()
    show_best(again.runs().values(), space, OBJECTIVES)
    out = capsys.readouterr().out
    assert "0.32" in out and "0.01" not in out and "0.48" not in out


def test_a_launcher_that_loses_a_job_ends_no_search(search, capsys):
    def lost(config):
        if config.seed == 2:
            raise RuntimeError("killed")
        return 0.1, 1.0

    searching = search("seed=1,2,3", trials=3, result=lost)
    ended = {name: trial.state for name, trial in searching.runs().items()}
    assert ended == {"seed=1": TrialState.COMPLETE, "seed=2": TrialState.FAIL, "seed=3": TrialState.COMPLETE}
    assert "a job was lost" in capsys.readouterr().out


def test_a_run_that_was_stopped_is_no_best_one(search):
    def stopped(config):
        return (0.9, 0.1, "stopped") if config.seed == 2 else (0.1, 1.0)

    searching = search("seed=1,2", "stop_hopeless=true", trials=2, result=stopped)
    assert sorted(states(searching)) == [TrialState.COMPLETE, TrialState.PRUNED]
    assert [trial.params for trial in searching.study.best_trials] == [{"seed": "1"}]
    assert search("seed=1,2", "stop_hopeless=true", trials=2).launcher.launched == []
    assert search("seed=1,2", "stop_hopeless=false", trials=2).launcher.launched == ["seed=2"]


def test_an_objective_that_a_record_lacks_is_a_failure(search):
    searching = search("seed=1,2", trials=2, result=lambda config: (0.1, None))
    assert states(searching) == [TrialState.FAIL] * 2
    assert len(search("seed=1,2", trials=2).study.trials) == 2


def test_another_search_in_the_folder_is_refused(search):
    search(*AXES, trials=1)
    with pytest.raises(UserError, match=r"holds another search; choose another name=, or overwrite=true") as error:
        search("image_size=64,96", AXES[1], "epochs=3", trials=1)
    assert error.value.details == ("image_size: 128,64,96 -> 64,96", "epochs: not given -> 3")


def test_a_folder_is_searched_by_one_process_at_a_time(tmp_path):
    line = "is searched by another process; wait for it"
    with sole_search(tmp_path), pytest.raises(BusyError, match=line), sole_search(tmp_path):
        pass


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "tradeoffs.sweeps.search")
    with pytest.raises(UserError, match="a search needs Optuna, which is not installed; type: pip install"):
        OptunaSweeper().sweep([])


def search_words(photos: Path, runs: Path) -> list[str]:
    words = ["hydra/sweeper=optuna", "hydra.sweeper.objectives=[mAP,minutes]", "name=search", "trials=2"]
    axes = ["optimizer.lr=tag(log,interval(1e-3,1e-1))", "model=ssd,yolo"]  # yolo lacks a setting among SETTINGS
    return [*SETTINGS[:-1], f"data.root={photos}", f"runs={runs}", *words, *axes]


def command(words: list[str], runs: Path) -> subprocess.Popen:
    """A whole search, started as from a shell; what it says goes into `runs`/said.txt."""
    script = Path(__file__).parents[2] / "train.py"
    with (runs / "said.txt").open("a") as said:
        return subprocess.Popen([sys.executable, str(script), "-m", *words], stdout=said, stderr=said)


def wait_for(pattern: str, runs: Path) -> None:
    until = time.monotonic() + 100
    while not list(runs.glob(pattern)):
        assert time.monotonic() < until, (runs / "said.txt").read_text()
        time.sleep(0.05)


def kill_all(runs: Path) -> None:
    """The search and its jobs: whatever has a file below `runs` open as its output."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str((process / "fd/1").readlink()).startswith(f"{runs}/"):
                os.kill(int(process.name), signal.SIGKILL)


def test_a_search_that_is_killed_goes_on(photos, tmp_path):
    words = search_words(photos, tmp_path)
    first = start_sweep(words, tmp_path)
    wait_for("search/*/checkpoints/last.ckpt", tmp_path)
    kill_all(tmp_path)
    first.join()
    assert command(words, tmp_path).wait(200) == 0
    text = (tmp_path / "said.txt").read_text()
    assert "going on from" in "".join(path.read_text() for path in tmp_path.glob("search/*/log.txt"))
    assert text.count("finished") == len(list(tmp_path.glob("search/*/result.json"))) == 2
    assert "best by mAP, minutes" in text
    folder = tmp_path / "search"
    backend = optuna.storages.journal.JournalFileBackend(str(folder / STORAGE))
    study = optuna.load_study(study_name="search", storage=optuna.storages.JournalStorage(backend))
    told = [trial.state for trial in study.trials if trial.params["model"] == "ssd"]
    assert told == [TrialState.COMPLETE] * 2
    assert {trial.state for trial in study.trials if trial.params["model"] == "yolo"} <= {TrialState.PRUNED}


def test_a_disturbed_time_puts_no_trial_off_the_table(search, capsys):
    searching = search(*AXES, trials=6)
    trials = {trial.number: trial for trial in searching.runs().values()}
    capsys.readouterr()
    show_best(trials.values(), searching.space, ["mAP", "ms"], shaken=trials)
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("│", "!"))]
    assert len(shown) == len(trials) + 1
    assert all("!" in line for line in shown)
