"""Command lines: what they compose to, and the one line that answers each wrong one."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import DictConfig, OmegaConf
from real_commands import run_without_torch
from small_configs import write_files

from tradeoffs.commands.launch import launch
from tradeoffs.errors import UserError
from tradeoffs.settings.command_line import quote_value
from tradeoffs.settings.compose import CONF, compose
from tradeoffs.settings.rules import check
from tradeoffs.settings.run_name import LONGEST_NAME, run_name
from tradeoffs.settings.saved_runs import find_run
from tradeoffs.settings.values import Number, OneOf

FILES = {
    "train.yaml": """\
# Trains something.
#
#   python train.py model=ssd
defaults:
  - task: detection
  - model: ssd
  - backbone: mobilenet
  - data: drawn
  - optional special: ${model}_${backbone}
  - _self_
  - experiment: null
  - override hydra/job_logging: none
  - override hydra/hydra_logging: none

image_size: 300  # side of the input
epochs: 2  # passes
batch_size: 4
seed: 1  # of everything
resize: warp
optimizer: {lr: 0.1}
trainer: {devices: 1}
resume: auto
runs: runs  # folder of all runs
name: ${run_name:}  # folder of this run

hydra:
  output_subdir: null
  run: {dir: "${runs}/${name}"}
  sweep: {dir: "${runs}", subdir: "${name}"}
""",
    "evaluate.yaml": """\
# Scores a run.
defaults: [saved_run, {data: null}, _self_, {override hydra/job_logging: none}, {override hydra/hydra_logging: none}]
run: ???  # folder of a run
hydra:
  output_subdir: null
  run: {dir: "${run_folder:${run}}"}
