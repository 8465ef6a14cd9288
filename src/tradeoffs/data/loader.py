"""Which samples make up which batch, and a loader that knows how far its trainer has come."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import ceil

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from tradeoffs.data.people import PersonSamples
from tradeoffs.data.samples import Address, Samples, collate
from tradeoffs.errors import UserError
from tradeoffs.structures import Batch


class EpochBatches(Sampler[list[Address]]):
    """The batches of one epoch for one of several processes, each a list of (epoch, index).

    Training: shuffled by (seed, epoch). Together the processes' n-th batches are the n-th batch of a single process
    with `world_size` times the batch size. What does not fill a batch is left out, unless the set is smaller than one.

    Validation (`shuffle=False`): every sample once over all processes. All processes have equally many batches, of
    almost equal size, because they wait for each other at each. (Where there are fewer samples than that takes, as in
    batches of one, some are seen twice.)
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        self.num_samples = num_samples
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        share = max(1, num_samples // world_size)
        self.batch_size = min(batch_size, share)
        self.num_batches = share // self.batch_size if shuffle else ceil(num_samples / (world_size * batch_size))
        self.num_drawn = max(num_samples, self.num_batches * world_size)
        self.epoch = 0
        self.start = 0

    @property
    def sampler(self) -> EpochBatches:
        """Lightning looks for `set_epoch` on a batch sampler's sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """The next iteration goes through this epoch: from its beginning, unless one stopped within it."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[Address]]:
        batches = self._training_batches() if self.shuffle else self._validation_batches()
        return iter([[(self.epoch, index) for index in batch.tolist()] for batch in batches[self.start :]])

    def _training_batches(self) -> np.ndarray:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.num_drawn) % self.num_samples
        whole = self.num_batches * self.world_size * self.batch_size
        return order[:whole].reshape(self.num_batches, self.world_size, self.batch_size)[:, self.rank]

    def _validation_batches(self) -> list[np.ndarray]:
        share = np.arange(self.rank, self.num_drawn, self.world_size) % self.num_samples
        return np.array_split(share, self.num_batches)


class Loader(DataLoader):
    """A mistake of the user's that a worker meets is one line here, too."""

    def __iter__(self) -> Iterator[Batch]:
        try:
            yield from super().__iter__()
        except UserError as error:
            raise UserError(_own_words(str(error))) from None


def _own_words(message: str) -> str:
    """torch raises a worker's error anew, with the worker's whole traceback for its message."""
    return message.rpartition(f"\n{UserError.__module__}.{UserError.__name__}: ")[2].strip()


class ResumableLoader(Loader):
    """Goes from epoch to epoch; its state is the epoch and how many of its batches were taken.

    Taken, not loaded: batches that workers have prefetched do not count. Lightning saves the state with a checkpoint
    and restores it, so training goes on with the very batch that would have come next.
    """

    batch_sampler: EpochBatches

    def __iter__(self) -> Iterator[Batch]:
        position = self.batch_sampler
        for taken, batch in enumerate(super().__iter__(), position.start + 1):
            position.start = taken
            yield batch
        position.set_epoch(position.epoch + 1)

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.batch_sampler.epoch, "taken": self.batch_sampler.start}

    def load_state_dict(self, state: dict[str, int]) -> None:
        finished = state["taken"] >= len(self)
        self.batch_sampler.epoch = state["epoch"] + finished
        self.batch_sampler.start = 0 if finished else state["taken"]


def make_loader(samples: Samples | PersonSamples, batches: EpochBatches, workers: int, prefetch: int = 4) -> DataLoader:
    """Loads `batches` with `workers` one-threaded processes, each `prefetch` batches ahead (0: in this process)."""
    loader = ResumableLoader if batches.shuffle else Loader
    return loader(
        samples,
        batch_sampler=batches,
        collate_fn=partial(collate, multiple=samples.resize.multiple, padding=samples.resize.padding),
        num_workers=workers,
        worker_init_fn=_use_one_thread,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
        prefetch_factor=prefetch if workers else None,
    )


def _use_one_thread(worker: int) -> None:
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
