"""Frames of videos and cameras, and videos that are written, both by OpenCV."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from tradeoffs.errors import UserError

# MPEG-4 is written ten times as fast as VP8, which every browser plays. OpenCV's wheels have no encoder of H.264.
CODECS = {"mp4": "mp4v", "webm": "VP80"}
USUAL_RATE = 25.0  # frames a second where a video or a camera does not say

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong with a video is said by us, once


class Frame(NamedTuple):
    number: int  # from 0
    seconds: float  # since the beginning
    pixels: UInt8[Tensor, "3 H W"]


class Video:
    """The frames of a file (`path`) or of a camera (`number`), upright. Iterated once."""

    def __init__(self, source: Path | int):
        """Raises UserError where it cannot be opened."""
        self.is_camera = isinstance(source, int)
        self.name = f"camera_{source}" if self.is_camera else Path(source).name
        with quiet():
            self._capture = (
                cv2.VideoCapture(source) if self.is_camera else cv2.VideoCapture(str(source), cv2.CAP_FFMPEG)
            )
        if not self._capture.isOpened():
            fault = "there is no such camera, or it is in use" if self.is_camera else "is no video that OpenCV reads"
            raise UserError(f"source={source}: {fault}" if self.is_camera else f"{source} {fault}")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if math.isfinite(rate) and 0 < rate <= 1000 else USUAL_RATE
        stated = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.stated = int(stated) if not self.is_camera and 0 < stated < 1e9 else None  # number of frames, in its head
        self.read = 0

    def __iter__(self) -> Iterator[Frame]:
        begun = time.monotonic()
        try:
            while (frame := self._next()) is not None:
                passed = time.monotonic() - begun if self.is_camera else self.read / self.rate
                self.read += 1
                yield Frame(self.read - 1, passed, torch.from_numpy(frame).permute(2, 0, 1))
        finally:
            self._capture.release()

    def _next(self) -> UInt8[np.ndarray, "H W 3"] | None:
        there, frame = self._capture.read()
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if there else None

    @property
    def fault(self) -> str | None:
        """What is wrong with the file once it was iterated."""
        if self.stated is None or self.read >= self.stated:
            return None
        return f"{self.name} is to have {self.stated} frames, but only {self.read} could be read"


@contextmanager
def quiet() -> Iterator[None]:
    """OpenCV keeps to itself why something cannot be opened."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


class VideoFile:
    """A video that is written frame by frame, whole once the context is left, for whatever reason."""

    def __init__(self, path: Path, rate: float):
        """Its suffix, `.mp4` or `.webm`, chooses the codec. `rate`: frames a second."""
        self.path, self.rate = path, rate
        self._writer: cv2.VideoWriter | None = None
        self._written = 0

    def __enter__(self) -> VideoFile:
        return self

    def write(self, picture: UInt8[Tensor, "3 H W"], seconds: float | None = None) -> None:
        """With `seconds` since the beginning, the frame before is shown until then."""
        pixels = cv2.cvtColor(picture.permute(1, 2, 0).contiguous().numpy(), cv2.COLOR_RGB2BGR)
        if self._writer is None:
            self._open(pixels)
        if (pixels.shape[1], pixels.shape[0]) != self._size:  # OpenCV would leave it out without a word
            pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        while seconds is not None and self._written < round(seconds * self.rate):
            self._append(self._last)
        self._append(pixels)
        self._last = pixels

    def _append(self, pixels: UInt8[np.ndarray, "H W 3"]) -> None:
        self._writer.write(pixels)
        self._written += 1

    def _open(self, first: UInt8[np.ndarray, "H W 3"]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._size, self._last = (first.shape[1], first.shape[0]), first
        codec = cv2.VideoWriter_fourcc(*CODECS[self.path.suffix[1:]])
        with quiet():
            self._writer = cv2.VideoWriter(str(self.path), cv2.CAP_FFMPEG, codec, self.rate, self._size)
        if not self._writer.isOpened():
            raise self._fault()

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.release()
            if kind is None and not self._is_readable():
                raise self._fault()

    def _is_readable(self) -> bool:
        """OpenCV says nothing when a disk is full."""
        try:
            return next(iter(Video(self.path)), None) is not None
        except UserError:
            return False

    def _fault(self) -> UserError:
        return UserError(
            f"the video {self.path.name} cannot be written; is the disk full? otherwise try the other video="
        )
