"""What training is doing: a live bar in a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys
import time
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.trainer.states import TrainerFn
from tqdm import tqdm

LIVE_SECONDS = 0.5
BAR = "{desc} {bar:20} {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"


class Progress(ProgressBar):
    """Shows the losses, images per second and the last mAP, and leaves one line per epoch behind.

    Where stdout is no terminal there is no bar but a line every `seconds` seconds. Values are read from the device
    only when they are shown, because reading makes it wait. Works with `Throughput`, which has to stand before it.

    Args:
        monitor: The logged validation metric to show.
        seconds: Between two lines within an epoch.
        final: What a validation outside of training is called.
    """

    def __init__(self, monitor: str, seconds: float = 10.0, final: str = "validation"):
        super().__init__()
        self.monitor = monitor
        self.seconds = seconds
        self.final = final
        self._score: float | None = None
        self._enabled = True
        self._live = False
        self._bar: tqdm | None = None
        self._shown_at = 0.0
        self._started_at = 0.0

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def state_dict(self) -> dict[str, Any]:
        return {"score": self._score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._score = state_dict["score"]

    def print(self, *args: Any, sep: str = " ", **kwargs: Any) -> None:
        tqdm.write(sep.join(map(str, args)), file=sys.stdout)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self._live = sys.stdout.isatty()
        self._shown_at = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin_epoch()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin_epoch()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._is_time():
            self._show(_epoch(trainer), batch_idx + 1, self.total_train_batches, self._values(trainer))

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if not trainer.sanity_checking and self._is_time():
            self.has_dataloader_changed(0)
            text = f"{_epoch(trainer)} validation" if trainer.state.fn == TrainerFn.FITTING else self.final
            self._show(text, batch_idx + 1, self.total_val_batches_current_dataloader)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close_bar()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close_bar()
        if not trainer.sanity_checking and self.monitor in trainer.callback_metrics:
            self._score = float(trainer.callback_metrics[self.monitor])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close_bar()
        if self._enabled:
            seconds = round(time.monotonic() - self._started_at)
            self.print(f"{_epoch(trainer)}  {self._values(trainer)}  ({tqdm.format_interval(seconds)})")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close_bar()

    def _begin_epoch(self) -> None:
        self._close_bar()
        self._started_at = self._shown_at = time.monotonic()

    def _is_time(self) -> bool:
        wait = LIVE_SECONDS if self._live else self.seconds
        return self._enabled and time.monotonic() - self._shown_at >= wait

    def _show(self, what: str, done: int, total: int | float, text: str = "") -> None:
        self._shown_at = time.monotonic()
        if not self._live:
            self.print(f"{what}  {done:>{len(str(total))}}/{total}  {text}".rstrip())
            return
        if self._bar is None:
            self._bar = tqdm(desc=what, total=total, initial=done, file=sys.stdout, leave=False, bar_format=BAR)
        self._bar.n = done
        self._bar.set_postfix_str(text)

    def _values(self, trainer: Trainer) -> str:
        """Such as `loss 3.21 (boxes 1.10, classes 2.11)  87 images/s  mAP 0.312`."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        terms = ", ".join(f"{name[5:]} {value:.3g}" for name, value in metrics.items() if name.startswith("loss/"))
        parts = []
        if "loss" in metrics:
            parts.append(f"loss {metrics['loss']:.3g}" + (f" ({terms})" if terms else ""))
        if "images_per_second" in metrics:
            parts.append(f"{metrics['images_per_second']:.3g} images/s")
        if self._score is not None:
            parts.append(f"{self.monitor.removeprefix('val/')} {self._score:.3f}")
        return "  ".join(parts)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _epoch(trainer: Trainer) -> str:
    return f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
