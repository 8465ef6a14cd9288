"""Pictures of predictions, drawn while the model learns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import resize

from tradeoffs.metrics.coco import CocoMetric
from tradeoffs.metrics.curves import USUAL_SCORE
from tradeoffs.pictures import contact_sheet, draw_boxes, save_picture
from tradeoffs.structures import Batch, Detections, originals, to_original
from tradeoffs.training.loggers import log_picture

TILE = 480  # pixels of a picture's longer side


class PredictionPictures(Callback):
    """Writes a sheet of the first validation images with their truth and what was found, and sends it to the loggers.

    The task's `validation_step` returns a dict with `batch` and `detections`, in pixels of the network input; class
    names are the data module's. Detections are drawn from the score of the best F1 on, which the task's `metric` knows,
    or from the usual one on where it does not, as for a large validation split.

    Args:
        folder: The run folder; sheets go to `pictures/epoch_000.jpg` and so on, and to `pictures/best.jpg` when
            weights are validated outside of training.
        num: Images on a sheet.
        every_n_validations: How often; the first validation always.
    """

    def __init__(self, folder: Path, num: int = 8, every_n_validations: int = 1):
        self.folder = Path(folder) / "pictures"
        self.num = num
        self.every_n_validations = every_n_validations
        self._validations = 0
        self._kept: list[tuple[Batch, Detections]] = []  # drawn when the score is known

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self._validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._validations = state_dict["validations"]

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._kept = []

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        wanted = self.num - sum(len(kept) for kept, _ in self._kept)
        if wanted > 0 and self._is_turn(trainer):
            first = slice(0, wanted)
            self._kept.append((outputs["batch"][first].to("cpu"), outputs["detections"][first].to("cpu")))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._kept and self._is_turn(trainer):
            path = self.folder / (f"epoch_{trainer.current_epoch:03d}.jpg" if _is_training(trainer) else "best.jpg")
            save_picture(self._sheet(trainer.datamodule.class_names, getattr(pl_module, "metric", None)), path)
            log_picture(trainer.loggers, "predictions", path, trainer.global_step)
            if self._validations == 0 and _is_training(trainer):
                print(f"what it finds so far: {path}")
        if not trainer.sanity_checking:
            self._validations += 1
        self._kept = []

    def _sheet(self, class_names: Sequence[str], metric: CocoMetric | None) -> UInt8[Tensor, "3 _h _w"]:
        best = metric.quick_best_f1() if metric else None
        score = best.threshold if best else USUAL_SCORE
        tiles = [tile for kept in self._kept for tile in draw_predictions(*kept, class_names, score)]
        return contact_sheet(tiles, caption=caption_of(score, is_best=best is not None))

    def _is_turn(self, trainer: Trainer) -> bool:
        due = self._validations % self.every_n_validations == 0 or not _is_training(trainer)
        return due and trainer.is_global_zero and not trainer.sanity_checking


def _is_training(trainer: Trainer) -> bool:
    return trainer.state.fn == TrainerFn.FITTING


def caption_of(score: float, is_best: bool) -> str:
    boxes = f"boxes with a score of {score:.2g} or more{' (best F1)' if is_best else ''}"
    return f"solid: {boxes}; dashed: truth, named where it was missed"


def draw_predictions(
    batch: Batch, detections: Detections, class_names: Sequence[str], min_score: float = USUAL_SCORE, tile: int = TILE
) -> list[UInt8[Tensor, "3 _h _w"]]:
    """Each photo of the batch in its own shape, its longer side `tile` pixels, with its truth and what is sure enough.

    `detections` are in pixels of the network input, as the truth is.
    """
    found, true = to_original(detections, batch), originals(batch.targets.boxes, batch)
    pictures = []
    for i in range(len(batch)):
        shown, real = detections.valid[i] & (detections.scores[i] >= min_score), batch.targets.valid[i]
        classes, true_classes = detections.labels[i][shown].tolist(), batch.targets.labels[i][real].tolist()
        photo, scale = photo_of(batch, i, tile)
        pictures.append(
            draw_boxes(
                photo,
                found.boxes[i][shown].float() * scale,
                [class_names[label] for label in classes],
                detections.scores[i][shown].float(),
                truth=true[i][real] * scale,
                classes=classes,
                truth_labels=[class_names[label] for label in true_classes],
                truth_classes=true_classes,
            )
        )
    return pictures


def photo_of(batch: Batch, row: int, longer_side: int) -> tuple[UInt8[Tensor, "3 _h _w"], float]:
    """What the network saw of a photo, without padding and unwarped, and the scale from the original photo to it."""
    size = batch.original_sizes[row]
    scale_x, scale_y, offset_x, offset_y = batch.geometry[row].tolist()
    height, width = size.tolist()
    left, top = max(0, round(offset_x)), max(0, round(offset_y))
    seen = batch.images[row, :, top : round(offset_y + height * scale_y), left : round(offset_x + width * scale_x)]
    scale = longer_side / max(height, width)
    shape = [max(1, round(height * scale)), max(1, round(width * scale))]
    return resize(seen, shape, InterpolationMode.BICUBIC, antialias=True), scale
