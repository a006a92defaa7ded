from __future__ import annotations

import queue
from threading import Event

import numpy as np
import pytest

from edge_agent.camera.freshest import Freshest, LiveCamera
from edge_agent.config import CameraConfig
from edge_agent.errors import CameraError, CameraStalled
from edge_agent.observations import Frame

LONG = 20.0  # a wait that ends early in every test that passes


def frame_at(t: float) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), t, 2, 2)


class HandFed:
    """A device that delivers what a test puts into it: a time, or the error that ends it."""

    name = "/dev/by-hand"

    def __init__(self, *times: float, damaged: tuple[float, ...] = ()) -> None:
        self.feed: queue.Queue[float | CameraError] = queue.Queue()
        self.damaged = damaged
        self.retrieved: list[float] = []
        self.idle = Event()
        self.closed = Event()
        for t in times:
            self.feed.put(t)

    def grab(self) -> float:
        if self.feed.empty():
            self.idle.set()
        item = self.feed.get()
        if isinstance(item, CameraError):
            raise item
        self.idle.clear()
        return item

    def retrieve(self, t: float) -> Frame | None:
        self.retrieved.append(t)
        return None if t in self.damaged else frame_at(t)

    def interrupt(self) -> None:
        self.feed.put(CameraError("interrupted"))

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def started():
    cameras = []

    def start(device, fps=5.0, stall_s=LONG, start_s=LONG):
        cameras.append(LiveCamera(device, CameraConfig(fps=fps, stall_s=stall_s), start_s))
        return cameras[-1]

    yield start
    for camera in cameras:
        camera.close()


def test_the_reader_gets_the_freshest_frame_and_never_one_twice(started):
    device = HandFed(0.0, 0.2, 0.4, 0.6)
    camera = started(device)
    assert device.idle.wait(LONG)
    assert camera.read().t == 0.6
    device.feed.put(0.8)
    assert camera.read().t == 0.8


def test_only_frames_that_are_analysed_are_decoded(started):
    device = HandFed(*(number / 30 for number in range(31)))
    started(device)
    assert device.idle.wait(LONG)
    assert device.retrieved == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_reader_waits_for_a_frame_that_is_on_its_way(started):
    device = HandFed(0.0)
    camera = started(device)
    camera.read()
    assert device.idle.wait(LONG)
    device.feed.put(0.2)
    assert camera.read().t == 0.2


def test_no_frame_in_time_is_a_stall_and_the_camera_may_come_back(started):
    device = HandFed(0.0)
    camera = started(device, fps=1000.0, stall_s=0.05)
    camera.read()
    with pytest.raises(CameraStalled, match=r"/dev/by-hand: no frame for 0\.05 s; check the cable"):
        camera.read()
    device.feed.put(0.2)
    device.idle.wait(LONG)
    device.feed.put(0.4)
    device.idle.wait(LONG)
    assert camera.read().t in (0.2, 0.4)


def test_a_slow_rate_is_no_stall():
    device = HandFed(0.0)
    camera = LiveCamera(device, CameraConfig(fps=0.1, stall_s=2.0))
    assert camera._stall_s == 20
    camera.close()


def test_the_end_of_a_device_is_told_after_its_last_frame_and_ever_after(started):
    device = HandFed(0.0, 0.2)
    camera = started(device)
    assert device.idle.wait(LONG)
    device.feed.put(CameraError("/dev/by-hand: it went away"))
    assert device.closed.wait(LONG)
    assert camera.read().t == 0.2
    for _ in range(2):
        with pytest.raises(CameraError, match="went away"):
            camera.read()


def test_a_device_that_ends_before_its_first_frame_does_not_open():
    device = HandFed()
    device.feed.put(CameraError("no such pipeline"))
    with pytest.raises(CameraError, match="no such pipeline"):
        LiveCamera(device, CameraConfig())
    assert device.closed.is_set()


def test_a_device_without_a_first_frame_does_not_open_and_is_closed():
    device = HandFed()
    with pytest.raises(CameraStalled, match="no first frame within"):
        LiveCamera(device, CameraConfig(), start_s=0.05)
    assert device.closed.wait(LONG)


def test_a_damaged_picture_is_passed_over(started):
    device = HandFed(0.0, 0.2, 0.4, damaged=(0.4,))
    camera = started(device)
    assert device.idle.wait(LONG)
    assert camera.read().t == 0.2


def test_a_clock_that_runs_back_gives_no_frame_older_than_the_last(started):
    device = HandFed(10.0, 10.2, 3.0, 3.2)
    camera = started(device)
    assert device.idle.wait(LONG)
    assert camera.read().t == 10.2
    assert device.retrieved == [10.0, 10.2]


def test_closing_ends_thread_and_device_and_may_be_repeated():
    device = HandFed(0.0)
    camera = LiveCamera(device, CameraConfig())
    camera.close()
    camera.close()
    assert device.closed.is_set()
    assert not camera._thread.is_alive()


def test_a_device_that_hangs_is_left_behind_with_a_word(caplog):
    class Hanging(HandFed):
        def interrupt(self) -> None:
            pass

    device = Hanging(0.0)
    camera = LiveCamera(device, CameraConfig(fps=1000.0, stall_s=0.05))
    camera.close()
    assert "/dev/by-hand hangs" in caplog.text
    device.feed.put(CameraError("let go"))
    assert device.closed.wait(LONG)


def test_the_slot_gives_none_when_nothing_comes():
    slot = Freshest()
    assert slot.take(0.01) is None
    slot.put(frame_at(1.0))
    assert slot.wait(LONG)
    taken = slot.take(LONG)
    assert taken is not None
    assert taken.t == 1.0
    assert slot.take(0.01) is None
