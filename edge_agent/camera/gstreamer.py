"""Any camera that GStreamer knows, through a child process: OpenCV's wheels have no GStreamer.

The site file gives the source elements, `gst-launch-1.0` runs them and writes raw pictures to a
pipe. So a vendor's plugin that crashes takes the child with it and not the counting.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections import deque
from io import FileIO
from threading import Thread
from typing import IO

import numpy as np

from edge_agent.camera.freshest import START_S, LiveCamera
from edge_agent.camera.planes import I420
from edge_agent.clock import Clock
from edge_agent.config import CameraConfig
from edge_agent.errors import CameraError
from edge_agent.observations import Frame, Layout

_LAUNCHER = "gst-launch-1.0"
# Jetson's ribbon camera: Argus delivers to GPU memory, nvvidconv scales and brings it out.
_DEFAULT_PIPELINE = "nvarguscamerasrc ! video/x-raw(memory:NVMM),framerate=30/1 ! nvvidconv"
_DEFAULT_SIZE = (640, 480)
# Argus' daemon is left unusable by a client that is killed outright: it is asked first.
_GRACE_S = 2.0
_STDERR_LINES = 50


def open_gstreamer(config: CameraConfig, clock: Clock, start_s: float = START_S) -> LiveCamera:
    """Start a GStreamer pipeline; frames are I420.

    Args:
        config: pipeline (default Jetson's ribbon camera), width and height (default 640 x 480,
            even; another aspect than the camera's gets black borders), fps, stall_s.
        clock: stamps a frame when its first bytes come.
        start_s: how long the first frame may take.

    Raises:
        CameraError: no GStreamer, a wrong pipeline, or no first frame.
    """
    return LiveCamera(GstreamerDevice(config, clock), config, start_s)


class GstreamerDevice:
    """A `freshest.Device` over a child process.

    Attributes:
        pid: the child's.
    """

    def __init__(self, config: CameraConfig, clock: Clock) -> None:
        size = (config.width or _DEFAULT_SIZE[0], config.height or _DEFAULT_SIZE[1])
        try:
            self._layout = I420(*size)
        except ValueError as error:
            raise CameraError(f"camera.width, camera.height: {error}") from None
        pipeline = config.pipeline or _DEFAULT_PIPELINE
        self.name = f"GStreamer {pipeline!r}"
        self._clock = clock
        self._process, self._pipe = _launch(pipeline, size)
        self.pid = self._process.pid
        self._buffer = np.empty(self._layout.size, np.uint8)
        self._said: deque[str] = deque(maxlen=_STDERR_LINES)
        assert self._process.stderr is not None
        self._listener = Thread(
            target=_listen, args=(self._process.stderr, self._said), name="gst-stderr", daemon=True
        )
        self._listener.start()

    def grab(self) -> float:
        """Read the next picture; the time at which its first bytes came."""
        view = self._buffer.data
        t, filled = 0.0, 0
        while filled < len(view):
            count = self._pipe.readinto(view[filled:])
            if not count:
                raise CameraError(self._last_words())
            if filled == 0:
                t = self._clock.monotonic()
            filled += count
        return t

    def retrieve(self, t: float) -> Frame:
        """The picture just read; the next one goes to a buffer of its own."""
        image = self._layout.image(self._buffer)
        self._buffer = np.empty(self._layout.size, np.uint8)
        return Frame(image, t, self._layout.width, self._layout.height, Layout.I420)

    def interrupt(self) -> None:
        """End the child: asked first, killed if it does not go. `grab` then sees the end."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End and reap the child, close the pipes."""
        self.interrupt()
        self._listener.join()
        self._pipe.close()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _last_words(self) -> str:
        # Its end of the pipe is closed: it is ending, or hangs while it does.
        self.interrupt()
        self._listener.join()
        errors = [line for line in self._said if line.startswith(("ERROR", "WARNING: erroneous"))]
        said = (errors or list(self._said) or ["it said nothing"])[0 if errors else -1]
        return (
            f"{self.name} ended (exit {self._process.returncode}): {said}; run it by hand with "
            f"`{_LAUNCHER} … ! fakesink`, and check camera.pipeline and the cable"
        )


def _launch(pipeline: str, size: tuple[int, int]) -> tuple[subprocess.Popen[str], FileIO]:
    try:
        elements = shlex.split(pipeline)
    except ValueError as error:
        raise CameraError(f"camera.pipeline {pipeline!r}: {error}") from None
    ours, theirs = os.pipe()
    sink = f"! videoconvert ! videoscale ! {_caps(size)} ! fdsink fd={theirs} sync=false"
    try:
        process = subprocess.Popen(
            [_LAUNCHER, "-q", "--no-fault", *elements, *sink.split()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=(theirs,),
            # Ctrl-C is for this process, which then ends the child in order.
            process_group=0,
        )
    except OSError as error:
        os.close(ours)
        raise CameraError(
            f"{_LAUNCHER} does not start ({error.strerror}): `apt-get install gstreamer1.0-tools "
            "gstreamer1.0-plugins-base gstreamer1.0-plugins-good`"
        ) from None
    finally:
        os.close(theirs)
    return process, open(ours, "rb", buffering=0)


def _caps(size: tuple[int, int]) -> str:
    return f"video/x-raw,format=I420,width={size[0]},height={size[1]},pixel-aspect-ratio=1/1"


def _listen(stream: IO[str], said: deque[str]) -> None:
    said.extend(line.strip() for line in stream if line.strip())
