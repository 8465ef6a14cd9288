"""The default sweeper of `train.py -m`: every combination that makes sense and is not finished yet."""

from __future__ import annotations

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class GridSweeper(Sweeper):
    """`params` are axes that an experiment brings along: a dictionary from settings to values, as in `1,2,3`."""

    def __init__(self, params: DictConfig | None = None):
        self.params = params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from tradeoffs.sweeps.grid import sweep_grid  # not at the start of every command

        sweep_grid(self.config, arguments, self.launcher)
