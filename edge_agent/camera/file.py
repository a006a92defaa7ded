"""A clip, in any format that OpenCV's FFmpeg reads, timed by its own clock."""

from __future__ import annotations

import logging
import math
import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.camera.opencv import errors_only
from edge_agent.camera.pacing import Grid, Pace
from edge_agent.camera.timestamps import ClipTimes, Jump
from edge_agent.clock import Clock
from edge_agent.config import CameraConfig
from edge_agent.errors import ClipError
from edge_agent.observations import Frame
from edge_agent.records import Trouble

_log = logging.getLogger("shelflight.camera")

# Frame rates of real cameras, with room; a container may say 0, 90000 or not a number.
_PLAUSIBLE_FPS = (0.01, 1000.0)
_ASSUMED_FPS = 25.0
# A bare stream has no count and OpenCV makes one up, far below 0 or far above this (a year at 30).
_PLAUSIBLE_COUNT = 1e9
# A container's length is rounded, may count an audio track, and its last frames may be reordered:
# a clip counts as cut off when both more frames and more time are missing than this.
_SLACK_FRAMES = 2
_SLACK_S = 0.5
# av_log's AV_LOG_QUIET: what FFmpeg finds wrong is told in our own messages.
_FFMPEG_QUIET = "-8"


class FileCamera:
    """A `Camera` over a clip; frames are BGR.

    At pace 0 every due frame is given. Else the clip plays by the clock, and a reader who comes
    late misses the frames that a live camera would have dropped; the delay never grows.

    Args:
        config: path, fps, pace and stall_s (a longer step of the clip's clock is a jump).
        clock: paces the clip.

    Raises:
        ClipError: missing, or not one picture can be decoded.
    """

    def __init__(self, config: CameraConfig, clock: Clock) -> None:
        self._clip = _Clip(_existing(config.path))
        self._clock = clock
        self._stall_s = config.stall_s
        self._times = ClipTimes(1 / self._clip.fps, config.stall_s)
        self._grid = Grid(config.fps, 1 / self._clip.fps)
        self._pace = Pace(clock, config.pace)
        self._troubles: set[Trouble] = set()
        self._over = False

    def read(self) -> Frame | None:
        """The next due frame, None at the end."""
        asked = self._clock.monotonic()
        while not self._over:
            t = self._next_time()
            if t is None:
                self._end()
            elif self._grid.due(t) and not self._missed(t, asked):
                image = self._clip.retrieve()
                if image is not None:
                    height, width = image.shape[:2]
                    return Frame(image, t, width, height)
        return None

    @property
    def duration_s(self) -> float | None:
        """Length by the container, None where it does not say."""
        return self._clip.promised()[1] or None

    def close(self) -> None:
        """Close the clip."""
        self._over = True
        self._clip.close()

    def troubles(self) -> frozenset[Trouble]:
        """CLOCK_JUMPED and CLIP_TRUNCATED, once seen."""
        return frozenset(self._troubles)

    def _next_time(self) -> float | None:
        if not self._clip.grab():
            return None
        t, jump = self._times.next(self._clip.stamp())
        if jump is not None:
            self._tell_jump(jump, t)
        return t

    def _missed(self, t: float, asked: float) -> bool:
        late = self._pace.wait(t)
        # A machine too slow even to decode must still see a picture now and then.
        waited = self._clock.monotonic() - asked
        return late >= self._grid.period_s and waited < self._stall_s

    def _tell_jump(self, jump: Jump, t: float) -> None:
        self._troubles.add(Trouble.CLOCK_JUMPED)
        self._pace.restart()
        _log.warning(
            "%s: the clip's clock jumps from %.3f s to %.3f s; told as second %.3f",
            self._clip.path, jump.before, jump.after, t,
        )  # fmt: skip

    def _end(self) -> None:
        promised, got = self._clip.promised(), self._clip.got(self._times.interval_s)
        if _cut_off(promised, got):
            self._troubles.add(Trouble.CLIP_TRUNCATED)
            _log.warning(
                "%s ends early: it promises %d frames (%.1f s), %d (%.1f s) could be decoded; "
                "copy it again from where it was recorded, unless it was trimmed without encoding "
                "it anew or its sound is longer than its picture",
                self._clip.path, *promised, *got,
            )  # fmt: skip
        self.close()


class _Clip:
    """OpenCV's capture, with what its numbers mean.

    CAP_PROP_POS_MSEC is the presentation time of the frame just grabbed, less the stream's start
    time, in the order shown; 0 where the container has none. CAP_PROP_PTS is the same in ticks,
    start included. CAP_PROP_FRAME_COUNT is the container's own count, or else its length times
    CAP_PROP_FPS, and that length runs from second 0, not from the stream's start.
    """

    def __init__(self, path: Path) -> None:
        # Read once, when the first capture is opened; a user's own setting stands.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _FFMPEG_QUIET)
        errors_only()
        self.path = path
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        self._grabbed = 0
        self._first_ticks = 0.0
        self._stamp = 0.0
        # The first picture is fetched at once: a file that opens may still hold none.
        self._ahead = self._capture.isOpened() and self._capture.grab()
        if not self._ahead:
            self._capture.release()
            raise ClipError(
                f"{path}: no picture can be decoded; check with `ffprobe {path.name}`, copy it "
                "again, or convert it with `ffmpeg -i IN -c:v libx264 OUT.mp4`"
            )
        self._first_ticks = self._capture.get(cv2.CAP_PROP_PTS)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        low, high = _PLAUSIBLE_FPS
        self.fps = fps if low <= fps <= high else _ASSUMED_FPS
        self._count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)

    def grab(self) -> bool:
        """Decode the next picture; False at the end."""
        grabbed = self._ahead or self._capture.grab()
        self._ahead = False
        self._grabbed += grabbed
        return grabbed

    def stamp(self) -> float | None:
        """Seconds of the picture just grabbed, from the stream's start; None if it has none."""
        stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self._grabbed > 1 and not (math.isfinite(stamp) and stamp != 0):
            return None
        self._stamp = stamp
        return stamp

    def retrieve(self) -> NDArray[np.uint8] | None:
        """The picture just grabbed, uint8 [height, width, 3]; None if it is damaged."""
        ok, image = self._capture.retrieve()
        return np.asarray(image, np.uint8) if ok else None

    def promised(self) -> tuple[int, float]:
        """Frames and seconds by the container, 0 where it does not say."""
        if not 0 < self._count < _PLAUSIBLE_COUNT:
            return 0, 0.0
        return int(self._count), self._count / self.fps

    def got(self, interval_s: float) -> tuple[int, float]:
        """Frames decoded, and the second at which the last of them ends, as `promised` counts."""
        start = 0.0
        ticks = self._capture.get(cv2.CAP_PROP_PTS) - self._first_ticks
        if self._stamp > 0 and ticks > 0:
            start = self._first_ticks * self._stamp / ticks
        return self._grabbed, start + self._stamp + interval_s

    def close(self) -> None:
        """Release the capture."""
        self._capture.release()


def _cut_off(promised: tuple[int, float], got: tuple[int, float]) -> bool:
    frames, seconds = promised[0] - got[0], promised[1] - got[1]
    return frames > _SLACK_FRAMES and seconds > _SLACK_S


def _existing(path: Path | None) -> Path:
    if path is None:
        raise ClipError("camera.path is missing: name the clip to play")
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ClipError(f"{path} {what}: name a clip (camera.path, or CLIP=)")
    # FFmpeg takes "a:b.mp4" for an address; an absolute path is always a file.
    return path.resolve()
