import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from tradeoffs.data.archives import Split
from tradeoffs.data.module import CocoDataModule
from tradeoffs.data.sources import SplitName, coco_folder
from tradeoffs.data.suggestions import suggested_batch, suggested_workers
from tradeoffs.errors import UserError


def both(train: Path, val: Path) -> Callable[[SplitName], Split]:
    """A source of two annotation files whose images lie beside the first."""
    return {"train": Split(train.parent, train), "val": Split(train.parent, val)}.__getitem__


def tiny_module(file: Path, val_file: Path | None = None, **options) -> CocoDataModule:
    settings = {"image_size": 32, "batch_size": 4, "workers": 0, **options}
    return CocoDataModule("tiny", both(file, val_file or file), **settings)


def changed(file: Path, target: Path, change: Callable[[dict], object]) -> Path:
    content = json.loads(file.read_text())
    change(content)
    target.write_text(json.dumps(content))
    return target


def test_works_without_a_trainer(tiny_coco_file: Path):
    module = tiny_module(tiny_coco_file, val_batch_size=3)
    module.prepare_data()
    module.setup()
    assert (module.num_classes, module.class_names, module.category_ids) == (2, ["heap", "face"], [3, 7])
    training, validation = list(module.train_dataloader()), list(module.val_dataloader())
    assert [len(batch) for batch in training] == [4, 4]
    assert torch.cat([batch.image_ids for batch in validation]).tolist() == list(range(100, 111))
    assert training[0].images.shape == (4, 3, 32, 32)


def test_validation_photos_that_are_trained_on_are_said(tiny_coco_file: Path, caplog):
    with caplog.at_level(logging.WARNING):
        tiny_module(tiny_coco_file).setup()
    said = [line for line in caplog.messages if "are also trained on" in line]
    assert len(said) == 1 and said[0].startswith("warning: 11 of 11 validation photos are also trained on")


def recording(source: Callable[[SplitName], Split], asked: list[SplitName]) -> Callable[[SplitName], Split]:
    """The source, which also notes which splits it was asked for."""
    return lambda split: asked.append(split) or source(split)


def test_a_split_is_fetched_and_read_once(tiny_coco_file: Path):
    asked: list[SplitName] = []
    module = CocoDataModule("tiny", recording(both(tiny_coco_file, tiny_coco_file), asked), image_size=32)
    module.prepare_data()
    module.setup("fit")
    train = module.train
    module.prepare_data()
    module.setup("validate")
    assert module.train is train
    assert sorted(asked) == ["train", "val"]


def test_validation_needs_no_training_split(tiny_coco_file: Path):
    asked: list[SplitName] = []
    module = CocoDataModule("tiny", recording(both(tiny_coco_file, tiny_coco_file), asked), image_size=32, workers=0)
    module.setup("validate")
    assert asked == ["val"] and not hasattr(module, "train")
    assert sum(map(len, module.val_dataloader())) == 11
    module.setup("fit")
    assert asked == ["val", "train"]


def test_a_fault_stops_the_run_or_is_left_out(tiny_coco_file: Path, tmp_path: Path):
    faulty = changed(
        tiny_coco_file, tmp_path / "faulty.json", lambda content: content["annotations"][0].update(bbox=[5, 5, 0, 10])
    )
    with pytest.raises(UserError, match="has no area"):
        tiny_module(tiny_coco_file, faulty).prepare_data()
    module = tiny_module(tiny_coco_file, faulty, on_fault="drop")
    module.setup()
    assert len(module.val.objects(1).boxes) == len(module.train.objects(1).boxes) - 1


def test_what_both_splits_lack_is_said_at_once(tiny_coco_file: Path, tmp_path: Path):
    (tmp_path / "annotations").mkdir()
    for split in ("train", "val"):
        changed(tiny_coco_file, tmp_path / "annotations" / f"{split}.json", lambda content: None)
    module = CocoDataModule("tiny", partial(coco_folder, root=tmp_path), image_size=32)
    places = "{0}, {0}2017, images/{0}, images/{0}2017, images"
    with pytest.raises(UserError) as caught:
        module.setup()
    assert str(caught.value) == (
        f"no train images, no val images in {tmp_path}; give data.source.train_images=PATH, "
        "data.source.val_images=PATH, relative to data.root (. is that folder itself)"
    )
    assert caught.value.details == (
        f"train images: looked for {places.format('train')}",
        f"val images: looked for {places.format('val')}",
    )


def test_splits_must_agree_on_their_categories(tiny_coco_file: Path, tmp_path: Path):
    other = changed(
        tiny_coco_file, tmp_path / "other.json", lambda content: content["categories"][0].update(name="pile")
    )
    with pytest.raises(UserError, match=r"other\.json have different categories"):
        tiny_module(tiny_coco_file, other).setup()


def test_there_must_be_something_to_learn(tiny_coco_file: Path):
    beside = tiny_coco_file.with_name("crowds.json")
    crowds = changed(tiny_coco_file, beside, lambda content: mark_crowds(content["annotations"]))
    with pytest.raises(UserError, match=r"crowds\.json has no objects that a model could learn to find"):
        tiny_module(crowds, tiny_coco_file).setup()
    tiny_module(tiny_coco_file, crowds).setup()