""",
    "task/detection.yaml": "name: detection",
    "task/semantic_segmentation.yaml": "name: semantic_segmentation",
    "model/ssd.yaml": "{task: detection, _target_: some.SSD, score_threshold: 0.01, dropout: 0}",
    "model/rfcn.yaml": "{task: detection, _target_: some.RFCN}",
    "model/fcn.yaml": "{task: semantic_segmentation, _target_: some.FCN}",
    "backbone/mobilenet.yaml": "weights: none",
    "backbone/inception_v3.yaml": "{_target_: some.inception_v3, weights: none}",
    "backbone/timm.yaml": "{weights: none, name: '???'}",
    "data/drawn.yaml": "{name: drawn, number: 10, source: {train: 3}}",
    "data/folder.yaml": "{name: folder, root: '???'}",
    "special/ssd_mobilenet.yaml": "# @package model\nextra: 1",
    "experiment/seeds.yaml": "# @package _global_\nhydra: {sweeper: {params: {seed: '1,2', model: 'ssd,rfcn'}}}",
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return write_files(tmp_path / "conf", FILES)


@pytest.fixture
def command(conf: Path, tmp_path: Path, monkeypatch, capsys):
    """Runs a command line in this process; gives its exit code, stderr's lines and the configs of the jobs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # so that it is taken back after the test

    def run(*words: str, job=lambda config: None, config_name: str = "train"):
        started: list[DictConfig] = []
        monkeypatch.setattr(sys, "argv", [f"{config_name}.py", *words])
        monkeypatch.setitem(
            sys.modules, "a_job", SimpleNamespace(run=lambda config: (started.append(config), job(config)))
        )
        try:
            launch(config_name, "a_job:run", conf, sweeps=config_name == "train")
            code = 0
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr().err.splitlines(), started

    return run


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("model=sdd", "model=sdd is unknown; did you mean ssd? choose: fcn, rfcn, ssd"),
        ("data=zzz", "data=zzz is unknown; choose: drawn, folder"),
        ("image_sze=3", "image_sze is not a setting; did you mean image_size?"),
        ("lr=0.1", "lr is not a setting; did you mean optimizer.lr?"),
        ("backbone.wieghts=none", "backbone.wieghts is not a setting; did you mean backbone.weights?"),
        ("optimizer.zzz=1", "optimizer.zzz is not a setting; there are: optimizer.lr"),
        ("trainer.lr=1", "trainer.lr is not a setting; there are: trainer.devices"),
        ("data.train=1", "data.train is not a setting; did you mean data.source.train?"),
        ("zzz=1", "zzz is not a setting; --help lists them"),
        (
            "data.root=x",
            "data.root is not a setting; it belongs to data=coco_folder or image_folder, which has to be given, too",
        ),
        ("modle=ssd", "modle is not a setting; did you mean model?"),
        ("epochs", "epochs is not understood; settings are written KEY=VALUE"),
        ("--epochs=3", "--epochs=3 is not an option; settings are written KEY=VALUE, without dashes"),
        ("epochs=[3", "epochs=[3 is not understood; in Hydra's grammar quote it: \"epochs='[3'\""),
        ("epochs=abc", "epochs=abc is impossible; epochs is a whole number, 0 or more"),
        ("epochs=1.5", "epochs=1.5 is impossible; epochs is a whole number, 0 or more"),
        ("epochs=true", "epochs=true is impossible; epochs is a whole number, 0 or more"),
        ("epochs=null", "epochs=null is impossible; epochs is a whole number, 0 or more"),
        ("epochs=-1", "epochs=-1 is impossible; epochs is a whole number, 0 or more"),
        ("epochs=0", "epochs=0 scores a published classifier as it is; type weights=timm, or give epochs=1 or more"),
        ("batch_size=-1", "batch_size=-1 is impossible; batch_size is a whole number, 1 or more, or auto"),
        ("image_size=5", "image_size=5 is impossible; image_size is a whole number from 32 to 4096"),
        ("seed=-1", "seed=-1 is impossible; seed is a whole number from 0 to 4294967295"),
        ("optimizer.lr=0", "optimizer.lr=0 is impossible; optimizer.lr is a number above 0"),
        (
            "resize=crop",
            "resize=crop is impossible; resize is one of warp, centre, letterbox, shorter_edge, torchvision",
        ),
        (
            "trainer.devices=0",
            "trainer.devices=0 is impossible; trainer.devices is a whole number, 1 or more, or auto, or -1",
        ),
        ("epochs=${nothing}", "epochs has no value: Interpolation key 'nothing' not found"),
        ("model=fcn", "model=fcn is for task=semantic_segmentation; for task=detection choose: rfcn, ssd"),
        ("model=null", "model=null is unknown; choose: fcn, rfcn, ssd"),
        ("~data", "data is missing; choose one: drawn, folder"),
        ("data=folder", "data.root is missing; add data.root=FOLDER"),
        ("backbone=timm", "backbone.name is missing; add backbone.name=NAME"),
        ("data=folder data.root=nowhere", "data.root=nowhere does not exist; give the folder that holds the data set"),
        (
            "data=folder data.root=conf/train.yaml",
            "data.root=conf/train.yaml is a file; give the folder that holds the data set",
        ),
        (
            "backbone.weights=conf",
            "backbone.weights=conf is a folder; give none, pretrained, a run or an existing file",
        ),
        (
            "backbone=inception_v3 image_size=74",
            "image_size=74 is too small for backbone=inception_v3; give 75 or more",
        ),
        (
            "backbone=timm backbone.name=inception_v3.tf image_size=74",
            "image_size=74 is too small for backbone=inception_v3.tf; give 75 or more",
        ),
        ("model.dropout=2", "model.dropout=2 is impossible; model.dropout is a number from 0 to 1, or null"),
        (
            "backbone.weights=a.pt",
            "backbone.weights=a.pt does not exist; give none, pretrained, a run or an existing file",
        ),
        ("resume=a.ckpt", "resume=a.ckpt does not exist; give auto, never or an existing file"),
        ("name=", "name= is empty; give the run a name, or leave it out to have one made from the settings"),
        ("hydra/launcher=ray", "hydra/launcher=ray is for train.py -m; add -m, for a single run too"),
        ("name=../x", "name=../x leads out of the folder of runs; give a plain name; another folder is runs=FOLDER"),
        ("model=ssd,rfcn", "model=ssd,rfcn holds several values; add -m for a run with each"),
        ("hydra/sweeper=grid", "hydra/sweeper=grid is for train.py -m; add -m"),
        ("seed=1,2", "seed=1,2 holds several values; add -m for a run with each, or put a list into [ ]"),
    ],
)
def test_a_mistake_is_answered_by_one_line_before_anything_starts(command, tmp_path, words, line):
    assert command(*words.split()) == (2, [line], [])
    assert not (tmp_path / "runs").exists()


def test_a_run_has_its_settings_and_its_folder(command, tmp_path):
    code, lines, (config,) = command("seed=3", "model=rfcn", "trainer.devices=1")
    assert (code, lines) == (0, [])
    assert (config.seed, config.model._target_, config.name) == (3, "some.RFCN", "model=rfcn,seed=3")
    assert (tmp_path / "runs" / "model=rfcn,seed=3").is_dir()


def test_a_late_mistake_is_a_line_with_its_details(command):
    def job(config):
        raise UserError("two faults", ("the first", "the second"))

    code, lines, _ = command(job=job)
    assert (code, lines) == (2, ["two faults", "  the first", "  the second"])


def test_a_crash_keeps_its_traceback(command):
    with pytest.raises(ZeroDivisionError):
        command(job=lambda config: 1 / 0)


