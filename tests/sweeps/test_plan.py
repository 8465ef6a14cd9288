"""What a sweep's command line means: its folder, its jobs, and those that are left out."""

import pytest
from small_configs import SWEEPS, write_files

from tradeoffs.errors import UserError
from tradeoffs.settings.command_line import quote
from tradeoffs.sweeps.optional_settings import as_axes
from tradeoffs.sweeps.plan import described, in_own_folder, plan_sweep, require_engine

FILES = SWEEPS | {
    "model/fcn.yaml": "{task: semantic_segmentation, _target_: some.FCN}",
    "backbone/mobilenet.yaml": "{_target_: some.mobilenet}",
    "experiment/seeds.yaml": "# @package _global_\nhydra: {sweeper: {params: {seed: '1,2', model: 'ssd,rfcn'}}}",
    "experiment/pair.yaml": """\
# @package _global_
size: small
hydra: {sweeper: {params: {experiment: '${size}_ssd,${size}_rfcn', seed: '1,2'}}}
""",
    "experiment/small_ssd.yaml": "# @package _global_\nimage_size: 64",
    "experiment/small_rfcn.yaml": "# @package _global_\ndefaults: [override /model: rfcn]\nimage_size: 64",
}


@pytest.fixture
def conf(tmp_path):
    return write_files(tmp_path / "conf", FILES)


@pytest.fixture
def planned(conf):
    return lambda *words: plan_sweep("train", tuple(words), conf)


def names(plan):
    return [job.name for job in plan.jobs]


def test_every_combination_is_a_job_with_a_folder(planned):
    plan = planned("model=ssd,rfcn", "seed=1,2", "runs=elsewhere")
    assert names(plan) == ["model=ssd,seed=1", "model=ssd,seed=2", "model=rfcn,seed=1", "model=rfcn,seed=2"]
    assert str(plan.jobs[-1].folder) == "elsewhere/model=rfcn,seed=2"
    assert plan.jobs[-1].overrides == ("model=rfcn", "seed=2", "runs=elsewhere", "name='model=rfcn,seed=2'")


def test_ranges_and_globs_are_spelled_out(planned):
    assert names(planned("seed=range(2,4)", "model=glob(r*)")) == ["model=rfcn,seed=2", "model=rfcn,seed=3"]


def test_settings_of_hydra_go_to_every_job(planned):
    assert planned("seed=1,2", "hydra.job.chdir=false").jobs[0].overrides == (
        "seed=1",
        "hydra.job.chdir=false",
        "name='seed=1'",
    )


def test_an_experiment_brings_its_own_axes(planned):
    assert len(planned("experiment=seeds", "epochs=1").jobs) == 4
    assert len(planned("experiment=seeds", "seed=3").jobs) == 2


def test_an_experiment_may_consist_of_others(planned):
    plan = planned("experiment=pair", "seed=3,4", "epochs=1")
    assert [(job.config.model._target_, job.config.seed) for job in plan.jobs] == [
        ("some.SSD", 3),
        ("some.SSD", 4),
        ("some.RFCN", 3),
        ("some.RFCN", 4),
    ]
    assert {(job.config.image_size, job.config.epochs) for job in plan.jobs} == {(64, 1)}


def test_the_same_run_is_started_once(planned):
    assert names(planned("seed=2,2")) == ["seed=2"]


def test_runs_that_differ_in_nothing_that_matters_are_one(planned):
    plan = planned("seed=1,2", "jobs=1,2")
    assert names(plan) == ["seed=1", "seed=2"]
    assert plan.skipped == {f"seed={seed} jobs=2": f"the same run as seed={seed} jobs=1" for seed in (1, 2)}


def test_what_makes_no_sense_is_left_out_and_said(planned):
    plan = planned("model=ssd,fcn", "seed=1,2")
    assert names(plan) == ["model=ssd,seed=1", "model=ssd,seed=2"]
    assert plan.skipped["model=fcn seed=2"] == (
        "model=fcn is for task=semantic_segmentation; for task=detection choose: rfcn, ssd"
    )


def test_a_setting_that_some_models_lack_leaves_those_out(planned):
    plan = planned("model=ssd,rfcn", "model.num_proposals=10,100")
    assert names(plan) == ["model=rfcn,model.num_proposals=10", "model=rfcn,model.num_proposals=100"]
    assert list(plan.skipped) == ["model=ssd model.num_proposals=10", "model=ssd model.num_proposals=100"]


def test_so_does_one_that_is_the_same_for_all(conf):
    plan = plan_sweep(
        "train", tuple(as_axes("train", ["model=ssd,rfcn", "model.num_proposals=10", "seed=1,2"], conf)), conf
    )
    assert names(plan) == ["model=rfcn,seed=1", "model=rfcn,seed=2"]
    assert plan.jobs[0].config.model.num_proposals == 10
    assert plan.skipped["model=ssd model.num_proposals=10 seed=1"].startswith("model.num_proposals is not a setting")


