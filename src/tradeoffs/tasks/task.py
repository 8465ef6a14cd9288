"""What every task shares: the optimizer, randomness that depends on where a run is, and what a checkpoint tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tradeoffs.data.photometric import photometric_distort
from tradeoffs.errors import UserError
from tradeoffs.metrics.evidence import Evidence
from tradeoffs.structures import Batch, Targets
from tradeoffs.training.partial_validation import validates_a_part
from tradeoffs.training.schedule import parameter_groups
from tradeoffs.training.stages import Stage


@runtime_checkable
class Scores(Protocol):
    """What a metric has computed. `summary` is logged, and names its scores as the task's YAML does."""

    summary: dict[str, float]
    per_class: list[dict[str, Any]]  # `id`, `name` and what is known of the class

    def to_dict(self) -> dict[str, Any]:
        """For the record: all of it, as JSON."""


@runtime_checkable
class Metric(Protocol):
    """Scores a validation split. All but `reset` is asked of every process and answered in the first."""

    def reset(self) -> None: ...

    def compute(self, only_seen: bool = False) -> Scores:
        """In every process. With `only_seen` of the images that were shown to it alone."""

    def predictions(self) -> list[dict]:
        """All that was found, in COCO's results format or one like it: an `image_id` and what is to be said of it."""

    def evidence(self, only_seen: bool = False) -> Evidence | None: ...


class Task(LightningModule):
    """Trains a model by its `losses`, and scores it. A task adds what it knows of its own: the four methods below.

    `optimizer(parameter_groups)` and `schedule(optimizer, total_steps)` build the optimizer and its schedule, which is
    stepped with it; the model's heads learn at `head_lr` times the learning rate, and each stage of its backbone at
    `layer_decay` times that of the one above. The best weights are those with the highest `headline`, one of the
    metric's scores. The trainer's data module gives the classes, and says whether colours are distorted.
    """

    def build_metric(self, data: Any) -> Metric:
        """For the validation split of a data module."""
        raise NotImplementedError

    def show(self, metric: Metric, batch: Batch, predictions: Any) -> None:
        """Adds a batch to what the metric scores."""
        raise NotImplementedError

    def draw(self, kept: Sequence[tuple[Batch, Any]], side: int) -> tuple[list[UInt8[Tensor, "3 _h _w"]], str]:
        """A picture of each image, its longer side `side` pixels, with truth and predictions; and what is drawn."""
        raise NotImplementedError

    def report(self, folder: Path, evidence: Evidence | None, only_seen: bool) -> dict[str, Any]:
        """Writes further files into a run's folder; returns what else its record should hold. All processes call it."""
        return {}

    def __init__(
        self,
        model: nn.Module,
        headline: str,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Callable[[Optimizer, int], LRScheduler] | None = None,
        head_lr: float = 1.0,
        layer_decay: float = 1.0,
        seed: int = 0,
    ):
        super().__init__()
        self.model = model
        self.headline = headline
        self.make_optimizer, self.make_schedule = optimizer, schedule
        self.head_lr, self.layer_decay = head_lr, layer_decay
        self.seed = seed
        self.metric: Metric | None = None
        self.scores: Scores | None = None  # of the last validation

    def stages(self) -> Mapping[str, Stage]:
        """What follows the descent, by name, in this order. By default that of the model, if it has such `stages`.

        A stage gets the training split as it is (each iteration goes through it once, on the model's device), and
        writes what it learns into the model. It runs without gradients, in evaluation mode.
        """
        return self.model.stages() if hasattr(self.model, "stages") else {}

    def configure_optimizers(self) -> dict[str, Any]:
        settings = self.make_optimizer.keywords
        rates = settings["lr"], settings.get("weight_decay", 0.0), self.head_lr, self.layer_decay
        groups = parameter_groups(self.model, *rates)
        optimizer = self.make_optimizer(groups)
        schedule = self.make_schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        self._seed(batch_idx)
        if self.trainer.datamodule.photometric:
            batch.images = photometric_distort(batch.images, batch.addresses)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        try:
            losses = self.model.losses(*batch.inputs, batch.targets)
        except ValueError as error:
            if "more than 1 value per channel" in str(error):
                raise too_few_values(batch) from error
            raise
        loss = torch.stack(list(losses.values())).sum()
        self.log("loss", loss, batch_size=len(batch))
        self.log_dict({f"loss/{name}": value for name, value in losses.items()}, batch_size=len(batch))
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """With the classes in it, a checkpoint can be used where the data set is not."""
        data = self.trainer.datamodule
        checkpoint |= {"class_names": list(data.class_names), "category_ids": list(data.category_ids)}
        if getattr(data, "skeleton", None):
            checkpoint["skeleton"] = data.skeleton._asdict()

    def on_validation_batch_start(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._seed(batch_idx)

    def _seed(self, batch_idx: int) -> None:
        """Dropout, samples of anchors and the like depend on where a run is, not on what happened before.

        So a resumed run is the same.
        """
        address = (self.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(address).generate_state(1)[0]))

    def setup(self, stage: str) -> None:
        if self.metric is None:  # not again for the validation after training
            self.metric = self.build_metric(self.trainer.datamodule)

    def on_validation_start(self) -> None:
        self.metric.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """The network runs once for both: the loss on unseen images, and what is to be scored."""
        output = self.model(*batch.inputs)
        losses = self.model.criterion(output, self.targets_of(batch))
        self.log("val/loss", torch.stack(list(losses.values())).sum(), batch_size=len(batch), sync_dist=True)
        predictions = self.postprocess(output, (batch.images.shape[-2], batch.images.shape[-1]))
        self.show(self.metric, batch, predictions)
        return {"batch": batch, "output": output, "predictions": predictions}

    def targets_of(self, batch: Batch) -> Targets:
        """What validation losses are computed with."""
        return batch.targets

    def postprocess(self, output: Any, image_size: tuple[int, int]) -> Any:
        """What the model makes of its raw outputs."""
        return self.model.postprocess(output, image_size)

    def on_validation_epoch_end(self) -> None:
        self.scores = self.metric.compute(only_seen=validates_a_part(self.trainer))
        # Equal in all processes already; `sync_dist` only spares a warning for each.
        self.log_dict({f"val/{name}": value for name, value in self.scores.summary.items()}, sync_dist=True)


def too_few_values(batch: Batch) -> UserError:
    """What batch norm complains about, in terms of the settings."""
    height, width = batch.images.shape[-2:]
    return UserError(
        f"batch norm cannot train on {len(batch)} image of {height} x {width} pixels, whose last map is one pixel; "
        "take two images or more for each process (batch_size), or a larger image_size"
    )
