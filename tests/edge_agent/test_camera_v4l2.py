from __future__ import annotations

import os
import queue
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest
from camera_stand_ins import HandClock

from edge_agent.camera import open_camera
from edge_agent.camera.v4l2 import open_v4l2
from edge_agent.config import CameraConfig, Source
from edge_agent.errors import CameraError, CameraStalled

LONG = 20.0
WEBCAM = CameraConfig(source=Source.V4L2, path=Path("/dev/video4"), fps=1000.0, stall_s=LONG)


class StandInCapture:
    """Has the methods of cv2.VideoCapture; a test plugs pictures and the cable."""

    def __init__(self) -> None:
        self.path = ""
        self.opened = True
        self.settings: dict[int, float] = {}
        self.cable: queue.Queue[float | None] = queue.Queue()
        self.stamp_ms = 0.0
        self.damaged = False
        self.idle = Event()
        self.released = Event()

    def __call__(self, path: str) -> StandInCapture:
        self.path = path
        return self

    def deliver(self, *seconds: float) -> None:
        for t in seconds:
            self.cable.put(1000 * t)

    def unplug(self) -> None:
        self.cable.put(None)

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's own name
        return self.opened

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's own name
        self.settings[propId] = value
        return True

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's own name
        return self.stamp_ms if propId == cv2.CAP_PROP_POS_MSEC else 0.0

    def grab(self) -> bool:
        if self.cable.empty():
            self.idle.set()
        item = self.cable.get()
        if item is None:
            return False
        self.stamp_ms = item
        return True

    def retrieve(self):
        return (not self.damaged), np.full((480, 640, 3), 7, np.uint8)

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def capture():
    capture = StandInCapture()
    yield capture
    capture.unplug()


def test_a_usb_camera_delivers_frames_with_the_drivers_time(capture):
    clock = HandClock()
    capture.deliver(999.9)
    camera = open_v4l2(WEBCAM, clock, capture)
    frame = camera.read()
    assert capture.path == "/dev/video4"
    assert frame.t == pytest.approx(999.9)
    assert (frame.width, frame.height) == (640, 480)
    assert frame.image.shape == (480, 640, 3)
    capture.unplug()
    camera.close()


def test_size_motion_jpeg_and_a_queue_of_one_are_asked_for(capture):
    capture.deliver(1000.0)
    config = CameraConfig(source=Source.V4L2, width=1280, height=720)
    open_v4l2(config, HandClock(), capture)
    assert capture.path == "/dev/video0"
    assert capture.settings[cv2.CAP_PROP_FRAME_WIDTH] == 1280
    assert capture.settings[cv2.CAP_PROP_FRAME_HEIGHT] == 720
    assert capture.settings[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert capture.settings[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")


@pytest.mark.parametrize("stamp", [0.0, 1_700_000_000.0, 900.0])
def test_a_driver_that_stamps_nonsense_is_not_believed(capture, stamp):
    capture.deliver(stamp)
    assert open_v4l2(WEBCAM, HandClock(), capture).read().t == 1000.0


def test_pulling_the_plug_is_an_error_that_names_the_device(capture):
    capture.deliver(1000.0)
    camera = open_v4l2(WEBCAM, HandClock(), capture)
    camera.read()
    capture.unplug()
    with pytest.raises(CameraError, match="/dev/video4: the camera went away; plug it in again"):
        camera.read()
    assert capture.released.wait(LONG)


def test_a_camera_that_goes_silent_is_a_stall(capture):
    capture.deliver(1000.0)
    config = CameraConfig(source=Source.V4L2, path=Path("/dev/video4"), fps=1000.0, stall_s=0.05)
    camera = open_v4l2(config, HandClock(), capture)
    camera.read()
    with pytest.raises(CameraStalled, match="/dev/video4: no frame for"):
        camera.read()


def test_a_jpeg_damaged_on_the_wire_is_passed_over(capture):
    capture.deliver(999.0)
    camera = open_v4l2(WEBCAM, HandClock(), capture)
    camera.read()
    assert capture.idle.wait(LONG)
    capture.idle.clear()
    capture.damaged = True
    capture.deliver(999.2)
    assert capture.idle.wait(LONG)
    capture.damaged = False
    capture.deliver(999.4)
    assert camera.read().t == pytest.approx(999.4)


def test_a_camera_that_is_not_there_is_named():
    config = CameraConfig(source=Source.V4L2, path=Path("/dev/video-of-nobody"))
    with pytest.raises(CameraError, match="/dev/video-of-nobody: no such camera; plug it in"):
        open_camera(config, HandClock())


def test_what_is_no_camera_is_told_apart_from_what_is_not_there(tmp_path):
    path = tmp_path / "video9"
    path.touch()
    with pytest.raises(CameraError, match="cannot be opened as a camera"):
        open_camera(CameraConfig(source=Source.V4L2, path=path), HandClock())


def test_a_camera_that_is_not_allowed_says_which_group(tmp_path, monkeypatch):
    path = tmp_path / "video9"
    path.touch()
    # The tests may run as root, whom no file mode keeps out.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CameraError, match="group video"):
        open_camera(CameraConfig(source=Source.V4L2, path=path), HandClock())
