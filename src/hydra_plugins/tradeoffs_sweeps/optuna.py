"""The sweeper of `train.py -m hydra/sweeper=optuna`: runs that Optuna proposes by the results of the earlier ones."""

from __future__ import annotations

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    """`settings` are those of conf/hydra/sweeper/optuna.yaml."""

    def __init__(self, **settings: Any):
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from tradeoffs.errors import UserError  # not at the start of every command

        try:
            from tradeoffs.sweeps.search import Settings, sweep_search
        except ModuleNotFoundError as missing:
            if missing.name != "optuna":
                raise
            raise UserError("a search needs Optuna, which is not installed; type: pip install 'optuna>=4'") from None
        sweep_search(self.config, arguments, self.launcher, Settings(**self.settings))
