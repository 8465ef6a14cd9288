"""The folder that `predict.py` writes. It holds what one call found, and what others put there stays as it is.

Imports no torch, so a folder that cannot be written is refused at once.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tradeoffs.data.names import alike
from tradeoffs.errors import UserError

PICTURES, CONTENT = "pictures", "predictions.json"
LABEL_MAPS = "label_maps"  # of networks that give each pixel a class: a PNG for each picture
LONGEST_NAME = 255  # bytes
UNFINISHED = "predictions.partial"  # in the folder, while a prediction is at work


def picture_name(image: Path, suffix: str = ".jpg") -> Path:
    """A picture is called like its image; of one with another ending it gets a further suffix."""
    endings = (".jpg", ".jpeg") if suffix == ".jpg" else (suffix,)
    return image if image.suffix.lower() in endings else Path(f"{image}{suffix}")


def picture_names(images: Iterable[Path], suffix: str = ".jpg") -> dict[Path, Path]:
    """A name for the picture of each image, none of which is another's, not even where case makes no difference.

    Where `x.png.jpg` is an image, the picture of `x.png` is `x.png (2).jpg`; nor is one called like a folder.
    """
    images = list(images)
    wanted = {image: picture_name(image, suffix) for image in images}
    taken = {_key(folder) for name in wanted.values() for folder in name.parents}
    names = {}
    for image in sorted(images, key=lambda image: wanted[image] != image):  # those that keep their name go first
        names[image] = next(name for name in _candidates(wanted[image]) if _key(name) not in taken)
        taken.add(_key(names[image]))
    return {image: names[image] for image in images}


def _candidates(name: Path) -> Iterator[Path]:
    """The name itself, if it is not too long for a file; then with numbers."""
    for number in count(1):
        ending = (f" ({number})" if number > 1 else "") + name.suffix
        stem = name.stem
        while len(os.fsencode(f"{stem}{ending}")) > LONGEST_NAME:
            stem = stem[:-1]
        yield name.with_name(f"{stem}{ending}")


def _key(name: Path) -> str:
    """Equal for names that some file system takes for one."""
    return alike(name.as_posix())


def require_writable(folder: Path) -> None:
    """Raises UserError where `folder` cannot be made or written. Leaves nothing behind."""
    try:
        place = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
        if not place.is_dir():
            raise UserError(f"output={folder} is impossible: {place} is a file; give a folder")
        with tempfile.TemporaryDirectory(prefix=".writable-", dir=place):
            pass
    except OSError as error:
        raise cannot_write(folder, error) from error


def earlier_pictures(folder: Path) -> list[Path]:
    """The pictures of the last prediction in `folder`, which its file names.

    Raises UserError where that file is not one of `predict.py`, so that it is not overwritten.
    """
    path = folder / CONTENT
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text())
        if not all("score" in each for each in content["annotations"]):  # the truth, or labels corrected by hand
            raise ValueError
        names = [Path(image.get("picture") or picture_name(Path(image["file_name"]))) for image in content["images"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise UserError(
            f"output={folder} holds a {CONTENT} that predict.py did not write; give another folder"
        ) from None
    inside = (name for name in dict.fromkeys(names) if not name.is_absolute() and ".." not in name.parts)
    return [path for name in inside if (path := folder / PICTURES / name).is_file()]


def label_map_of(picture: Path) -> Path:
    """Below `LABEL_MAPS`. Pictures have names of their own, so that these have, too."""
    return picture.with_name(f"{picture.name}.png")


def earlier_label_maps(folder: Path, pictures: Collection[Path]) -> list[Path]:
    """Those of the last prediction, by its `pictures`."""
    names = (path.relative_to(folder / PICTURES) for path in pictures)
    return [path for name in names if (path := folder / LABEL_MAPS / label_map_of(name)).is_file()]


def require_free(folder: Path, pictures: Iterable[Path], earlier: Collection[Path]) -> None:
    """Raises UserError where one of `pictures` would overwrite a file that is not one of `earlier`."""
    replaced = set(earlier)
    for path in (folder / PICTURES / picture for picture in pictures):
        if path not in replaced and (path.exists() or path.is_symlink()):
            raise UserError(
                f"output={folder} would overwrite {path}, which predict.py did not write; give another folder"
            )


@contextmanager
def replacing(folder: Path, earlier: Collection[Path]) -> Iterator[Path]:
    """A place for new pictures and their file. They replace `earlier` at the end, unless anything is raised."""
    place = folder / UNFINISHED
    try:
        shutil.rmtree(place, ignore_errors=True)  # of a prediction that was killed
        yield place
        remove(earlier_label_maps(folder, earlier), folder / LABEL_MAPS)
        remove(earlier, folder / PICTURES)
        files = [path for path in place.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: path != place / CONTENT):  # first what says whose the pictures are
            target = folder / path.relative_to(place)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    except OSError as error:
        if error.errno is None:  # Pillow complains of a picture with such
            raise
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def remove(files: Iterable[Path], top: Path) -> None:
    """The files, and the folders below `top` that become empty."""
    for path in files:
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == top or not folder.is_relative_to(top) or any(folder.iterdir()):
                break
            folder.rmdir()


def cannot_write(folder: Path, error: OSError) -> UserError:
    return UserError(f"output={folder} cannot be written: {error.strerror}; give another folder")
