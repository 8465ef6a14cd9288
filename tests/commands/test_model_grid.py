"""Lists on a command line: the models they stand for, and the one line that answers each wrong one."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from real_commands import run_without_torch
from small_configs import write_files

from tradeoffs.commands.model_grid import Grid, launch_grid, read_grid, require_own_names, split_runs
from tradeoffs.errors import UserError
from tradeoffs.settings.command_line import quote_value
from tradeoffs.settings.compose import CONF, compose
from tradeoffs.settings.help_text import usage

FILES = {
    "benchmark.yaml": """\
# Times models.
#
#   python benchmark.py model=[ssd,rfcn]
defaults: [_self_, {override hydra/job_logging: none}, {override hydra/hydra_logging: none}]
run: null  # runs
checkpoint: best
batch_sizes: [1, 8]  # images
minutes: 25
name: null
""",
    "train.yaml": """\
defaults:
  - task: detection
  - model: ssd
  - backbone: mobilenet
  - data: drawn
  - optional specialization: ${model}_${backbone}
  - _self_
  - override hydra/job_logging: none
  - override hydra/hydra_logging: none
image_size: 300
scales: [1, 2]
name: ${run_name:}
""",
    "task/detection.yaml": "name: detection",
    "model/ssd.yaml": "{task: detection, _target_: some.SSD, neck: {channels: [8, 8]}}",
    "model/rfcn.yaml": "{task: detection, _target_: some.RFCN, num_proposals: 300}",
    "backbone/mobilenet.yaml": "{output_stride: null}",
    "backbone/timm.yaml": "{name: '???'}",
    "data/drawn.yaml": "{name: drawn}",
    "data/other.yaml": "{name: other}",
    "specialization/rfcn_mobilenet.yaml": "# @package model\nbins: 3",
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return write_files(tmp_path / "conf", FILES)


def grid(conf: Path, words: str) -> Grid:
    return read_grid("benchmark", [quote_value(word) for word in words.split()], conf)


def chosen(conf: Path, words: str) -> list[str]:
    return [" ".join(point.overrides) for point in grid(conf, words).points]


def test_lists_mean_each_with_each(conf):
    found = grid(conf, "model=[ssd,rfcn] image_size=[300,600] batch_sizes=[1,2] minutes=3")
    assert [point.config.name for point in found.points] == [
        *("model=ssd,image_size=300", "model=ssd,image_size=600"),
        *("model=rfcn,image_size=300", "model=rfcn,image_size=600"),
    ]
    assert [point.config.image_size for point in found.points] == [300, 600, 300, 600]
    assert (found.settings.batch_sizes, found.settings.minutes) == ([1, 2], 3)
    assert found.settings.name == "model=ssd,rfcn,image_size=300,600,batch_sizes=1,2"


def test_each_model_is_composed_as_for_training(conf):
    for point in grid(conf, "model=[ssd,rfcn] image_size=64").points:
        assert point.config == {**compose("train", point.overrides, conf), "name": point.config.name}
    assert grid(conf, "model=[rfcn]").points[0].config.model.bins == 3


def test_a_single_value_and_none_at_all(conf):
    assert chosen(conf, "model=rfcn image_size=64") == ["model=rfcn image_size=64"]
    (point,) = grid(conf, "").points
    assert (point.overrides, point.config.name) == ((), "default")


def test_a_list_is_a_value_where_the_config_has_a_list(conf):
    assert chosen(conf, "scales=[3,4] model.neck.channels=[16,16]") == ["scales=[3,4] model.neck.channels=[16,16]"]


def test_values_of_every_kind(conf):
    words = "backbone.output_stride=[null,8,16]"
    assert [point.config.backbone.output_stride for point in grid(conf, words).points] == [None, 8, 16]
    words = "backbone=timm backbone.name=[a_b,hf/c-1.0,d:e]"
    assert [point.config.backbone.name for point in grid(conf, words).points] == ["a_b", "hf/c-1.0", "d:e"]


def test_a_setting_of_some_models_goes_to_those(conf):
    assert chosen(conf, "model=[ssd,rfcn] model.num_proposals=[100,300]") == [
        *("model=ssd", "model=rfcn model.num_proposals=100", "model=rfcn model.num_proposals=300")
    ]


def test_equal_models_are_one(conf):
    assert chosen(conf, "image_size=[64,64]") == ["image_size=64"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("model=[ssd,sdd]", "model=sdd is unknown; did you mean ssd? choose: rfcn, ssd"),
        ("model=ssd,rfcn", "model=ssd,rfcn holds several values; put them into [ ], as in model=[ssd,rfcn]"),
        ("model=[]", "model=[] is empty; give one value or more"),
        ("image_size=[64,5]", "image_size=5 is impossible; image_size is a whole number from 32 to 4096"),
        ("image_sze=64", "image_sze is not a setting; did you mean image_size?"),
        ("minuts=3", "minuts is not a setting; did you mean minutes?"),
        ("zzz.a=3", "zzz.a is not a setting; --help lists them"),
        (
            "model.zzz=[1,2]",
            "model.zzz is not a setting; there are: model.task, model._target_, model.neck",
        ),
        ("minutes=0", "minutes=0 is impossible; minutes is a number above 0"),
        ("batch_sizes=[1,0]", "batch_sizes=[1, 0] is impossible; batch_sizes is a whole number, 1 or more, or a list"),
        ("batch_sizes=[]", "batch_sizes=[] is impossible; batch_sizes is a whole number, 1 or more, or a list of such"),
        ("backbone=timm", "backbone.name is missing; add backbone.name=NAME"),
        ("data=[drawn,other]", "data holds several data sets; models are compared on the same images: choose one"),
        ("run=[zzz]", "run=zzz does not exist; there are no runs in runs/ yet"),
    ],
)
def test_a_mistake_is_answered_by_one_line(conf, tmp_path, monkeypatch, words, line):
    monkeypatch.chdir(tmp_path)
    (conf / "evaluate.yaml").write_text("defaults: [saved_run, _self_]\nrun: ???\ncheckpoint: best\n")
    with pytest.raises(UserError) as caught:
        grid(conf, words)
    assert str(caught.value).startswith(line)


def test_the_job_gets_the_grid_and_gives_the_exit_code(conf, monkeypatch):
    given = []
    monkeypatch.setitem(sys.modules, "a_job", SimpleNamespace(run=lambda grid: given.append(grid) or 1))
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "model=[ssd,rfcn]", "minutes=3"])
    with pytest.raises(SystemExit) as end:
        launch_grid("benchmark", "a_job:run", conf)
    assert end.value.code == 1
    assert (given[0].settings.minutes, len(given[0].points)) == (3, 2)


def test_runs_of_the_same_name_are_refused(tmp_path):
    for place in ("a", "b"):
        (tmp_path / place / "default").mkdir(parents=True)
        (tmp_path / place / "default" / "config.yaml").touch()
    with pytest.raises(UserError, match="holds 2 runs called default"):
        require_own_names([str(tmp_path / place / "default") for place in ("a", "b", "a")])


def test_names_of_runs_may_hold_commas():
    names = {"default", "model=ssd,seed=1", "seed=1", "a,b,c"}
    for text, expected in {
        "default": ["default"],
        "[default,model=ssd,seed=1]": ["default", "model=ssd,seed=1"],
        "[seed=1, a,b,c,default]": ["seed=1", "a,b,c", "default"],
        "['a,b,c',\"seed=1\"]": ["a,b,c", "seed=1"],
        "[a,b]": ["a", "b"],  # names of no runs
        "[model=ssd,seed=9,default,x/y]": ["model=ssd,seed=9", "default", "x/y"],
    }.items():
        assert split_runs(text, names.__contains__) == expected


def test_the_real_help_shows_models_and_settings():
    lines = usage("benchmark", CONF, groups_of="train").splitlines()
    assert any(line.startswith("  model ") and "ssd*" in line for line in lines)
    assert any(line.startswith("  minutes=25 ") for line in lines)


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["backbone=[mobilenet,zzz]"], 2, "backbone=zzz is unknown;"),
        (["image_size=[300,6]"], 2, "image_size=6 is impossible;"),
        (["-m", "image_size=300"], 2, "-m is not needed: all models are timed in one process;"),
        (["--cfg", "job", "image_size=[64,96]"], 0, None),
        (["--help"], 0, None),
    ],
)
def test_the_real_command_answers_without_torch(tmp_path, words, code, line):
    found, said = run_without_torch(tmp_path, "benchmark", "tradeoffs.commands.model_grid", "launch_grid", words)
    assert found == code and len(said) == bool(line)
    assert "".join(said).startswith(line or "")
