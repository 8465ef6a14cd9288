"""What `predict.py` replaces in its folder, and what it refuses to touch."""

import errno
import json
import os
from pathlib import Path

import pytest

from tradeoffs.commands.prediction_folder import (
    earlier_pictures,
    picture_names,
    replacing,
    require_free,
    require_writable,
)
from tradeoffs.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a prediction in it, and the folder of a user."""
    write(tmp_path / "found", "a.jpg", "sub/b.png", "sub/deep/c.jpg")
    (tmp_path / "found" / "pictures" / "empty").mkdir()
    return tmp_path / "found"


def write(folder: Path, *names: str) -> None:
    with replacing(folder, earlier_pictures(folder)) as place:
        for name in names:
            picture = place / "pictures" / (name if name.endswith("jpg") else f"{name}.jpg")
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_text("new")
        images = [{"file_name": name} for name in names]
        (place / "predictions.json").write_text(json.dumps({"images": images, "annotations": [{"score": 0.5}]}))


def content(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_prediction_replaces_the_one_before(folder):
    write(folder, "sub/d.jpg")
    assert content(folder) == ["pictures", "pictures/empty", "pictures/sub", "pictures/sub/d.jpg", "predictions.json"]


def test_a_prediction_that_is_broken_off_changes_nothing(folder):
    before = content(folder)
    with pytest.raises(KeyboardInterrupt), replacing(folder, earlier_pictures(folder)) as place:
        (place / "pictures").mkdir(parents=True)
        (place / "pictures" / "a.jpg").write_text("half")
        raise KeyboardInterrupt
    assert content(folder) == before
    assert (folder / "pictures" / "a.jpg").read_text() == "new"


def test_pictures_that_were_moved_when_it_ended_belong_to_it(folder, monkeypatch):
    move, left = Path.replace, iter([True, True, False])

    def killed(self: Path, target: Path) -> Path:
        if not next(left):
            raise KeyboardInterrupt
        return move(self, target)

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(Path, "replace", killed)
        write(folder, "x.jpg", "y.jpg", "z.jpg")
    assert len(earlier_pictures(folder)) == 1
    require_free(folder, [Path(f"{name}.jpg") for name in "xyz"], earlier_pictures(folder))


def test_what_a_killed_prediction_left_is_gone_after_the_next(folder):
    (folder / "predictions.partial" / "pictures").mkdir(parents=True)
    (folder / "predictions.partial" / "pictures" / "z.jpg").touch()
    write(folder, "a.jpg")
    assert content(folder) == ["pictures", "pictures/a.jpg", "pictures/empty", "predictions.json"]


def test_only_pictures_below_the_folder_are_its_own(folder):
    images = [{"file_name": name} for name in ("../mine.jpg", f"{folder}/mine.jpg", "a.jpg")]
    (folder / "mine.jpg").touch()
    (folder / "predictions.json").write_text(json.dumps({"images": images, "annotations": []}))
    assert earlier_pictures(folder) == [folder / "pictures" / "a.jpg"]


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "{}", '{"images": [], "annotations": [{"bbox": [1, 2, 3, 4]}]}', '[{"score": 0.5}]']
)
def test_a_file_of_others_is_refused(tmp_path, text):
    """Such as the predictions of a run, or labels that were corrected by hand."""
    (tmp_path / "predictions.json").write_text(text)
    with pytest.raises(UserError, match=r"output=.* holds a predictions\.json that predict\.py did not write; give"):
        earlier_pictures(tmp_path)


def test_a_picture_of_others_is_refused(folder):
    earlier = earlier_pictures(folder)
    require_free(folder, [Path("a.jpg"), Path("sub/b.png.jpg"), Path("new.jpg")], earlier)
    (folder / "pictures" / "new.png.jpg").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"would overwrite .*/pictures/new\.png\.jpg, which predict\.py did not write"):
        require_free(folder, [Path("a.jpg"), Path("new.png.jpg")], earlier)


@pytest.mark.parametrize("output", ["afile", "afile/deeper/still"])
def test_a_file_is_no_folder(tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    Path("afile").touch()
    with pytest.raises(UserError, match=f"output={output} is impossible: .*afile is a file; give a folder"):
        require_writable(Path(output))
    assert content(tmp_path) == ["afile"]


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(UserError, match=r"output=.* cannot be written: File name too long; give another folder"):
        require_writable(tmp_path / ("long" * 100))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="has no folder that nobody can write")
def test_a_folder_that_cannot_be_written():
    with pytest.raises(UserError, match=r"output=/proc/x cannot be written: .*; give another folder"):
        require_writable(Path("/proc/x"))


def test_a_folder_that_can_be_made_is_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    require_writable(Path("a/b"))
    assert content(tmp_path) == []


def test_a_full_disk_is_one_line(folder):
    before = content(folder)
    with (
        pytest.raises(UserError, match="cannot be written: No space left"),
        replacing(folder, earlier_pictures(folder)),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert content(folder) == before


def names(*images: str, suffix: str = ".jpg") -> list[str]:
    return [name.as_posix() for name in picture_names(map(Path, images), suffix).values()]


def test_a_picture_is_called_like_its_image():
    assert names("a.jpg", "b.JPEG", "sub/a.png", "sub/a.jpg") == ["a.jpg", "b.JPEG", "sub/a.png.jpg", "sub/a.jpg"]
    assert names("clip.mp4", suffix=".mp4") == ["clip.mp4"] and names("clip.mov", suffix=".mp4") == ["clip.mov.mp4"]


def test_no_two_pictures_have_one_name():
    assert names("x.png", "x.png.jpg") == ["x.png (2).jpg", "x.png.jpg"]
    assert names("a.jpg", "A.JPG", "a (2).jpg") == ["a.jpg", "A (2).JPG", "a (2) (2).jpg"]
    assert names("e\u0301.jpg", "\u00e9.jpg") == ["e\u0301.jpg", "\u00e9 (2).jpg"]  # one name on some systems
    assert names("x.png", "x.png.jpg/y.jpg") == ["x.png (2).jpg", "x.png.jpg/y.jpg"]


def test_a_long_name_leaves_room_for_its_ending():
    (name, other) = names("\u00e9" * 125 + ".png", "\u00e9" * 124 + "f.png")
    assert names(os.fsdecode(b"\xe9.png")) == [os.fsdecode(b"\xe9.png.jpg")]  # no text at all, but a name on Linux
    assert name != other and all(len(each.encode()) <= 255 and each.endswith(".jpg") for each in (name, other))
