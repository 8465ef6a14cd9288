"""What `tradeoffs.load` gives, with a network whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tradeoffs.errors import UserError


def shade(value: int, width: int = 40, height: int = 20) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six photos, from dark to bright, of growing width."""
    (tmp_path / "photos").mkdir()
    for number in range(1, 7):
        Image.fromarray(shade(40 * number, width=30 + number)).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path / "photos"


def test_one_image(model):
    found = model(shade(204))
    assert found.boxes.tolist() == [[0, 0, 20, 20]] and found.labels.tolist() == [1] and found.names == ["bright"]
    assert found.scores.tolist() == pytest.approx([0.8]) and len(found) == 1
    assert str(found) == "image_1: 1 bright" and found.size == (20, 40)


def test_it_says_what_it_is(model):
    assert repr(model) == "Brightest: 2 classes, 16 px (warp), on cpu"


def test_scores(model):
    assert len(model(shade(204), min_score=0)) == 2 and len(model(shade(204), min_score=0.9)) == 0
    with pytest.raises(UserError, match=r"min_score=2 is impossible; min_score is a number from 0 to 1"):
        model(shade(204), min_score=2)


def test_what_is_found_is_drawn(model):
    found = model(shade(204))
    picture = found.draw()
    assert picture.size == (480, 240)  # enlarged, so that names can be read
    assert np.any(np.array(picture) != 204) and found.draw(longest=100).size == (100, 50)
    assert found._repr_png_()[:4] == b"\x89PNG"
    with pytest.raises(UserError, match="the pixels of image_1 were let go"):
        found.light().draw()


def test_a_list_of_all_kinds(model, folder):
    tensor = torch.full((3, 20, 40), 102, dtype=torch.uint8)
    found = model([folder / "6.png", str(folder / "5.png"), shade(204), tensor, Image.fromarray(shade(255))])
    assert [round(255 * float(each.scores[0])) for each in found] == [240, 200, 204, 102, 255]
    assert [each.name.name for each in found] == ["6.png", "5.png", "image_3", "image_4", "image_5"]


def test_a_batch(model):
    assert len(model(np.stack([shade(200)] * 3))) == 3
    assert len(model(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))) == 2


@pytest.mark.parametrize("pattern", ["", "*.png"])
def test_a_folder(model, folder, pattern):
    found = model(folder / pattern if pattern else folder)
    assert [each.name.name for each in found] == [f"{number}.png" for number in range(1, 7)]
    assert model.network.seen == [4, 2]
    assert all(each.pixels is None for each in found)  # many photos do not stay in memory
    assert found[5].image.shape == (3, 20, 36) and found[5].draw().width == 480


def test_a_stream_reads_only_what_is_needed_soon(model):
    asked = []

    def images():
        for number in range(100):
            asked.append(number)
            yield shade(200)

    stream = model.stream(images())
    next(stream)
    assert len(asked) < 20
    stream.close()


def test_a_generator_may_use_its_memory_again(model):
    def images():
        buffer = shade(0)
        for value in (100, 150, 200, 250):
            buffer[:] = value
            yield buffer

    assert [round(255 * float(found.scores[0])) for found in model.stream(images())] == [100, 150, 200, 250]


def test_what_cannot_be_read(model, folder):
    (folder / "3.png").write_text("no image")
    with pytest.raises(UserError, match=r"cannot read the image .*3\.png: it is truncated or not an image"):
        model(folder)
    faults: list[str] = []
    assert len(list(model.stream(folder, faults=faults))) == 5
    assert len(faults) == 1 and "3.png" in faults[0]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("zzz.jpg", r"there is no image zzz\.jpg"),
        ("zzz/*.jpg", r"source=zzz/\*\.jpg holds no image; looked for"),
        (None, "a NoneType is no image"),
        (0, r"0 is a video or a camera; iterate over model\.stream\(0\)"),
        ("a/clip.MP4", r"clip\.MP4 is a video or a camera; iterate over model\.stream\('a/clip\.MP4'\)"),
    ],
)
def test_mistakes(model, source, line):
    with pytest.raises(UserError, match=line):
        model(source)


def test_frames_of_a_video(model, clip):
    found = list(model.stream(clip, min_score=0))
    assert [each.name.name for each in found] == [f"clip.avi#00000{number}" for number in range(10)]
    assert [each.seconds for each in found] == pytest.approx([number / 5 for number in range(10)])
    brightness = [max(each.scores.tolist()) for each in found][1:]
    assert brightness == sorted(brightness) and brightness[-1] > 0.8
    assert found[3].draw().size == (480, 360)


def test_a_video_that_is_cut_off(model, clip):
    content = clip.read_bytes()
    clip.write_bytes(content[: content.rindex(b"00dc", 0, content.index(b"idx1")) - 100])  # amid the last frames
    with pytest.warns(UserWarning, match=r"clip\.avi is to have 10 frames, but only \d could be read"):
        found = list(model.stream(clip))
    assert 1 <= len(found) < 10
