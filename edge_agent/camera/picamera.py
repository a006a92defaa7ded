"""The Raspberry Pi's ribbon camera: its `lores` stream, already at the model's size.

The image processor scales and converts; the main stream is configured as small as the rules allow
(not smaller than lores) and never mapped. A frame is a view of the camera's own buffer: nothing is
copied, and the buffer goes back when the next frame is asked for. Whoever keeps the last frame
past `close` keeps the camera's memory mapped.

Written against picamera2 0.3.25 to 0.3.38 (`picamera2.py`, `request.py`, `job.py`).
"""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.camera.freshest import START_S
from edge_agent.camera.pacing import Grid
from edge_agent.config import CameraConfig
from edge_agent.errors import CameraError, CameraStalled
from edge_agent.observations import Frame, Layout
from edge_agent.records import Trouble

# The box that lores is fitted into when neither model nor site file says.
_DEFAULT_SIZE = (640, 480)
# One held by the reader, one kept ready by picamera2, two in the camera's hands.
_BUFFERS = 4
# A sensor mode slower than this is for stills.
_VIDEO_FPS = 10.0
_NEXT_STEP = "check the ribbon at both ends (power off first), then `rpicam-hello --list-cameras`"


class PiCamera:
    """A `Camera` over picamera2; frames are I420 with the camera's own row stride.

    ``Frame.image`` is uint8 [height * 3 / 2, stride], stride >= width: rows of Y, then the planes
    U and V of height / 2 rows of stride / 2 bytes each, packed one after the other.

    Args:
        config: width, height, fps and stall_s.
        model_size: the box in pixels that the picture is fitted into, in the sensor's aspect.
        start_s: how long the first frame may take.

    Raises:
        CameraError: no picamera2, no camera, or no first frame.
    """

    def __init__(
        self,
        config: CameraConfig,
        model_size: tuple[int, int] | None = None,
        start_s: float = START_S,
    ) -> None:
        self._grid = Grid(config.fps)
        self._stall_s = max(config.stall_s, 2 / config.fps)
        self._job: Any = None
        self._held = ExitStack()
        self._closed = False
        self._module = _picamera2()
        try:
            self._camera = self._module.Picamera2()
        except (RuntimeError, IndexError) as error:
            raise CameraError(f"no ribbon camera ({error}): {_NEXT_STEP}") from error
        try:
            self._start(config, model_size or _DEFAULT_SIZE)
            self._request(start_s).release()
        except (RuntimeError, OSError) as error:
            self.close()
            raise CameraError(f"ribbon camera does not start ({error}): {_NEXT_STEP}") from error
        except CameraError:
            self.close()
            raise

    def read(self) -> Frame:
        """The freshest frame; it is valid until the next `read` or `close`.

        Raises:
            CameraStalled: none within ``stall_s``.
            CameraError: picamera2 gave up.
        """
        self._held.close()
        while True:
            request = self._request(self._stall_s)
            with ExitStack() as holding:
                holding.callback(request.release)
                # CLOCK_BOOTTIME by libcamera's documents: CLOCK_MONOTONIC on a unit, which
                # never sleeps.
                t = request.get_metadata()["SensorTimestamp"] / 1e9
                if self._grid.due(t):
                    image = holding.enter_context(
                        self._module.MappedArray(request, "lores", reshape=False, write=False)
                    ).array
                    frame = Frame(self._rows(image), t, self._width, self._height, Layout.I420)
                    self._held = holding.pop_all()
                    return frame

    def close(self) -> None:
        """Give the buffer back and close the camera."""
        if self._closed:
            return
        self._closed = True
        self._held.close()
        if self._job is not None:
            # Picamera2's own way out when a capture never came.
            self._camera.cancel_all_and_flush()
        self._camera.stop()
        self._camera.close()

    def troubles(self) -> frozenset[Trouble]:
        """Nothing to tell: a live camera's faults are errors."""
        return frozenset()

    def _start(self, config: CameraConfig, box: tuple[int, int]) -> None:
        mode = _widest_mode(self._camera.sensor_modes, config.fps)
        aspect = _aspect(mode, self._camera.sensor_resolution)
        size = fit((config.width or box[0], config.height or box[1]), aspect)
        self._camera.configure(
            self._camera.create_video_configuration(
                main={"size": size, "format": "YUV420"},
                lores={"size": size, "format": "YUV420"},
                raw=None,
                sensor={"output_size": mode["size"], "bit_depth": mode["bit_depth"]}
                if mode
                else {},
                buffer_count=_BUFFERS,
                display=None,
                encode=None,
            )
        )
        # libcamera may have changed what was asked; what it says now is what comes.
        lores = self._camera.camera_configuration()["lores"]
        self._width, self._height = lores["size"]
        self._stride = lores["stride"]
        self._camera.start()

    def _request(self, timeout_s: float) -> Any:
        # A job that is given up stays in picamera2's queue and would later take a buffer that
        # nobody gives back: one that timed out is waited for again instead.
        if self._job is None:
            self._job = self._camera.capture_request(wait=False)
        try:
            request = self._camera.wait(self._job, timeout=timeout_s)
        except TimeoutError:
            raise CameraStalled(
                f"ribbon camera: no frame for {timeout_s:g} s; {_NEXT_STEP}"
            ) from None
        except RuntimeError as error:
            self._job = None
            raise CameraError(f"ribbon camera broke off ({error}); {_NEXT_STEP}") from error
        self._job = None
        return request

    def _rows(self, buffer: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rows = self._height * 3 // 2
        # The buffer may be longer: memory comes in pages.
        return buffer[: rows * self._stride].reshape(rows, self._stride)


def fit(box: tuple[int, int], aspect: float) -> tuple[int, int]:
    """The largest even size of an aspect (width / height) inside a box.

    >>> fit((416, 416), 4 / 3)
    (416, 312)
    """
    width = min(float(box[0]), box[1] * aspect)
    return max(2, int(width / 2) * 2), max(2, int(width / aspect / 2) * 2)


def _picamera2() -> Any:
    try:
        return importlib.import_module("picamera2")
    except ImportError as error:
        raise CameraError(
            f"picamera2 is not usable ({error}): on Raspberry Pi OS `apt-get install "
            "python3-picamera2`, elsewhere choose camera.source v4l2"
        ) from error


def _widest_mode(modes: list[dict[str, Any]], fps: float) -> dict[str, Any] | None:
    """The sensor mode that sees most; of those the smallest that is fast enough.

    Left alone, libcamera takes the mode next to the main stream's size, and the small modes of
    most sensors see only the middle of the picture.
    """
    known = [m for m in modes if "crop_limits" in m and m["fps"] >= max(fps, _VIDEO_FPS)]
    if not known:
        return None
    return max(known, key=lambda m: (_area(m["crop_limits"][2:]), -_area(m["size"])))


def _aspect(mode: dict[str, Any] | None, sensor: tuple[int, int]) -> float:
    width, height = mode["crop_limits"][2:] if mode else sensor
    return float(width) / float(height)


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]
