"""Pictures of predictions, drawn while the model learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import resize

from tradeoffs.pictures import contact_sheet, save_picture
from tradeoffs.structures import Batch
from tradeoffs.training.loggers import log_picture

TILE = 480  # pixels of a picture's longer side


class PredictionPictures(Callback):
    """Writes a sheet of the first validation images with their truth and what was found, and sends it to the loggers.

    The task's `validation_step` returns a dict with `batch` and `predictions`, and its `draw` makes pictures of them.

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
        self._kept: list[tuple[Batch, Any]] = []  # drawn when the score is known

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
            self._kept.append((outputs["batch"][first].to("cpu"), outputs["predictions"][first].to("cpu")))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._kept and self._is_turn(trainer):
            path = self.folder / (f"epoch_{trainer.current_epoch:03d}.jpg" if _is_training(trainer) else "best.jpg")
            pictures, caption = pl_module.draw(self._kept, TILE)
            save_picture(contact_sheet(pictures, caption=caption), path)
            log_picture(trainer.loggers, "predictions", path, trainer.global_step)
            if self._validations == 0 and _is_training(trainer):
                print(f"what it finds so far: {path}")
        if not trainer.sanity_checking:
            self._validations += 1
        self._kept = []

    def _is_turn(self, trainer: Trainer) -> bool:
        due = self._validations % self.every_n_validations == 0 or not _is_training(trainer)
        return due and trainer.is_global_zero and not trainer.sanity_checking


def _is_training(trainer: Trainer) -> bool:
    return trainer.state.fn == TrainerFn.FITTING


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
