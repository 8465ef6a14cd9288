import tarfile
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.fingerprint import fingerprint_of
from tradeoffs.data.labels import sources
from tradeoffs.data.module import CocoDataModule
from tradeoffs.data.sources import existing_split
from tradeoffs.errors import UserError

ROOM = "tradeoffs.data.labels.sources"
IMAGES = tuple(f"{split}/{name}" for split in ("train", "val") for name in ("cat/1.png", "dog/2.png"))


def config(kind: str, root: Path, **options: object) -> dict:
    return {"source": {"_target_": f"{ROOM}.{kind}", "_partial_": True, "root": str(root), **options}}


def test_a_folder_of_classes_goes_through_the_module(put, tmp_path: Path):
    source = partial(sources.image_folder, root=str(put(*IMAGES)), cache=str(tmp_path / "cache"))
    module = CocoDataModule("mine", source, image_size=32, augmentation="none", batch_size=2, workers=0)
    module.setup()
    assert module.class_names == ["cat", "dog"] and module.train.image_paths() & module.val.image_paths() == set()
    targets = next(iter(module.val_dataloader())).targets
    assert targets.valid.sum(1).tolist() == [1, 1] and targets.labels[:, 0].tolist() == [0, 1]
    assert targets.boxes[:, 0].tolist() == [[0, 0, 32, 32]] * 2


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"root": "nowhere"}, "data.root=nowhere is no folder; give one that holds images and says their classes"),
        ({"val": 1.0}, "data.source.val=1 is impossible; give the share of the images for validation, as 0.2"),
    ],
)
def test_impossible_folders(put, tmp_path: Path, change: dict, line: str):
    with pytest.raises(UserError) as caught:
        sources.image_folder("train", **{"root": put(*IMAGES), "cache": tmp_path / "cache", **change})
    assert str(caught.value) == line
    assert not (tmp_path / "cache").exists()


def test_what_is_there_is_found_without_writing(put, tmp_path: Path):
    root, cache = put(*IMAGES), tmp_path / "cache"
    data = config("image_folder", root, cache=str(cache), val=0.2, seed=0)
    assert existing_split(data["source"], "val") is None and not cache.exists()
    split = sources.image_folder("val", root, cache)
    assert existing_split(data["source"], "val") == split and split.images == root
    assert existing_split({**data["source"], "seed": 1}, "val") is None
    assert existing_split({**data["source"], "colour": "red"}, "val") is None


def test_the_hash_is_that_of_the_folder_as_it_is_now(put, tmp_path: Path):
    root = put(*IMAGES)
    data = config("image_folder", root, cache=str(tmp_path / "cache"))
    before = {split: fingerprint_of(data, split) for split in ("train", "val")}
    assert None not in before.values()
    put("train/cat/3.png")
    assert fingerprint_of(data, "val") == before["val"] and fingerprint_of(data, "train") != before["train"]
    (root / "train/cat/3.png").unlink()
    elsewhere = config("image_folder", root.rename(tmp_path / "moved"), cache=str(tmp_path / "another"))
    assert fingerprint_of(elsewhere, "train") == before["train"]
    assert fingerprint_of(data, "train") is None


def test_tiny_imagenet_is_a_folder_that_is_there(put, tmp_path: Path):
    root = put("train/n01/images/a.JPEG", "train/n02/images/b.JPEG", "val/images/v.JPEG")
    (root / "wnids.txt").write_text("n01\nn02\n")
    (root / "val/val_annotations.txt").write_text("v.JPEG\tn02\t2\t1\t4\t2\n")
    split = sources.tiny_imagenet("val", root, tmp_path / "cache")
    data = CocoDataset(*split)
    assert data.objects(0).boxes.tolist() == [[2, 1, 5, 3]] and data.objects(0).labels.tolist() == [1]
    assert existing_split(config("tiny_imagenet", root, cache=str(tmp_path / "cache"))["source"], "val") == split
    moved = root.rename(tmp_path / "tiny-imagenet-200")
    assert sources.tiny_imagenet("val", tmp_path, tmp_path / "cache").images == moved


@pytest.fixture
def fake_set(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """A set of torchvision with three images for training and two for tests; what it was asked for."""
    asked = []

    class Fake:
        classes = ["T-shirt/top", "Bag"]  # noqa: RUF012

        def __init__(self, root: Path, train: bool, download: bool):
            asked.append((root, train, download))
            self.count = 3 if train else 2

        def __len__(self) -> int:
            return self.count

        def __getitem__(self, index: int) -> tuple:
            if index >= self.count:
                raise IndexError
            return Image.new("L", (8, 6), 10 * index), index % 2

    for name in ("CIFAR10", "FashionMNIST"):
        monkeypatch.setattr(f"torchvision.datasets.{name}", Fake)
    return asked


@pytest.mark.parametrize("kind", ["cifar10", "fashion_mnist"])
def test_a_set_of_torchvision_is_written_once(fake_set: list, tmp_path: Path, kind: str):
    source = getattr(sources, kind)
    data = config(kind, tmp_path)
    assert existing_split(data["source"], "val") is None
    for _ in range(2):
        train, val = (CocoDataset(*source(split, str(tmp_path))) for split in ("train", "val"))
    assert fake_set == [(tmp_path, True, True), (tmp_path, False, True)]
    assert list(train.file_names) == ["00000.png", "00001.png", "00002.png"] and len(val) == 2
    assert train.class_names == val.class_names == ["T-shirt/top", "Bag"]
    assert [train.objects(index).labels.item() for index in range(3)] == [0, 1, 0]
    assert train.objects(2).boxes.tolist() == [[0, 0, 8, 6]] and train.read_image(2).unique().tolist() == [20]
    assert existing_split(data["source"], "val") == source("val", tmp_path)
    assert fingerprint_of(data, "train") != fingerprint_of(data, "val")


def test_a_set_that_cannot_be_fetched_or_written_is_begun_again(fake_set, tmp_path: Path, monkeypatch):
    def refused(*_, **__):
        raise RuntimeError("Error downloading x.gz:\nTried y\n")

    with monkeypatch.context() as offline:
        offline.setattr("torchvision.datasets.CIFAR10", refused)
        with pytest.raises(
            UserError, match=r"^cannot fetch CIFAR10: Error downloading x\.gz: Tried y; run the command"
        ):
            sources.cifar10("val", tmp_path)
    with monkeypatch.context() as full:
        full.setattr("tradeoffs.data.labels.torchvision_sets.write_split", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sources.cifar10("val", tmp_path)
    assert len(CocoDataset(*sources.cifar10("val", tmp_path))) == 2


def test_real_tiny_imagenet(real_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    archive = real_data / "tiny-imagenet-20.tar"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    root = tmp_path / "tiny-imagenet-200"
    train, val = (CocoDataset(*sources.image_folder(split, root, tmp_path / "cache")) for split in ("train", "val"))
    assert (len(train), len(val), train.num_objects, train.most_objects) == (10_000, 1000, 10_000, 1)
    assert train.class_names[:3] == ["goldfish", "bullfrog", "American alligator"] and len(val.class_names) == 20
    of = {name: index for index, name in enumerate(train.file_names)}
    first = train.objects(of["train/n02504458/images/n02504458_0.JPEG"])
    assert first.boxes.tolist() == [[6, 6, 54, 64]]
    assert train.class_names[first.labels.item()] == "African elephant"
    assert train.objects(of["train/n01443537/images/n01443537_425.JPEG"]).boxes.tolist() == [[0, 0, 64, 64]]
    assert "boxes without area, for which the whole image is taken: 17 (first" in caplog.text
