"""A loss that is not a number stops the run, with the batch that caused it in a file."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from tradeoffs.errors import UserError
from tradeoffs.structures import Batch

ADVICE = "a lower learning rate or gradient clipping may help"


@dataclass
class _Verdict:
    """A step's losses on their way to the CPU."""

    step: int
    batch: Batch
    names: list[str]
    losses: Tensor  # on the CPU, not to be read before `arrived`
    anywhere: Tensor  # above zero if a loss of any process is not finite
    arrived: torch.cuda.Event | None


class NonFiniteLoss(Callback):
    """Stops with a UserError that names the step, the loss terms and the images, and saves the batch.

    It watches the logged `loss` and `loss/...`. A step is judged at the end of the next one, when its losses have long
    been copied, so the device never waits for the check; the price is one batch kept in memory one step longer.
    Nothing of a bad step is ever kept: the check is made up before a checkpoint, a validation and the end.

    With several processes all of them stop, and each of those whose loss is bad saves its batch.

    Args:
        folder: Where `nonfinite_batch.pt` goes: a dict of plain tensors that `torch.load(weights_only=True)` reads.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._pending: _Verdict | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self._judge(trainer)
        terms = {name: value for name, value in trainer.callback_metrics.items() if _is_loss(name)}
        if not terms:
            return
        losses = torch.stack([value.detach().float() for value in terms.values()])
        anywhere = (~losses.isfinite()).any().float()
        if trainer.world_size > 1:
            torch.distributed.all_reduce(anywhere)  # strategy.reduce would add a barrier, which makes a GPU wait
        self._pending = _Verdict(trainer.global_step, batch, list(terms), *_fetch(losses, anywhere))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._judge(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._judge(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._judge(trainer)

    def _judge(self, trainer: Trainer) -> None:
        verdict, self._pending = self._pending, None
        if verdict is None:
            return
        if verdict.arrived is not None:
            verdict.arrived.synchronize()
        if verdict.anywhere > 0:
            report = self._report(trainer, verdict)
            # One process says it for all. Any other exit code of the others would make Lightning kill that one.
            raise UserError(report) if trainer.is_global_zero else SystemExit(0)

    def _report(self, trainer: Trainer, verdict: _Verdict) -> str:
        """What each process found; every process must call it."""
        fine_here = verdict.losses.isfinite().all()
        found = None if fine_here else self._describe_and_save(verdict, trainer.global_rank)
        everywhere = [found]
        if trainer.world_size > 1:
            everywhere = [None] * trainer.world_size
            torch.distributed.all_gather_object(everywhere, found)
        causes = "; ".join(cause for cause in everywhere if cause)
        return f"the loss is not finite after step {verdict.step}: {causes}; {ADVICE}"

    def _describe_and_save(self, verdict: _Verdict, rank: int) -> str:
        path = self.folder / (f"nonfinite_batch_{rank}.pt" if rank else "nonfinite_batch.pt")
        losses = dict(zip(verdict.names, verdict.losses.tolist(), strict=True))
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({**asdict(verdict.batch.to("cpu")), "losses": losses, "step": verdict.step}, path)
        bad = [f"{name} is {value}" for name, value in losses.items() if not math.isfinite(value)]
        images = ", ".join(map(str, verdict.batch.image_ids.tolist()))
        return f"{', '.join(bad)} on images {images}, saved in {path}"


def _is_loss(name: str) -> bool:
    return name == "loss" or name.startswith("loss/")


def _fetch(losses: Tensor, anywhere: Tensor) -> tuple[Tensor, Tensor, torch.cuda.Event | None]:
    """Starts copying to the CPU; the event says when it is done (None: it is)."""
    copies = losses.to("cpu", non_blocking=True), anywhere.to("cpu", non_blocking=True)
    if not losses.is_cuda:
        return *copies, None
    arrived = torch.cuda.Event()
    arrived.record()
    return *copies, arrived