def mark_crowds(annotations: list[dict]) -> None:
    for annotation in annotations:
        annotation["iscrowd"] = 1


@pytest.mark.parametrize(
    ("option", "setting"),
    [("resize", "resize"), ("augmentation", r"augmentation\.geometry"), ("on_fault", r"data\.on_fault")],
)
def test_unknown_choices_are_named_as_on_the_command_line(tiny_coco_file: Path, option: str, setting: str):
    with pytest.raises(UserError, match=f"^{setting}=stretch is unknown; choose one of"):
        tiny_module(tiny_coco_file, **{option: "stretch"})


def test_the_batch_size_is_shared_by_all_processes(tiny_coco_file: Path):
    module = tiny_module(tiny_coco_file)
    module.setup()
    whole = [batch.image_ids for batch in module.train_dataloader()]
    shares = []
    for rank in range(2):
        module.trainer = SimpleNamespace(global_rank=rank, world_size=2, num_devices=2)
        shares.append([batch.image_ids for batch in module.train_dataloader()])
    assert [torch.cat(parts).tolist() for parts in zip(*shares, strict=True)] == [ids.tolist() for ids in whole]
    module.trainer = SimpleNamespace(global_rank=0, world_size=3, num_devices=3)
    with pytest.raises(UserError, match="batch_size=4 cannot be shared by 3 processes"):
        module.train_dataloader()


@pytest.mark.parametrize(
    ("images", "batch"), [(1, 8), (136, 8), (205, 8), (319, 8), (320, 16), (639, 16), (640, 32), (118_287, 32)]
)
def test_small_data_get_small_batches(images: int, batch: int):
    assert suggested_batch(images) == batch


@pytest.mark.parametrize(("processes", "batch"), [(1, 8), (3, 9), (8, 16)])
def test_suggested_batches_can_be_shared(tiny_coco_file: Path, processes: int, batch: int):
    module = tiny_module(tiny_coco_file, batch_size="auto")
    module.setup()
    module.trainer = SimpleNamespace(global_rank=0, world_size=processes, num_devices=processes)
    assert module.batch_size == batch
    for loader in (module.train_dataloader(), module.val_dataloader()):
        assert loader.batch_sampler.world_size == processes


@pytest.mark.parametrize(
    ("cuda", "cores", "processes", "workers"),
    [(True, 64, 1, 8), (True, 16, 4, 3), (True, 2, 2, 1), (False, 2, 1, 0), (False, 64, 1, 2)],
)
def test_suggested_workers(monkeypatch: pytest.MonkeyPatch, cuda: bool, cores: int, processes: int, workers: int):
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(cores), raising=False)
    assert suggested_workers(processes) == workers


@pytest.mark.parametrize(("resize", "size", "small"), [("warp", 32, 0), ("letterbox", 32, 1), ("shorter_edge", 12, 2)])
def test_objects_below_a_pixel_of_the_input_are_said(tiny_coco_file: Path, tmp_path: Path, caplog, resize, size, small):
    """Images of 32 x 24 become 32 x 32, 32 x 24, 16 x 12. The crowd region is no object."""

    def shrink(content: dict) -> None:
        first, crowd, second = content["annotations"][:3]
        first["bbox"], crowd["bbox"], second["bbox"] = [8, 4, 12, 0.9], [8, 4, 0.1, 0.1], [8, 4, 1.9, 10]

    file = changed(tiny_coco_file, tiny_coco_file.with_name(f"small-{tmp_path.name}.json"), shrink)
    with caplog.at_level(logging.WARNING):
        tiny_module(tiny_coco_file, file, resize=resize, image_size=size).setup()
    said = [line for line in caplog.messages if "pixel of the network's input" in line]
    start = f"warning: {file.name}: {small} of 10 objects are narrower or lower than a pixel of the network's input"
    assert len(said) == bool(small) and all(line.startswith(start) for line in said)


def test_masks_are_checked_if_they_are_asked_for(tiny_coco_file: Path):
    def flatten(content: dict) -> None:
        content["annotations"][0]["segmentation"] = [1, 1, 5, 1, 5, 5]

    file = changed(tiny_coco_file, tiny_coco_file.with_name("flat.json"), flatten)
    tiny_module(tiny_coco_file, file).setup()
    with pytest.raises(UserError, match="its segmentation is neither"):
        tiny_module(tiny_coco_file, file, annotations=("boxes", "masks")).setup()


@pytest.mark.parametrize("workers", [0, 1])
def test_photos_that_changed_after_the_check_are_one_line(own_coco_file: Path, workers: int):
    """Of a worker's error too, of which torch makes a traceback."""
    photo = own_coco_file.with_name("2.png")
    module = tiny_module(own_coco_file, workers=workers)
    module.setup()
    Image.new("RGB", (16, 12)).save(photo)
    for loader in (module.train_dataloader(), module.val_dataloader()):
        with pytest.raises(UserError) as caught:
            list(loader)
        assert str(caught.value) == (
            f"{photo} is 16 x 12 pixels where {own_coco_file} says 32 x 24; the photo or the annotations have changed, "
            "bring both together again"
        )
