"""Every experiment is a config that can run."""

import pytest

from tradeoffs.apps.build import build_task
from tradeoffs.apps.config import CONF, compose
from tradeoffs.apps.rules import check


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