def test_ctrl_c_is_no_crash(command):
    def job(config):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)  # as Lightning's trainer does

    code, lines, _ = command(job=job)
    assert (code, lines) == (130, ["", "stopped by Ctrl-C"])


def test_further_processes_of_a_run_find_its_folder(command):
    """The arguments that Lightning adds when it starts the script again for each device."""
    added = ['hydra.run.dir="runs/seed=3"', "hydra.job.name=train_ddp_process_1", "hydra.output_subdir=null"]
    code, lines, (config,) = command("seed=3", *added)
    assert (code, lines, config.name) == (0, [], "seed=3")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("", "default"),
        ("task=detection model=ssd backbone=mobilenet seed=1 optimizer.lr=0.1", "default"),
        ("seed=2 backbone=timm backbone.name=x model=rfcn", "model=rfcn,backbone=timm,backbone.name=x,seed=2"),
        ("experiment=short epochs=1 data=drawn model=rfcn", "data=drawn,experiment=short"),
        ("experiment=short model=ssd", "model=ssd,experiment=short"),
        ("experiment=short epochs=2 model=rfcn", "experiment=short,epochs=2"),
        ("model=ssd model.extra=2", "model.extra=2"),
        ("model=ssd model.extra=1", "default"),  # as the specialization says
        ("+late=1 ~seed", "late=1,~seed="),
        ("trainer.devices=2 runs=elsewhere", "default"),
    ],
)
def test_what_repeats_a_default_does_not_name_a_run(conf, words, name):
    (conf / "experiment" / "short.yaml").write_text(
        "# @package _global_\ndefaults: [override /data: folder, override /model: rfcn]\nepochs: 1\n"
    )
    assert compose("train", words.split(), conf).name == name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "default"),
        (["seed=1", "backbone=mobilenet", "model=ssd"], "model=ssd,backbone=mobilenet,seed=1"),
        (["model.extra=2", "model=ssd", "+late=1"], "model=ssd,model.extra=2,late=1"),
        (["seed=1", "seed=2"], "seed=2"),
        (["name=x", "runs=y", "logger=csv", "logger.wandb.project=z", "trainer.devices=2", "resume=never"], "default"),
        (["sizes=[1, 2]"], "sizes=1,2"),
    ],
)
def test_run_name(overrides, name):
    assert run_name(overrides, ["model", "backbone"]) == name


def test_run_names_are_file_names_and_stay_different():
    deep = [run_name([f"data.root={root}"]) for root in ("/a/photos", "/b/photos", "photos")]
    assert len(set(deep)) == 3
    assert all(name.startswith("data.root=photos") and "/" not in name for name in deep)
    several = run_name(["trained=[sweep/model=ssd,seed=1,other/default]"])
    assert several.startswith("trained=model=ssd,seed=1,default,")
    long = [run_name([f"key{place}={value}" for place in range(50)]) for value in "ab"]
    assert long[0] != long[1]
    assert max(map(len, long)) == LONGEST_NAME


@pytest.fixture
def run(command, tmp_path: Path) -> str:
    """The name of a trained run."""
    _, _, (config,) = command("model=rfcn", "seed=3")
    folder = tmp_path / "runs" / config.name
    OmegaConf.save(config, folder / "config.yaml")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    return config.name


def test_a_saved_run_brings_its_settings(command, run):
    for place in (run, f"runs/{run}"):
        code, lines, (config,) = command(f"run={place}", "image_size=512", config_name="evaluate")
        assert (code, lines) == (0, [])
        assert (config.seed, config.image_size, config.name, config.run) == (3, 512, run, place)


def test_a_saved_run_takes_other_data_whole(command, run, tmp_path):
    _, _, (config,) = command(f"run={run}", "data=folder", f"data.root={tmp_path}", config_name="evaluate")
    assert config.data == {"name": "folder", "root": str(tmp_path)}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "run is missing; add run=FOLDER; in runs/ there are: model=rfcn,seed=3"),
        (
            ["run=model=rfcn,seed=3", "optimizer.lr=1"],
            "optimizer.lr is for training only and changes nothing here; leave it out",
        ),
        (["run=model=rfcn,seed=3", "seed=4"], "seed is for training only and changes nothing here; leave it out"),
        (["run=zzz"], "run=zzz does not exist; in runs/ there are: model=rfcn,seed=3"),
        (["run=runs"], "run=runs is a folder of runs; give run=runs/ and one of them: model=rfcn,seed=3"),
        (
            ["run=model=rfcn,seed=3", "image_size=5"],
            "image_size=5 is impossible; image_size is a whole number from 32 to 4096",
        ),
        (["run=model=rfcn,seed=3", "image_sze=5"], "image_sze is not a setting; did you mean image_size?"),
        (["-m", "run=a"], "-m is for train.py; start the command once for each"),
        (["seed=a,b", "run=model=rfcn,seed=3"], "seed=a,b holds several values; give one, or put a list into [ ]"),
        (["run=model=rfcn,seed=3", "model=fcn"], "model cannot be chosen anew here; --help lists what can"),
    ],
)
def test_mistakes_with_a_saved_run(command, run, words, line):
    assert command(*words, config_name="evaluate") == (2, [line], [])


