from pathlib import Path

import cv2
import pytest
import torch

from tradeoffs.errors import UserError
from tradeoffs.inference.video import Video, VideoFile


def shade(value: int, height: int = 31, width: int = 41) -> torch.Tensor:
    return torch.full((3, height, width), value, dtype=torch.uint8)


def levels(path: Path) -> list[int]:
    return [round(frame.pixels.float().mean().item()) for frame in Video(path)]


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_what_is_written_can_be_read(tmp_path, suffix):
    with VideoFile(tmp_path / "sub" / f"a.{suffix}", 10.0) as video:
        for value in (0, 50, 100, 150, 200):
            video.write(shade(value))
    read = Video(tmp_path / "sub" / f"a.{suffix}")
    assert read.rate == pytest.approx(10)
    assert levels(tmp_path / "sub" / f"a.{suffix}") == pytest.approx([0, 50, 100, 150, 200], abs=6)


def test_colours_keep_their_order(tmp_path):
    red = torch.stack([shade(220)[0], shade(30)[0], shade(30)[0]])
    with VideoFile(tmp_path / "a.mp4", 10.0) as video:
        video.write(red)
    (frame,) = Video(tmp_path / "a.mp4")
    assert frame.pixels.float().mean(dim=(1, 2)).tolist() == pytest.approx([220, 30, 30], abs=12)


def test_a_slow_camera_keeps_real_time(tmp_path):
    with VideoFile(tmp_path / "a.mp4", 10.0) as video:
        for value, seconds in ((0, 0.0), (100, 0.3), (200, 0.4)):
            video.write(shade(value), seconds)
    assert levels(tmp_path / "a.mp4") == pytest.approx([0, 0, 0, 100, 200], abs=6)


def test_frames_of_another_size_are_fitted(tmp_path):
    with VideoFile(tmp_path / "a.mp4", 10.0) as video:
        video.write(shade(10))
        video.write(shade(200, height=62, width=82))
    assert levels(tmp_path / "a.mp4") == pytest.approx([10, 200], abs=6)


def test_a_video_that_is_broken_off_is_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoFile(tmp_path / "a.mp4", 10.0) as video:
        video.write(shade(10))
        video.write(shade(20))
        raise KeyboardInterrupt
    assert len(levels(tmp_path / "a.mp4")) == 2


def test_a_video_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").mkdir()
    with (
        pytest.raises(UserError, match=r"the video a\.mp4 cannot be written"),
        VideoFile(tmp_path / "a.mp4", 9) as video,
    ):
        video.write(shade(10))


def test_what_is_no_video(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"a\.mp4 is no video that OpenCV reads"):
        Video(tmp_path / "a.mp4")
    with pytest.raises(UserError, match="source=99: there is no such camera, or it is in use"):
        Video(99)


def test_a_camera(clip, monkeypatch):
    """A file stands for the device."""
    opened = cv2.VideoCapture(str(clip))
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: opened)
    camera = Video(0)
    seconds = [frame.seconds for frame in camera]
    assert camera.name == "camera_0" and camera.stated is None and camera.fault is None
    assert len(seconds) == 10 and seconds == sorted(seconds)
