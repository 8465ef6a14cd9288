"""The regions that an algorithm proposes for the images of a split: computed once, then read from the disk."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Int64
from pytorch_lightning.utilities import rank_zero_only
from tqdm import tqdm

from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.content_digests import content_digests
from tradeoffs.data.packed_list import PackedList
from tradeoffs.data.shapes.maker import available_cores
from tradeoffs.errors import UserError
from tradeoffs.proposals.proposer import Proposed, Proposer
from tradeoffs.proposals.store import ProposalStore

log = logging.getLogger(__name__)
say = rank_zero_only(print)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class DatasetRegions:
    """By the place of an image in its split. Workers that load images may hold copies: no file is open."""

    store: ProposalStore
    digests: PackedList  # of the images' files
    sizes: Int64[np.ndarray, "N 2"]  # height, width
    most: int | None  # of an image, the best ones; None for all
    computed: int = 0  # images whose regions were not there before

    def __len__(self) -> int:
        return len(self.digests)

    def __getitem__(self, place: int) -> Proposed:
        """Raises UserError where the file was taken away or damaged after it had been checked."""
        found = self.read(place)
        if found is None:
            path = self.store.path(self.digests[place])
            raise UserError(f"{path} is gone or damaged since the start; the same command makes it anew and goes on")
        return found.first(self.most)

    def read(self, place: int) -> Proposed | None:
        """None where there is no whole file."""
        return self.store.read(self.digests[place], self.sizes[place].tolist())


class RegionSource:
    """What a model gets with each image: the best `train` regions in training, the best `val` in validation.

    They are kept in `folder`. (No dataclass, which Hydra would take for settings.)
    """

    def __init__(
        self, proposer: Proposer, folder: Path, train: int, val: int
    ):  # a dataclass would be a config to Hydra
        self.proposer, self.folder, self.train, self.val = proposer, folder, train, val

    def of(self, dataset: CocoDataset, training: bool) -> DatasetRegions:
        return regions_of(dataset, self.proposer, self.folder, self.train if training else self.val)


def regions_of(
    dataset: CocoDataset, proposer: Proposer, folder: Path, most: int | None = None, images: int | None = None
) -> DatasetRegions:
    """What the proposer proposes for the first `images` of a split, or all. What `folder` lacks is computed.

    As many images at once as there are cores. What was computed stays whatever happens, so the same call goes on. Of
    several processes that find something lacking one computes and the others wait. Raises UserError for an image that
    cannot be read, and where the disk is full.
    """
    count = min(images or len(dataset), len(dataset))
    names = [dataset.file_names[place] for place in range(count)]
    digests = content_digests(dataset.images_dir, names, dataset.annotations_path)
    store = ProposalStore(folder, proposer.identity)
    regions = DatasetRegions(store, PackedList(digests), dataset.sizes[:count], most)
    if not lacking(regions):
        return regions
    with alone(store):
        todo = lacking(regions)
        if damaged := [place for place in todo if store.path(digests[place]).exists()]:
            first = store.path(digests[damaged[0]])
            log.warning(f"warning: {len(damaged)} files of regions are damaged and made anew, the first is {first}")
        if todo:
            say(f"{proposer.name} proposes regions of {len(todo):,} images, once; they are kept in {store.folder}")
            compute(dataset, proposer, store, {digests[place]: place for place in todo})
    return DatasetRegions(store, regions.digests, regions.sizes, most, computed=len(todo))


def lacking(regions: DatasetRegions) -> list[int]:
    """Places of images without whole files. Each file is read to its end, as a training will do many times."""

    def is_there(place: int) -> bool:
        return regions.read(place) is not None

    with ThreadPoolExecutor(16) as pool:
        found = tqdm(pool.map(is_there, range(len(regions))), "reading regions", len(regions), leave=False, delay=1)
        return [place for place, there in enumerate(found) if not there]


@contextmanager
def alone(store: ProposalStore) -> Iterator[None]:
    """The system takes the lock back however the process that holds it ends."""
    try:
        store.prepare()
        lock = FileLock(store.folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"another process proposes these regions; waiting for it ({store.folder})")
            lock.acquire()
    except OSError as error:
        raise cannot_write(store.folder, error) from error
    try:
        yield
    finally:
        lock.release()


def compute(dataset: CocoDataset, proposer: Proposer, store: ProposalStore, places: Mapping[str, int]) -> None:
    """`places` of images by the digests of their files: what stands twice is looked at once."""

    def propose(digest: str, place: int) -> None:
        store.write(digest, dataset.sizes[place].tolist(), proposer(dataset.read_image(place)))

    done = 0
    with ThreadPoolExecutor(available_cores()) as pool:
        jobs = [pool.submit(propose, *item) for item in places.items()]
        try:
            hidden = True if rank_zero_only.rank else None  # None: where there is no terminal
            finished = as_completed(jobs)
            for job in tqdm(finished, "proposing regions", len(jobs), unit=" images", leave=False, disable=hidden):
                job.result()
                done += 1
        except OSError as error:
            pool.shutdown(cancel_futures=True)
            raise cannot_write(store.folder, error, f"{done:,} of {len(jobs):,} images are done") from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def cannot_write(folder: Path, error: OSError, done: str = "nothing is lost") -> UserError:
    if error.errno in FULL:
        return UserError(f"the disk of {folder} is full: {done}; make room, and the same command goes on")
    return UserError(f"{folder} cannot be written: {error.strerror}; give another data_dir=")