def test_a_run_without_checkpoint(command, run, tmp_path):
    (tmp_path / "runs" / run / "checkpoints" / "last.ckpt").unlink()
    code, (line,), _ = command(f"run={run}", config_name="evaluate")
    assert (code, line) == (
        2,
        f"run={run} has no checkpoint in runs/{run}/checkpoints; train it first or choose another",
    )


def test_without_any_runs(tmp_path):
    with pytest.raises(UserError, match="there are no runs in"):
        find_run("zzz", tmp_path)


@pytest.mark.parametrize("path", ["a(1).jpg", "a b.jpg", "runs/model=ssd,seed=1", "it's.jpg", "*.jpg", "ü.jpg"])
def test_paths_need_no_quotes(conf, path):
    (conf / "predict.yaml").write_text("source: ???")
    assert compose("predict", [quote_value(f"source={path}")], conf).source == path


def test_quoted_paths_and_other_settings_stay():
    for override in ("source='a b'", "source=plain/path.jpg", "sizes=[1,2]", "source=${runs}/x"):
        assert quote_value(override) == override


def test_several_numbers_of_proposals_are_a_list():
    assert quote_value("num_proposals=10,20") == "num_proposals=[10,20]"
    assert quote_value("num_proposals=10") == "num_proposals=10"
    assert quote_value("seed=1,2") == "seed=1,2"


def test_rules():
    whole = Number(1, 8, whole=True, also=("auto", None))
    assert [value for value in (0, 1, 8, 9, 2.0, True, "auto", None, "x", [1]) if whole.allows(value)] == [
        1,
        8,
        "auto",
        None,
    ]
    assert [value for value in (0, -1, 1e-9, float("nan")) if Number(above=0).allows(value)] == [1e-9]
    assert [value for value in (True, 1, "true", None) if OneOf((True, None)).allows(value)] == [True, None]
    assert str(OneOf((True, None, "a"))) == "one of true, null, a"


def groups() -> list[tuple[str, str]]:
    """Those that are chosen by themselves; the others go with a choice."""
    found = sorted(CONF.glob("*/*.yaml"))
    aside = ("specialization", "published", "experiment")
    return [(file.parent.name, file.stem) for file in found if file.parent.name not in aside]


@pytest.mark.parametrize(("group", "choice"), groups())
def test_every_choice_of_the_real_config_is_possible(group, choice, tmp_path):
    folders = ("coco_folder", "image_folder", "imagenet", "segmentation_folder")
    needed = {
        "timm": ["backbone.name=resnet18"],
        "hourglass": ["backbone=none"],
        "augmentation/person": ["task=pose"],
        "backbone/none": ["task=pose", "model=hourglass"],
        "edge_boxes": [f"proposals.model={Path(__file__)}"],  # any file
        "rpn": ["proposals.run=some"],
        **{key: [f"data.root={tmp_path}"] for key in folders},
    }
    task = OmegaConf.load(CONF / group / f"{choice}.yaml").get("task") if group == "model" else None
    user = {"upsampling": ["task=semantic_segmentation", "model=unet"], "proposals": ["model=fast_rcnn"]}.get(group, [])
    others = needed.get(f"{group}/{choice}", needed.get(choice, []))
    overrides = [f"{group}={choice}", *([f"task={task}"] if task else []), *user, *others]
    check(compose("train", [*overrides, "name=chosen"]))  # to find a name takes twice as long as the rest


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["epochs=-1"], 2, "epochs=-1 is impossible; epochs is a whole number, 0 or more"),
        (["image_sze=3"], 2, "image_sze is not a setting; did you mean image_size?"),
        (["--help"], 0, None),
    ],
)
def test_the_real_command_answers_without_torch(tmp_path, words, code, line):
    found, said = run_without_torch(tmp_path, "train", "tradeoffs.commands.launch", "launch", words)
    assert (found, said) == (code, [line] if line else [])


@pytest.mark.parametrize("model", ["yolo", "yolov2"])
def test_a_model_for_images_of_one_shape_takes_no_others(model):
    with pytest.raises(UserError, match="choose warp or letterbox"):
        check(compose("train", [f"model={model}", "resize=shorter_edge"]))
