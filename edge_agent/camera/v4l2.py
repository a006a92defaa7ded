"""A USB camera through Video4Linux."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from edge_agent.camera.freshest import START_S, LiveCamera
from edge_agent.camera.opencv import errors_only
from edge_agent.clock import Clock
from edge_agent.config import CameraConfig
from edge_agent.errors import CameraError
from edge_agent.observations import Frame

_DEFAULT_DEVICE = Path("/dev/video0")
# What nearly every UVC camera delivers at 30 frames a second. Motion JPEG, because raw 4:2:2 above
# that size exceeds what USB 2 carries at full rate, and only analysed frames are decoded.
_DEFAULT_SIZE = (640, 480)
_FOURCC = cv2.VideoWriter.fourcc(*"MJPG")


class Capture(Protocol):
    """The part of cv2.VideoCapture that is used."""

    def isOpened(self) -> bool: ...  # noqa: D102, N802 - OpenCV's own name

    def set(self, propId: int, value: float) -> bool: ...  # noqa: D102, N803 - OpenCV's own name

    def get(self, propId: int) -> float: ...  # noqa: D102, N803 - OpenCV's own name

    def grab(self) -> bool: ...  # noqa: D102 - OpenCV's own name

    def retrieve(self) -> tuple[bool, Any]: ...  # noqa: D102 - OpenCV's own name

    def release(self) -> None: ...  # noqa: D102 - OpenCV's own name


def open_v4l2(
    config: CameraConfig,
    clock: Clock,
    open_capture: Callable[[str], Capture] | None = None,
    start_s: float = START_S,
) -> LiveCamera:
    """Open a Video4Linux device; frames are BGR.

    Args:
        config: path (default /dev/video0), width and height (default 640 x 480), fps, stall_s.
        clock: stamps frames where the driver does not.
        open_capture: how a device is opened; default OpenCV.
        start_s: how long the first frame may take.

    Raises:
        CameraError: absent, not allowed, or no first frame.
    """
    device = V4l2Device(config, clock, open_capture or _open)
    return LiveCamera(device, config, start_s)


class V4l2Device:
    """A `freshest.Device` over OpenCV's V4L2 back end."""

    def __init__(
        self, config: CameraConfig, clock: Clock, open_capture: Callable[[str], Capture]
    ) -> None:
        path = config.path or _DEFAULT_DEVICE
        self.name = str(path)
        self._clock = clock
        self._believed_s = config.stall_s
        self._capture = open_capture(self.name)
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraError(f"{self.name}: {_why(path)}")
        self._capture.set(cv2.CAP_PROP_FOURCC, _FOURCC)
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, config.width or _DEFAULT_SIZE[0])
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, config.height or _DEFAULT_SIZE[1])
        # A queue of pictures in the driver would make every one of them old.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def grab(self) -> float:
        """Take the next picture from the driver; the driver's time of it (CLOCK_MONOTONIC)."""
        if not self._capture.grab():
            raise CameraError(
                f"{self.name}: the camera went away; plug it in again, and see `dmesg` for why"
            )
        now = self._clock.monotonic()
        taken = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        # Some drivers stamp with 0 or with the time of day.
        return taken if 0 <= now - taken < self._believed_s else now

    def retrieve(self, t: float) -> Frame | None:
        """Decode the picture; None where the camera's JPEG was damaged on the wire."""
        ok, image = self._capture.retrieve()
        if not ok:
            return None
        height, width = image.shape[:2]
        return Frame(np.asarray(image, np.uint8), t, width, height)

    def interrupt(self) -> None:
        """Nothing to do: OpenCV's grab gives up by itself, after 10 s at most."""

    def close(self) -> None:
        """Release the device."""
        self._capture.release()


def _open(path: str) -> Capture:
    errors_only()
    return cv2.VideoCapture(path, cv2.CAP_V4L2)


def _why(path: Path) -> str:
    if not path.exists():
        return "no such camera; plug it in, and see `v4l2-ctl --list-devices` for its name"
    if not os.access(path, os.R_OK | os.W_OK):
        return "not allowed; add this user to the group video"
    return "cannot be opened as a camera; another program may hold it (`fuser -v` tells which)"
