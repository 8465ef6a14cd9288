"""The text behind --help."""

from pathlib import Path

import pytest
from small_configs import write_files

from tradeoffs.errors import UserError
from tradeoffs.settings.compose import CONF
from tradeoffs.settings.help_text import WIDTH, usage
from tradeoffs.task_facts import all_tasks

BY_NAME = ("specialization", "published")  # found by the names of others, not chosen

FILES = {
    "train.yaml": """\
# Trains something.
#
#   python train.py model=ssd
defaults: [{model: ssd}, {trainer: auto}, {optional special: "${model}"}, _self_, {experiment: null}]

image_size: 300  # side of the input
batch_size: 4
name: ${run_name:}  # folder of this run
""",
    "model/ssd.yaml": """\
# The fast one.
# It has default boxes.
task: detection
_target_: some.SSD
neck:
  _partial_: true
  strides: [8, 16]  # of its maps
dropout: 0.0
name: ???  # of whatever
width: ${image_size}
""",
    "model/rfcn.yaml": "bins: 3  # on a side",
    "special/ssd.yaml": "# @package model\ndropout: 0.5",
    "trainer/auto.yaml": "devices: 1  # GPUs\nprecision: null",
    "trainer/ddp.yaml": "defaults: [auto]\ndevices: 2",
    "experiment/large.yaml": "# @package _global_\n# Large images.\nimage_size: 600",
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return write_files(tmp_path / "conf", FILES)


def test_introduction_choices_and_settings(conf):
    lines = usage("train", conf).splitlines()
    assert lines[:3] == ["Trains something.", "", "  python train.py model=ssd"]
    assert "  model         rfcn" in lines
    assert "                ssd*                 The fast one." in lines
    assert "  experiment    large                Large images." in lines
    assert "  image_size=300  side of the input" in lines
    assert "  name=default    folder of this run" in lines


def test_settings_of_the_chosen_parts(conf):
    text = usage("train", conf)
    assert (
        """
  model.neck.strides=[8,16]  of its maps
  model.dropout=0.5
  model.name=NAME            of whatever
  model.width=300

  trainer.devices=1       GPUs
  trainer.precision=null
""".rstrip()
        in text
    )
    assert not any(word in text for word in ("special", "_target_", "_partial_", "model.task", "bins"))


def test_choices_on_the_line_are_followed(conf):
    lines = usage("train", conf, ["model=rfcn", "trainer=ddp", "experiment=large", "zzz=1"]).splitlines()
    assert {"  model.bins=3  on a side", "  trainer.devices=2       GPUs", "  trainer.precision=null"} <= set(lines)
    assert any(line.split() == ["image_size=600", *["side", "of", "the", "input"]] for line in lines)
    assert any("rfcn*" in line for line in lines) and not any("ssd*" in line for line in lines)
    with pytest.raises(UserError, match="model=sdd is unknown"):
        usage("train", conf, ["model=sdd"])


def test_values_of_a_sweep_leave_the_default(conf):
    assert "ssd*" in usage("train", conf, ["model=ssd,rfcn"])


def test_the_real_help_names_every_choice_and_setting():
    shown = usage("train", CONF)
    of_all_tasks = "".join(usage("train", CONF, [f"task={task}"]) for task in all_tasks())
    of_all_tasks += usage("propose", CONF)
    assert all(file.stem in of_all_tasks for file in CONF.glob("*/*.yaml") if file.parent.name not in BY_NAME)
    assert "fcos" in shown and "localizer" not in shown
    other = usage("train", CONF, ["task=localization"])
    assert "localizer*" in other and "  rfcn " not in other
    for key in ("optimizer.lr=0.001 ", "data.source.num_train=2000 ", "backbone.weights=none ", "trainer.precision="):
        assert f"\n  {key}" in shown
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert "  data.root=ROOT " in usage("train", CONF, ["data=coco_folder"])


@pytest.mark.parametrize(("command", "groups_of"), [("evaluate", None), ("predict", None), ("benchmark", "train")])
def test_commands_that_take_the_settings_of_a_run_have_a_short_help(command, groups_of):
    text = usage(command, CONF, groups_of=groups_of)
    assert len(text.splitlines()) <= 58 and "${" not in text


def test_experiments_are_those_of_the_task():
    of_pose, of_detection = (usage("train", CONF, words) for words in (["task=pose", "model=hourglass"], []))
    assert "hourglass_stacks" in of_pose and "huang2017" not in of_pose
    assert "huang2017" in of_detection and "hourglass_stacks" not in of_detection


def test_defaults_are_shown_as_one_types_them(monkeypatch):
    monkeypatch.setenv("TRADEOFFS_DATA", "/photos")
    lines = usage("train", CONF, ["model=fcos"]).splitlines()
    starts = {line.split()[0] for line in lines if "=" in line}
    assert {"data_dir=/photos", "name=model=fcos", "data.source.root=/photos"} <= starts
    assert "  batch_sizes=[1,8] " in usage("benchmark", CONF, groups_of="train")
    assert "  output=RUN/predictions " in usage("predict", CONF)
    assert "  output=RUN/evaluations/SETTINGS " in usage("evaluate", CONF)