def test_one_that_no_model_has_is_a_mistake(conf):
    words = as_axes("train", ["model=ssd,rfcn", "model.num_props=10"], conf)
    with pytest.raises(UserError, match="2 of 2 jobs cannot run"):
        plan_sweep("train", tuple(words), conf)


@pytest.mark.parametrize(
    ("words", "axes"),
    [
        (["model=ssd,rfcn", "model.num_proposals=10"], ["model.num_proposals=choice(10)"]),
        (["experiment=pair", "model.num_proposals=10"], ["model.num_proposals=choice(10)"]),
        (["model=rfcn", "model.num_proposals=10", "seed=1,2"], []),
        (["model=ssd,rfcn", "model.num_proposals=null", "seed=1"], []),
        (["model=ssd,rfcn", "trainer.devices=2", "hydra.job.chdir=false"], []),  # launchers need them
    ],
)
def test_only_what_some_choices_may_lack_is_hidden_from_hydra(conf, words, axes):
    changed = as_axes("train", words, conf)
    assert [new for new, old in zip(changed, words, strict=True) if new != old] == axes


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["seed=1,2", "epochs=-1"], ["epochs=-1 is impossible; epochs is a whole number, 0 or more"]),
        (
            ["model=fcn", "seed=1,2"],
            ["model=fcn is for task=semantic_segmentation; for task=detection choose: rfcn, ssd"],
        ),
        (["model=ssd,sdd"], ["1 of 2 jobs cannot run, so none was started: model=sdd is unknown; did you mean ssd? "]),
        (["epochs=interval(1,2)"], ["epochs=interval(1,2) is no list of values, as a grid needs it; to search add "]),
        (["zzz=1,2"], ["zzz is not a setting; --help lists them"]),
        (
            ["epochs=-1,1", "seed=-1,1"],
            [
                "3 of 4 jobs cannot run, so none was started:",
                "epochs=-1 seed=-1: epochs=-1 is impossible; epochs is a whole number, 0 or more",
                "epochs=-1 seed=1: epochs=-1 is impossible; epochs is a whole number, 0 or more",
                "epochs=1 seed=-1: seed=-1 is impossible; seed is a whole number from 0 to 4294967295",
            ],
        ),
    ],
)
def test_with_a_mistake_nothing_starts(planned, words, lines):
    with pytest.raises(UserError) as error:
        planned(*words, "runs='a b'")
    assert [str(error.value), *error.value.details][0].startswith(lines[0])
    assert list(error.value.details) == lines[1:]


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (["seed=1,2", "model=ssd,rfcn"], "runs/model=ssd,rfcn,seed=1,2"),
        (["model=ssd,rfcn", "name=first", "seed=1,2"], "runs/first"),
        (["seed=1,2", "runs=/tmp/a b", "jobs=2", "hydra/launcher=basic"], "/tmp/a b/seed=1,2"),
        (["experiment=seeds"], "runs/experiment=seeds"),
    ],
)
def test_the_folder_of_a_sweep_is_named_by_what_it_is(conf, words, folder):
    *kept, last = in_own_folder("train", words, conf)
    assert last == f"runs={quote(folder)}"
    assert kept == [word for word in words if not word.startswith(("name=", "runs="))]


@pytest.mark.parametrize(("name", "line"), [("../x", "leads out"), (".", "is empty"), ("null", "is empty")])
def test_a_sweep_has_a_name_of_its_own(conf, name, line):
    with pytest.raises(UserError, match=line):
        in_own_folder("train", ["seed=1,2", f"name={name}"], conf)


def test_what_would_run_can_be_seen_before(planned):
    lines = list(described(planned("model=ssd,fcn", "seed=1", "runs=r")))
    assert lines == [
        "r/model=ssd",
        "skipped model=fcn seed=1: model=fcn is for task=semantic_segmentation; for task=detection choose: rfcn, ssd",
    ]


def test_jobs_elsewhere_begin_in_other_folders(conf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"runs='{tmp_path}/runs/seed=1,2'" in in_own_folder("train", ["seed=1,2", "hydra/launcher=slurm"], conf)


def test_a_missing_plugin_is_named(monkeypatch):
    monkeypatch.setattr("tradeoffs.sweeps.plan.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^hydra/launcher=ray needs hydra-ray-launcher; type: pip install"):
        require_engine(["seed=1,2", "hydra/launcher=ray"])
    require_engine(["seed=1,2", "hydra/launcher=basic"])
