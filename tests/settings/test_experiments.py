"""Every experiment is a config that can run."""

import pytest

from tradeoffs.commands.launch import check_single
from tradeoffs.errors import UserError
from tradeoffs.runs.build import build_task
from tradeoffs.settings.compose import CONF, compose
from tradeoffs.settings.rules import check
from tradeoffs.sweeps.plan import plan_sweep


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))
def test_experiments_compose_pass_the_check_and_build(name, tmp_path):
    overrides = [f"experiment={name}"]
    if "root" in compose("train", overrides).data:  # somebody's own data, which need not be here
        overrides.append(f"data.root={tmp_path}")
    config = compose("train", overrides)
    check(config)
    config.backbone.weights = "none"  # nothing is downloaded here
    task = build_task(config, num_classes=2)
    assert task.model.num_classes == 2


@pytest.mark.parametrize("name", ["localization", "backbones"])
def test_a_job_of_an_experiment_is_a_single_run(name):
    """As a sweep starts it: its command line has a value for each axis; one that lacks any is several runs."""
    (job, *_) = plan_sweep("train", (f"experiment={name}",)).jobs
    check_single("train", job.overrides, CONF, sweeps=True)
    with pytest.raises(UserError, match=f"experiment={name} is several runs; add -m"):
        check_single("train", [text for text in job.overrides if text != "seed=1"], CONF, sweeps=True)


@pytest.mark.parametrize(("scale", "seeds"), [("laptop", 2), ("full", 1)])
def test_the_grid_of_huang_is_whole(scale, seeds, tmp_path):
    words = ("experiment=huang2017", f"scale={scale}", "data=coco_folder", f"data.root={tmp_path}")
    plan = plan_sweep("train", words)
    settings = [job.config for job in plan.jobs]
    models = {config.model._target_.rpartition(".")[2] for config in settings}
    backbones = {config.lookup.backbone for config in settings}
    assert models == {"SSD", "RFCN", "faster_rcnn"}
    assert len(settings) == 3 * len(backbones) * 2 * seeds and not plan.skipped
    assert all(config.scale == scale for config in settings)


def test_the_full_grid_learns_at_the_rates_of_table_2(tmp_path):
    words = ("experiment=huang2017", "scale=full", "image_size=600", "data=coco_folder", f"data.root={tmp_path}")
    configs = [job.config for job in plan_sweep("train", words).jobs]
    rates = {
        (config.model._target_.rpartition(".")[2], config.lookup.backbone): config.optimizer.lr for config in configs
    }
    assert rates["SSD", "mobilenet"] == 4e-3 and rates["SSD", "vgg16"] == 3e-4
    assert rates["RFCN", "resnet101"] == pytest.approx(8 * 3e-4)  # eight images at a time, one in the paper
    assert rates["faster_rcnn", "inception_resnet_v2"] == pytest.approx(8 * 1e-3)
