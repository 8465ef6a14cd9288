"""Whether a validation sees the whole split."""

from __future__ import annotations

from pytorch_lightning import Trainer


def validates_a_part(trainer: Trainer) -> bool:
    """Then images that were not seen must not count as missed."""
    limit = trainer.limit_val_batches  # a part (float) or a number (int) of batches
    return trainer.sanity_checking or limit != 1.0 or isinstance(limit, int)
