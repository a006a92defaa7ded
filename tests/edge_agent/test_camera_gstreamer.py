from __future__ import annotations

import gc
import os
import signal
import time
from itertools import pairwise

import cv2
import numpy as np
import pytest

from edge_agent.camera import open_camera
from edge_agent.camera.freshest import LiveCamera
from edge_agent.camera.gstreamer import GstreamerDevice, open_gstreamer
from edge_agent.clock import SystemClock
from edge_agent.config import CameraConfig, Source
from edge_agent.errors import CameraError, CameraStalled
from edge_agent.observations import Frame, Layout

LONG = 20.0


def config(pipeline: str, fps: float = 100.0, stall_s: float = LONG, size=(64, 48)) -> CameraConfig:
    return CameraConfig(
        source=Source.GSTREAMER, pipeline=pipeline, fps=fps, stall_s=stall_s,
        width=size[0], height=size[1],
    )  # fmt: skip


def colour(frame: Frame) -> tuple[int, int, int]:
    """Blue, green and red in the middle of an I420 frame."""
    packed = np.ascontiguousarray(frame.image)
    bgr = cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420)[: frame.height, : frame.width]
    return tuple(int(v) for v in bgr[frame.height // 2, frame.width // 2])


def open_files() -> int:
    """How many files this process holds; what earlier tests dropped is closed first."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def read_on(camera) -> None:
    """Read until the camera says no; a frame or two may still be on their way."""
    for _ in range(10):
        camera.read()


def gone(pid: int) -> bool:
    """Whether a child was ended and reaped: its number is free."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.usefixtures("gst_launch")
@pytest.mark.parametrize("size", [(64, 48), (66, 50), (100, 50), (318, 178), (416, 312)])
@pytest.mark.parametrize(
    ("pattern", "seen"), [("red", (0, 0, 255)), ("green", (0, 255, 0)), ("blue", (255, 0, 0))]
)
def test_real_pictures_have_the_right_colour_at_every_width(pattern, seen, size):
    camera = open_camera(
        config(f"videotestsrc is-live=true pattern={pattern}", size=size), SystemClock()
    )
    frame = camera.read()
    camera.close()
    assert frame is not None
    assert frame.layout is Layout.I420
    assert (frame.width, frame.height) == size
    rows, stride = frame.image.shape
    assert rows == size[1] * 3 // 2
    assert stride >= size[0]
    assert colour(frame) == pytest.approx(seen, abs=6)


@pytest.mark.usefixtures("gst_launch")
def test_frames_come_at_the_analysed_rate_in_monotonic_time():
    start = time.monotonic()
    camera = open_camera(
        config("videotestsrc is-live=true ! video/x-raw,framerate=100/1", fps=20), SystemClock()
    )
    times = [camera.read().t for _ in range(8)]
    camera.close()
    assert start < times[0]
    assert times[-1] <= time.monotonic()
    assert all(b > a for a, b in pairwise(times))
    assert times[-1] - times[0] > 7 / 20 - 0.06


@pytest.mark.usefixtures("gst_launch")
def test_a_frame_stays_as_it_was_while_the_next_ones_come():
    camera = open_camera(
        config("videotestsrc is-live=true pattern=blink ! video/x-raw,framerate=50/1"),
        SystemClock(),
    )
    frames = [camera.read() for _ in range(6)]
    means = {int(frame.image[: frame.height, : frame.width].mean()) for frame in frames}
    camera.close()
    assert all(np.ptp(frame.image[: frame.height, : frame.width]) == 0 for frame in frames)
    assert len(means) == 2


@pytest.mark.usefixtures("gst_launch")
def test_the_end_of_a_stream_is_an_error_that_names_the_pipeline():
    camera = open_camera(config("videotestsrc num-buffers=3"), SystemClock())
    with pytest.raises(CameraError, match=r"'videotestsrc num-buffers=3' ended \(exit 0\)"):
        read_on(camera)
    camera.close()


@pytest.mark.usefixtures("gst_launch")
@pytest.mark.parametrize(
    ("pipeline", "why"),
    [
        ("no-such-element", "no element .*no-such-element"),
        ("filesrc location=/no/such/film", "ERROR: from element .*Resource not found"),
        ("videotestsrc ! video/x-raw,format=NONSENSE", "could not link"),
    ],
)
def test_a_pipeline_that_does_not_run_says_why(pipeline, why):
    with pytest.raises(CameraError, match=why) as raised:
        open_camera(config(pipeline), SystemClock())
    assert "check camera.pipeline" in str(raised.value)


@pytest.mark.usefixtures("gst_launch")
def test_unplugging_is_an_error_and_the_child_is_reaped():
    device = GstreamerDevice(config("videotestsrc is-live=true"), SystemClock())
    camera = LiveCamera(device, config("", fps=1000.0))
    camera.read()
    os.kill(device.pid, signal.SIGKILL)
    with pytest.raises(CameraError, match=r"ended \(exit -9\)"):
        read_on(camera)
    camera.close()
    assert gone(device.pid)


@pytest.mark.usefixtures("gst_launch")
def test_a_stream_that_stops_is_a_stall_and_closing_still_ends_the_child():
    stalling = config("videotestsrc is-live=true", stall_s=0.2)
    device = GstreamerDevice(stalling, SystemClock())
    camera = LiveCamera(device, stalling)
    camera.read()
    os.kill(device.pid, signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(CameraStalled, match=r"no frame for 0\.2 s"):
        read_on(camera)
    assert time.monotonic() - start < 2
    os.kill(device.pid, signal.SIGCONT)
    camera.close()
    assert gone(device.pid)


@pytest.mark.usefixtures("gst_launch")
def test_a_child_that_does_not_listen_is_killed():
    hanging = config("videotestsrc is-live=true")
    device = GstreamerDevice(hanging, SystemClock())
    camera = LiveCamera(device, hanging)
    os.kill(device.pid, signal.SIGSTOP)
    camera.close()
    assert gone(device.pid)


@pytest.mark.usefixtures("gst_launch")
def test_a_pipeline_that_never_delivers_does_not_open():
    with pytest.raises(CameraStalled, match=r"no first frame within 0\.5 s"):
        open_gstreamer(
            config("videotestsrc is-live=true ! valve drop=true"), SystemClock(), start_s=0.5
        )


@pytest.mark.usefixtures("gst_launch")
def test_closing_leaves_no_child_and_no_open_file():
    before = open_files()
    device = GstreamerDevice(config("videotestsrc is-live=true"), SystemClock())
    camera = LiveCamera(device, config(""))
    camera.read()
    camera.close()
    camera.close()
    assert gone(device.pid)
    assert open_files() == before


@pytest.mark.usefixtures("gst_launch")
def test_without_a_pipeline_jetsons_camera_is_asked():
    with pytest.raises(CameraError, match="nvarguscamerasrc"):
        open_camera(CameraConfig(source=Source.GSTREAMER), SystemClock())


def test_without_gstreamer_the_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    before = open_files()
    with pytest.raises(CameraError, match=r"gst-launch-1\.0 does not start .*`apt-get install"):
        open_camera(config("videotestsrc"), SystemClock())
    assert open_files() == before


def test_odd_sides_are_refused_with_the_key():
    with pytest.raises(CameraError, match=r"camera\.width, camera\.height: I420 has even sides"):
        open_camera(config("videotestsrc", size=(65, 48)), SystemClock())


def test_a_quote_left_open_is_refused_with_the_key():
    with pytest.raises(CameraError, match=r"camera\.pipeline .*No closing quotation"):
        open_camera(config("filesrc location='a.mp4"), SystemClock())
