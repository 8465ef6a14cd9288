"""A data set in COCO format, ready to train on: checked, read, augmented, in batches."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Sequence
from typing import Literal, get_args

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from tradeoffs.data.archives import Split
from tradeoffs.data.augment import SMALLEST_CROP, Augmentation
from tradeoffs.data.check import check_dataset
from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.faults import require_sound
from tradeoffs.data.image_changes import ImageChanges
from tradeoffs.data.loader import EpochBatches, make_loader
from tradeoffs.data.people import People, PersonSamples, annotated_people, people_of
from tradeoffs.data.person_views import PersonViews
from tradeoffs.data.regions import DatasetRegions, RegionSource
from tradeoffs.data.resize import Resize, ResizeMode, input_scales
from tradeoffs.data.samples import SMALLEST_OBJECT, UNCHANGED, Samples
from tradeoffs.data.segmentation import MOST_CLASSES
from tradeoffs.data.sources import MissingSplitError, SplitName
from tradeoffs.data.suggestions import LARGEST_BATCH, suggested_batch, suggested_workers
from tradeoffs.data.two_splits import require_agreement, warn_of_equal_photos
from tradeoffs.errors import UserError
from tradeoffs.structures import Batch, Skeleton
from tradeoffs.task_facts import TRUTH

log = logging.getLogger(__name__)


class CocoDataModule(LightningDataModule):
    """Two splits in COCO format. Works without a Trainer too: `prepare_data()`, `setup()`, then the loaders.

    Args:
        name: Of the data set, for people.
        source: `source("train")` and `source("val")` say where a split lies, and bring it there (draw it, fetch it)
            if need be.
        image_size, resize: See `Resize`.
        augmentation: See `draw_window`; for training only.
        photometric: Whether the task is to distort colours, on the device.
        batch_size: Images of one step over all processes, shared by them; `auto`: see `suggested_batch`. Batch norm and
            the mean loss are per process.
        val_batch_size: The same for validation; by default as for training, 32 for `auto`.
        workers: Processes that load images, for each process that trains.
        on_fault: `stop` for a fault in the data, or `drop` the image or annotation that has it.
        smallest_crop, changes: Of training images, see `draw_window` and `ImageChanges`.
        annotations: What targets have, see `Samples`. Where it is a `label`, images without objects are left out; where
            it is a `person`, each person is a sample of its own, see `PersonSamples`. With that, or `keypoints`, the
            joints are the classes.
        person_boxes: Which boxes people are found in for validation: `truth`, or the file of a detector's predictions.
        views: How people are augmented.
        regions: Which regions models get with each image, if they need such.

    Raises UserError for unusable data or arguments.
    """

    train: CocoDataset
    val: CocoDataset

    def __init__(
        self,
        name: str,
        source: Callable[[SplitName], Split],
        image_size: int,
        resize: str = "warp",
        augmentation: str = "ssd",
        photometric: bool = True,
        batch_size: int | Literal["auto"] = "auto",
        val_batch_size: int | None = None,
        workers: int | Literal["auto"] = "auto",
        seed: int = 0,
        on_fault: str = "stop",
        annotations: Collection[str] = ("boxes",),
        smallest_crop: float = SMALLEST_CROP,
        changes: ImageChanges = UNCHANGED,
        person_boxes: str = TRUTH,
        views: PersonViews | None = None,
        regions: RegionSource | None = None,
    ):
        super().__init__()
        _require("resize", resize, get_args(ResizeMode))
        _require("augmentation.geometry", augmentation, get_args(Augmentation))
        _require("data.on_fault", on_fault, ("stop", "drop"))
        self.name = name
        self.source = source
        self.resize = Resize(resize, image_size)
        self.augmentation = augmentation
        self.photometric = photometric
        self._batch_size = batch_size
        self.val_batch_size = val_batch_size
        self.workers = workers
        self.seed = seed
        self.on_fault = on_fault
        self.annotations = frozenset(annotations)
        self.smallest_crop, self.changes = smallest_crop, changes
        self.person_boxes, self.views = person_boxes, views or PersonViews(flip=augmentation == "flip")
        self.people: dict[SplitName, People] = {}
        self.region_source = regions
        self.regions: dict[SplitName, DatasetRegions] = {}

    def prepare_data(self) -> None:
        """Reads both splits, unless `setup` was called before: Lightning asks for it even where one is enough."""
        if not hasattr(self, "val"):
            self.setup()

    def setup(self, stage: str | None = None) -> None:
        """Reads what the stage needs: both splits, or for `validate` the validation split alone."""
        wanted: list[SplitName] = ["val"] if stage == "validate" else ["train", "val"]
        for name, dataset in self._read([name for name in wanted if not hasattr(self, name)]).items():
            setattr(self, name, dataset)
            if "boxes" in self.annotations:
                self._warn_of_small_objects(dataset)
            if self.has_people:
                self.people[name] = people_of(dataset, TRUTH if name == "train" else self.person_boxes)
            elif self.has_joints:
                annotated_people(dataset)  # or says that there are none
            if self.region_source:
                self.regions[name] = self.region_source.of(dataset, training=name == "train")
        if hasattr(self, "train"):
            self._require_objects()
            require_agreement(self.train, self.val, joints=self.has_joints)
            self._require_few_classes()
            warn_of_equal_photos(self.train, self.val)

    def _read(self, names: Sequence[SplitName]) -> dict[SplitName, CocoDataset]:
        """What is wrong with any of the splits is said at once."""
        splits = self._places(names)
        asked = {"with_masks": self._with_masks, "with_keypoints": self.has_joints}
        faults = {split.annotations: check_dataset(*split, **asked) for split in splits.values()}
        left_out = require_sound(faults, self.on_fault)
        return {name: self._dataset(split, *left_out[split.annotations]) for name, split in splits.items()}

    def _dataset(self, split: Split, images: Collection[int], annotations: Collection[int]) -> CocoDataset:
        dataset = CocoDataset(*split, images, annotations, self._with_masks)
        if "label" not in self.annotations or not (empty := dataset.without_objects()):
            return dataset
        log.warning(
            f"{split.annotations.name}: {len(empty)} of {len(dataset)} images have no object; they are left out"
        )
        return CocoDataset(*split, {*images, *empty}, annotations, self._with_masks)

    @property
    def _with_masks(self) -> bool:
        return bool({"masks", "label_map"} & self.annotations)

    def _places(self, names: Sequence[SplitName]) -> dict[SplitName, Split]:
        splits, missing = {}, []
        for name in names:
            try:
                splits[name] = self.source(name)
            except MissingSplitError as error:
                missing.append(error)
        if missing:
            raise MissingSplitError.of_all(missing)
        return splits

    def _warn_of_small_objects(self, dataset: CocoDataset) -> None:
        scales = input_scales(self.resize, dataset.sizes)
        small, count = dataset.count_smaller(SMALLEST_OBJECT / scales), dataset.num_objects
        if small:
            size = f"image_size={self.resize.image_size}, resize={self.resize.mode}"
            log.warning(
                f"warning: {dataset.annotations_path.name}: {small} of {count} objects are narrower or lower than a "
                f"pixel of the network's input ({size}): nothing is learned from them, and they count as not found; "
                "a larger image_size helps"
            )

    def _require_objects(self) -> None:
        if not self.train.num_objects:
            raise UserError(f"{self.train.annotations_path} has no objects that a model could learn to find")

    def _require_few_classes(self) -> None:
        if "label_map" in self.annotations and self.num_classes > MOST_CLASSES:
            raise UserError(f"{self.num_classes} classes are too many for label maps, which tell {MOST_CLASSES} apart")

    @property
    def num_classes(self) -> int:
        return len(self.category_ids)

    @property
    def has_people(self) -> bool:
        """Whether people are the samples, and not images."""
        return "person" in self.annotations

    @property
    def has_joints(self) -> bool:
        """Whether joints are the classes."""
        return bool({"person", "keypoints"} & self.annotations)

    @property
    def skeleton(self) -> Skeleton | None:
        """Whose joints the classes are, where they are."""
        return self.val.skeleton if self.has_joints else None

    @property
    def class_names(self) -> list[str]:
        """By label; of joints, where they are the classes."""
        if self.has_joints:
            return self.val.keypoint_names
        return self.val.pixel_class_names if "label_map" in self.annotations else self.val.class_names

    @property
    def category_ids(self) -> list[int]:
        """COCO's id of each label; joints are counted from 1."""
        if self.has_joints:
            return list(range(1, len(self.val.keypoint_names) + 1))
        return self.val.pixel_category_ids if "label_map" in self.annotations else self.val.category_ids

    @property
    def batch_size(self) -> int:
        """Images of one step over all processes."""
        return self._given_or(suggested_batch(len(self.people["train"].images if self.has_people else self.train)))

    def train_dataloader(self) -> DataLoader:
        return self._loader("train", self.augmentation, self.batch_size)

    def val_dataloader(self) -> DataLoader:
        return self._loader("val", "none", self._large_batch)

    def plain_train_dataloader(self) -> DataLoader:
        """The training split once, in its order, as it is: for what follows the descent, in one process."""
        batches = EpochBatches(len(self.train), self._large_batch, shuffle=False)
        return make_loader(self._samples("train", "none", UNCHANGED), batches, self._workers)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Without waiting: the loader has put the batch into pinned memory where the device is a GPU."""
        return batch.to(device, non_blocking=device.type == "cuda")

    def _given_or(self, suggested: int) -> int:
        """The batch size of the settings, or the suggested one, rounded up to equal shares of two images or more."""
        if self._batch_size != "auto":
            return self._batch_size
        processes = self.trainer.world_size if self.trainer else 1
        return processes * max(2, math.ceil(suggested / processes))

    def _loader(self, split: SplitName, augmentation: str, batch_size: int) -> DataLoader:
        trainer = self.trainer
        rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        if batch_size % world_size:
            raise UserError(f"batch_size={batch_size} cannot be shared by {world_size} processes; take a multiple")
        shuffle = split == "train"
        samples = self._samples(split, augmentation, self.changes if shuffle else UNCHANGED)
        batches = EpochBatches(len(samples), batch_size // world_size, shuffle, self.seed, rank, world_size)
        return make_loader(samples, batches, self._workers)

    def _samples(self, split: SplitName, augmentation: str, changes: ImageChanges) -> Samples | PersonSamples:
        dataset = getattr(self, split)
        if self.has_people:
            views = self.views if augmentation != "none" else None
            return PersonSamples(dataset, self.people[split], self.resize, views, self.seed)
        rest = self.smallest_crop, changes, self.regions.get(split)
        return Samples(dataset, self.resize, augmentation, self.seed, self.annotations, *rest)

    @property
    def _workers(self) -> int:
        if self.workers != "auto":
            return self.workers
        return suggested_workers(self.trainer.num_devices if self.trainer else 1)

    @property
    def _large_batch(self) -> int:
        return self.val_batch_size or self._given_or(LARGEST_BATCH)


def _require(option: str, value: str, choices: tuple[str, ...]) -> None:
    """`option` as it is written on the command line."""
    if value not in choices:
        raise UserError(f"{option}={value} is unknown; choose one of {', '.join(choices)}")
