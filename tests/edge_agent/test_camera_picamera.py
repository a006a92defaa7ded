"""Against a stand-in of picamera2 with the real one's calls and buffer layout (0.3.38)."""

from __future__ import annotations

import sys
import types
from concurrent.futures import CancelledError, Future

import numpy as np
import pytest
from camera_stand_ins import HandClock

from edge_agent.camera import open_camera
from edge_agent.camera.picamera import PiCamera, fit
from edge_agent.config import CameraConfig, Source
from edge_agent.errors import CameraError, CameraStalled
from edge_agent.observations import Layout

PI = CameraConfig(source=Source.PICAMERA2, fps=5.0, stall_s=2.0)
RELEASED = 0xEE
# Camera Module 3: two modes see all, one the middle; the third is for stills.
IMX708 = [
    {"size": (1536, 864), "bit_depth": 10, "fps": 120.1, "crop_limits": (768, 432, 3072, 1728)},
    {"size": (2304, 1296), "bit_depth": 10, "fps": 56.0, "crop_limits": (0, 0, 4608, 2592)},
    {"size": (4608, 2592), "bit_depth": 10, "fps": 14.3, "crop_limits": (0, 0, 4608, 2592)},
]


class StandInJob:
    def __init__(self) -> None:
        self.future: Future[StandInRequest] = Future()


class StandInRequest:
    """A completed request: buffers go back to the camera, and are overwritten, on release."""

    def __init__(self, camera: StandInPicamera2, number: int) -> None:
        self.camera = camera
        self.number = number
        lores = camera.config["lores"]
        width, height = lores["size"]
        stride = lores["stride"]
        self.buffer = np.full(camera.frame_size, 0xAA, np.uint8)
        rows = self.buffer[: height * stride].reshape(height, stride)
        rows[:, :width] = 16 + number % 200
        rows[:, width:] = 0xDD
        self.held = True

    def get_metadata(self) -> dict[str, int]:
        assert self.held
        return {"SensorTimestamp": int(self.camera.sensor_time(self.number) * 1e9)}

    def release(self) -> None:
        assert self.held, "released twice"
        self.held = False
        self.camera.out -= 1
        self.buffer[:] = RELEASED


class StandInMappedArray:
    """Maps the buffer without a copy; only while the request is held."""

    def __init__(self, request, stream, reshape=True, write=True) -> None:
        assert (stream, reshape, write) == ("lores", False, False)
        self.request = request

    def __enter__(self):
        assert self.request.held
        self.array = self.request.buffer
        return self

    def __exit__(self, *_) -> None:
        assert self.request.held, "unmapped after the buffer went back"
        del self.array


