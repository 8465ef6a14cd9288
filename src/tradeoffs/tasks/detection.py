"""Training and scoring of detectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tradeoffs.data.photometric import photometric_distort
from tradeoffs.errors import UserError
from tradeoffs.metrics.coco import CocoMetric, CocoScores
from tradeoffs.metrics.official import MOST_DETECTIONS
from tradeoffs.structures import Batch, Detections, to_original
from tradeoffs.tasks.by_name import LabelsByName
from tradeoffs.training.partial_validation import validates_a_part
from tradeoffs.training.schedule import parameter_groups


class DetectionTask(LightningModule):
    """Trains a detector (`losses`; `forward`, `criterion`, `postprocess`) and scores it by COCO's metric.

    `optimizer(parameter_groups)` and `schedule(optimizer, total_steps)` build the optimizer and its schedule, which is
    stepped with it; the model's heads learn at `head_lr` times the learning rate. Of an image the best `max_detections`
    are scored. The trainer's data module gives class names, ground truth and whether colours are distorted.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Callable[[Optimizer, int], LRScheduler] | None = None,
        head_lr: float = 1.0,
        seed: int = 0,
        max_detections: int = MOST_DETECTIONS,
    ):
        super().__init__()
        self.model = model
        self.make_optimizer, self.make_schedule = optimizer, schedule
        self.head_lr = head_lr
        self.seed = seed
        self.max_detections = max_detections
        self.metric: CocoMetric | None = None
        self.by_name: LabelsByName | None = None  # for a model that knows other classes than the data
        self.scores: CocoScores | None = None  # of the last validation

    def setup(self, stage: str) -> None:
        data = self.trainer.datamodule
        if self.metric is None:  # not again for the validation after training
            self.metric = CocoMetric(data.val.ground_truth(), data.category_ids, max_detections=self.max_detections)
            self._say_limits(data.val.most_objects)

    @rank_zero_only
    def _say_limits(self, most: int) -> None:
        """Objects of one image beyond the numbers of detections that are made and scored cannot be found."""
        made = getattr(self.model, "max_detections", None)
        limits = {"task.max_detections": self.max_detections, "model.max_detections": made}
        low = [name for name, limit in limits.items() if limit is not None and limit < most]
        if low:
            remedy = " ".join(f"{name}={most}" for name in low)
            print(
                f"an image of the validation split has {most} objects, of which at most "
                f"{min(limits[name] for name in low)} can be found. COCO's protocol scores the {MOST_DETECTIONS} best "
                f"detections of an image; {remedy} allows more, for scores that compare with such alone"
            )

    def configure_optimizers(self) -> dict[str, Any]:
        settings = self.make_optimizer.keywords
        groups = parameter_groups(self.model, settings["lr"], settings.get("weight_decay", 0.0), self.head_lr)
        optimizer = self.make_optimizer(groups)
        schedule = self.make_schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        self._seed(batch_idx)
        if self.trainer.datamodule.photometric:
            batch.images = photometric_distort(batch.images, batch.addresses)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        try:
            losses = self.model.losses(batch.images, batch.targets)
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

    def on_validation_batch_start(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._seed(batch_idx)

    def _seed(self, batch_idx: int) -> None:
        """Dropout, samples of anchors and the like depend on where a run is, not on what happened before.

        So a resumed run is the same.
        """
        address = (self.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(address).generate_state(1)[0]))

    def on_validation_start(self) -> None:
        self.metric.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """The network runs once for both: the loss on unseen images, and the detections to be scored."""
        output = self.model(batch.images)
        targets = self.by_name.targets(batch.targets) if self.by_name else batch.targets
        losses = self.model.criterion(output, targets)
        self.log("val/loss", torch.stack(list(losses.values())).sum(), batch_size=len(batch), sync_dist=True)
        detections = self.postprocess(output, (batch.images.shape[-2], batch.images.shape[-1]))
        self.metric.update(batch.image_ids, to_original(detections, batch))
        return {"batch": batch, "output": output, "detections": detections}

    def postprocess(self, output: Any, image_size: tuple[int, int]) -> Detections:
        """The model's detections, with the labels of the data."""
        detections = self.model.postprocess(output, image_size)
        return self.by_name.detections(detections) if self.by_name else detections

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
