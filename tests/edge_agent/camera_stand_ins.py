"""A clock that tests turn by hand, and clips that need no ffmpeg."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


class HandClock:
    """Time passes only in `sleep` and `pass_by`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    def synced(self) -> bool:
        return True

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


def grey(number: int) -> int:
    """The grey that frame ``number`` of `write_avi` is filled with."""
    return 10 + 5 * (number % 48)


def write_avi(path: Path, frames: int, fps: float = 10.0, size: tuple[int, int] = (64, 48)) -> Path:
    """A Motion-JPEG clip whose frames can be told apart by their grey."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), grey(number), np.uint8))
    writer.release()
    return path