class StandInPicamera2:
    sensor_modes = IMX708
    sensor_resolution = (4608, 2592)
    adjusted: tuple[int, int] | None = None
    fps = 30.0

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.number = -1
        self.out = 0
        self.silent = False
        self.broken: str | None = None
        self.jobs: list[StandInJob] = []

    def sensor_time(self, number: int) -> float:
        return 5000.0 + number / self.fps

    def create_video_configuration(self, main, lores, raw, sensor, buffer_count, display, encode):
        assert raw is None
        assert display is None
        assert encode is None
        assert all(a <= b for a, b in zip(lores["size"], main["size"], strict=True))
        assert all(side % 2 == 0 for side in lores["size"])
        self.buffers = buffer_count
        return {"main": dict(main), "lores": dict(lores), "sensor": sensor}

    def configure(self, config) -> None:
        self.config = config
        lores = config["lores"]
        lores["size"] = self.adjusted or lores["size"]
        lores["stride"] = -(-lores["size"][0] // 64) * 64
        # Memory comes in pages of 4096.
        self.frame_size = -(-lores["stride"] * lores["size"][1] * 3 // 2 // 4096) * 4096

    def camera_configuration(self):
        return self.config

    def start(self) -> None:
        self.calls.append("start")

    def capture_request(self, wait):
        assert wait is False
        job = StandInJob()
        self.jobs.append(job)
        if not self.silent:
            self.deliver()
        return job

    def deliver(self) -> None:
        """The sensor's next picture answers the oldest job."""
        job = self.jobs.pop(0)
        if self.broken:
            job.future.set_exception(RuntimeError(self.broken))
            return
        assert self.out < self.buffers - 2, "the camera has no buffer left to fill"
        self.out += 1
        self.number += 1
        job.future.set_result(StandInRequest(self, self.number))

    def wait(self, job, timeout):
        # What takes seconds on a Pi takes none here.
        self.waited = timeout
        return job.future.result(timeout=0)

    def cancel_all_and_flush(self) -> None:
        self.calls.append("cancel")
        for job in self.jobs:
            job.future.set_exception(CancelledError())

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def pi(monkeypatch):
    """The stand-in module; `module.camera` is the one that was opened."""
    module = types.ModuleType("picamera2")

    class Opened(StandInPicamera2):
        def __init__(self) -> None:
            super().__init__()
            module.camera = self
            module.prepare(self)

    module.prepare = lambda _: None
    module.Picamera2 = Opened
    module.MappedArray = StandInMappedArray
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return module


def test_lores_comes_at_the_models_size_in_the_sensors_aspect(pi):
    camera = open_camera(PI, HandClock(), (416, 416))
    assert pi.camera.config["lores"] == {
        "size": (416, 234), "format": "YUV420", "stride": 448,
    }  # fmt: skip
    assert pi.camera.config["main"]["size"] == (416, 234)
    frame = camera.read()
    assert frame is not None
    assert (frame.width, frame.height, frame.layout) == (416, 234, Layout.I420)


def test_the_mode_is_the_one_that_sees_all_and_not_the_one_nearest_in_size(pi):
    PiCamera(PI, (416, 416))
    assert pi.camera.config["sensor"] == {"output_size": (2304, 1296), "bit_depth": 10}


def test_rows_keep_the_cameras_stride_and_nothing_is_copied(pi):
    camera = PiCamera(PI, (416, 416))
    frame = camera.read()
    assert frame.image.shape == (351, 448)
    assert (frame.image[:234, :416] == 16 + pi.camera.number).all()
    assert (frame.image[:234, 416:] == 0xDD).all()
    assert frame.image.base is not None
    assert not frame.image.flags["OWNDATA"]


def test_a_frame_holds_its_buffer_until_the_next_is_read(pi):
    camera = PiCamera(PI, (416, 416))
    frame = camera.read()
    assert pi.camera.out == 1
    assert frame.image[0, 0] != RELEASED
    camera.read()
    assert frame.image[0, 0] == RELEASED
    assert pi.camera.out == 1


@pytest.mark.usefixtures("pi")
def test_time_is_the_sensors_and_frames_come_at_the_analysed_rate():
    camera = PiCamera(PI)
    times = [camera.read().t for _ in range(6)]
    # The first picture of all shows that the camera runs and is not given out.
    assert times == pytest.approx([5000 + 1 / 30 + n / 5 for n in range(6)])


def test_what_libcamera_made_of_the_size_is_what_counts(pi):
    pi.Picamera2.adjusted = (384, 216)
    frame = PiCamera(PI, (416, 416)).read()
    assert (frame.width, frame.height) == (384, 216)
    assert frame.image.shape == (324, 384)


@pytest.mark.usefixtures("pi")
def test_a_site_file_may_ask_for_another_size():
    config = CameraConfig(source=Source.PICAMERA2, width=320, height=320)
    frame = PiCamera(config, (416, 416)).read()
    assert (frame.width, frame.height) == (320, 180)


def test_a_sensor_that_lists_no_modes_uses_its_resolution(pi):
    pi.Picamera2.sensor_modes = [{"format": "MJPEG"}]
    pi.Picamera2.sensor_resolution = (3280, 2464)
    frame = PiCamera(PI, (416, 416)).read()
    assert (frame.width, frame.height) == (416, 312)
    assert pi.camera.config["sensor"] == {}


def test_silence_is_a_stall_and_the_frame_that_comes_late_is_not_lost(pi):
    camera = PiCamera(PI)
    camera.read()
    pi.camera.silent = True
    for _ in range(3):
        with pytest.raises(CameraStalled, match="no frame for 2 s; check the ribbon"):
            camera.read()
    assert pi.camera.waited == 2.0
    assert len(pi.camera.jobs) == 1
    pi.camera.silent = False
    pi.camera.number += 10
    pi.camera.deliver()
    assert camera.read().t > 5000.3
    assert pi.camera.out == 1


def test_a_camera_that_breaks_off_says_so(pi):
    camera = PiCamera(PI)
    pi.camera.broken = "Camera frontend has timed out"
    with pytest.raises(CameraError, match=r"broke off .Camera frontend has timed out"):
        camera.read()
    assert pi.camera.out == 0


def test_closing_gives_every_buffer_back(pi):
    camera = PiCamera(PI)
    camera.read()
    camera.close()
    camera.close()
    assert pi.camera.out == 0
    assert pi.camera.calls == ["start", "stop", "close"]


def test_closing_while_a_frame_is_awaited_cancels_it_first(pi):
    camera = PiCamera(PI)
    pi.camera.silent = True
    with pytest.raises(CameraStalled):
        camera.read()
    camera.close()
    assert pi.camera.calls == ["start", "cancel", "stop", "close"]


def test_a_camera_without_a_first_frame_is_closed_again(pi):
    pi.prepare = lambda camera: setattr(camera, "silent", True)
    with pytest.raises(CameraStalled, match="no frame for 10 s"):
        PiCamera(PI)
    assert pi.camera.calls == ["start", "cancel", "stop", "close"]


@pytest.mark.parametrize("error", [RuntimeError("Camera(s) not found"), IndexError("list index")])
def test_no_camera_names_the_next_step(pi, error):
    def fail(_):
        raise error

    pi.prepare = fail
    with pytest.raises(CameraError, match=r"no ribbon camera .*`rpicam-hello --list-cameras"):
        PiCamera(PI)


def test_without_picamera2_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError, match="apt-get install python3-picamera2"):
        open_camera(PI, HandClock())


@pytest.mark.parametrize(
    ("box", "aspect", "size"),
    [
        ((416, 416), 4 / 3, (416, 312)),
        ((416, 416), 3 / 4, (312, 416)),
        ((192, 192), 16 / 9, (192, 108)),
        ((641, 481), 3280 / 2464, (640, 480)),
        ((3, 3), 100.0, (2, 2)),
    ],
)
def test_the_size_fits_its_box_and_is_even(box, aspect, size):
    assert fit(box, aspect) == size
