"""Label images of folders, read through the data module."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tradeoffs.data.fingerprint import fingerprint_of
from tradeoffs.data.module import CocoDataModule
from tradeoffs.data.pixel_labels import sources
from tradeoffs.data.sources import existing_split
from tradeoffs.errors import UserError
from tradeoffs.structures import IGNORED

VALUES = np.array([[0, 0, 1, 1], [0, 3, 3, 1], [255, 3, 3, 255]], np.uint8)


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "streets"
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            save(root / f"images/{split}/{number}.png", np.full((3, 4, 3), number, np.uint8))
            save(root / f"labels/{split}/{number}.png", VALUES)
    return root


def module_of(root: Path, cache: Path, **options) -> CocoDataModule:
    source = partial(sources.segmentation_folder, root=str(root), cache=str(cache), **options)
    module = CocoDataModule(
        "mine", source, image_size=8, augmentation="none", batch_size=2, workers=0, annotations=["label_map"]
    )
    module.setup()
    return module


def test_values_become_labels(folder: Path, tmp_path: Path):
    """Classes are the values that occur, in their order; 255 is ignored."""
    module = module_of(folder, tmp_path / "cache")
    assert module.class_names == ["class 0", "class 1", "class 3"] and module.category_ids == [0, 1, 3]
    expected = np.array([0, 1, -1, 2] + [-1] * 251 + [IGNORED])[VALUES]
    assert (module.val.label_map(0).numpy() == expected).all()
    targets = next(iter(module.val_dataloader())).targets
    assert targets.boxes is None and targets.masks is None
    assert (targets.label_map[0, ::3, ::2][:3].numpy() == expected[[0, 1, 2]][:, [0, 1, 2, 3]]).all()


@pytest.mark.parametrize("mode", ["palette", "colours"])
def test_palettes(folder: Path, tmp_path: Path, mode: str):
    """An index picture keeps its values; a coloured one needs to be told what its colours are."""
    colours = np.zeros((256, 3), np.uint8)
    colours[:4] = [[255, 0, 0], [0, 255, 0], [9, 9, 9], [0, 0, 255]]
    expected = module_of(folder, tmp_path / "plain").val.label_map(0)
    for path in folder.glob("labels/*/*.png"):
        picture = Image.fromarray(VALUES, "P")
        picture.putpalette(colours.tobytes())
        (picture if mode == "palette" else picture.convert("RGB")).save(path)
    names = ["a", "b", "void", "c"]
    if mode == "palette":
        module = module_of(folder, tmp_path / "cache", classes=names)
    else:
        with pytest.raises(UserError, match=r"0.png is coloured, and nothing says which class a colour is"):
            module_of(folder, tmp_path / "cache")
        lines = [f"{name},{','.join(map(str, colour))}" for name, colour in zip(names, colours.tolist(), strict=False)]
        (folder / "classes.txt").write_text("\n".join([*lines[:2], "void,0,0,0", lines[3]]))
        module = module_of(folder, tmp_path / "cache")
    assert module.class_names == ["a", "b", "c"]
    assert (module.val.label_map(0) == expected).all()


def spoil(folder: Path, what: str) -> None:
    path = folder / "labels/train/0.png"
    match what:
        case "size":
            save(path, VALUES[:2])
        case "value":
            save(path, np.where(VALUES == 3, 7, VALUES).astype(np.uint8))
        case "partner":
            path.unlink()
        case "lossy":
            Image.fromarray(VALUES).save(path, "JPEG")
        case "damaged":
            path.write_bytes(b"no picture")
        case "alpha":
            Image.fromarray(np.stack([VALUES, VALUES], axis=2), "LA").save(path)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("size", "labels/train/0.png is of 4 x 2 pixels, its image of 4 x 3; they must agree"),
        ("value", "labels/train/0.png has 4 pixels of the value 7, which is none of the 4 classes"),
        ("partner", "images/train/0.png has no label image of its name"),
        ("lossy", "labels/train/0.png is a JPEG file, which changes the number of each class; use PNG"),
        ("damaged", "cannot read the numbers of each class in"),
        ("alpha", "labels/train/0.png has pixels of mode LA; expected one value for each pixel, or RGB"),
    ],
)
def test_faults(folder: Path, tmp_path: Path, what: str, line: str):
    """All of them at once, and before anything is written."""
    spoil(folder, what)
    save(folder / "labels/val/1.png", VALUES[:, :3])
    with pytest.raises(UserError) as caught:
        module_of(folder, tmp_path / "cache", classes=["a", "b", "c", "d"])
    said = "\n".join([str(caught.value), *caught.value.details])
    assert line in said and "the first of 2 faults" in said and "labels/val/1.png is of 3 x 3" in said
    assert not list((tmp_path / "cache").rglob("*.json"))


def test_a_mask_of_0_and_255_is_not_taken_for_one_without_objects(folder: Path, tmp_path: Path):
    for path in folder.glob("labels/*/*.png"):
        save(path, np.where(VALUES == 3, 255, 0).astype(np.uint8))
    with pytest.raises(UserError, match=r"if 255 is what they mark, give data.source.ignore=\[\]"):
        module_of(folder, tmp_path / "cache")
    assert module_of(folder, tmp_path / "cache", ignore=[]).class_names == ["class 0", "class 255"]


@pytest.mark.parametrize("levels", [(0, 128, 255), (0, 34, 221, 255)])
def test_levels_of_grey_are_not_taken_for_classes(folder: Path, tmp_path: Path, levels: tuple[int, ...]):
    """Where 255 is a class, or a mask was resized with interpolation, most of what is marked would be left out."""
    for path in folder.glob("labels/*/*.png"):
        save(path, np.resize(np.array(levels, np.uint8), VALUES.shape))
    with pytest.raises(UserError, match="lie far apart, as levels of grey do; say what is a class"):
        module_of(folder, tmp_path / "cache")
    (folder / "classes.txt").write_text("\n".join(f"{level} c{level}" for level in levels))
    assert module_of(folder, tmp_path / "cache", ignore=[]).num_classes == len(levels)


def test_how_much_is_ignored_is_told(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    module_of(folder, tmp_path / "cache", ignore=255)
    assert "val: 16.7 % of the pixels have no class and are left out" in caplog.text


def test_an_image_of_which_nothing_is_labelled(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    save(folder / "labels/val/1.png", np.full((3, 4), 255, np.uint8))
    module = module_of(folder, tmp_path / "cache")
    assert len(module.val) == 2 and (module.val.label_map(1) == IGNORED).all()
    assert "images of which nothing is labelled: 1 (first: images/val/1.png)" in caplog.text


def test_a_changed_label_image_is_other_data(folder: Path, tmp_path: Path):
    source = {
        "_target_": "tradeoffs.data.pixel_labels.sources.segmentation_folder",
        "root": str(folder),
        "cache": str(tmp_path / "cache"),
    }
    assert existing_split(source, "val") is None
    module_of(folder, tmp_path / "cache")
    assert existing_split(source, "val").images == folder
    before = fingerprint_of({"source": source}, "val")
    save(folder / "labels/val/0.png", np.flipud(VALUES))
    assert fingerprint_of({"source": source}, "val") != before
    assert fingerprint_of({"source": source | {"ignore": [3, 255]}}, "val") not in (before, None)
