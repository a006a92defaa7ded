"""A live camera: a thread takes every picture, the reader gets the freshest."""

from __future__ import annotations

import logging
from threading import Condition, Event, Thread
from typing import Protocol

from edge_agent.camera.pacing import Grid
from edge_agent.config import CameraConfig
from edge_agent.errors import CameraError, CameraStalled
from edge_agent.observations import Frame
from edge_agent.records import Trouble

_log = logging.getLogger("shelflight.camera")

# A sensor's start (exposure, white balance, Argus' session) takes 1 to 5 s and is no stall.
START_S = 10.0


class Device(Protocol):
    """What a live camera must do; all but `interrupt` is called from one thread only."""

    @property
    def name(self) -> str:
        """What to call it in a message, e.g. /dev/video0."""

    def grab(self) -> float:
        """Wait for the next picture; when it was taken, seconds, monotonic.

        Raises:
            CameraError: there will be none.
        """

    def retrieve(self, t: float) -> Frame | None:
        """The picture just grabbed; None if it came damaged. Skipped for those not analysed."""

    def interrupt(self) -> None:
        """Make a waiting `grab` return or raise soon, if the device can; from any thread."""

    def close(self) -> None:
        """Let go of the device."""


class Freshest:
    """One place for one frame: putting replaces, taking empties."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: Frame | None = None
        self._error: CameraError | None = None

    def put(self, frame: Frame) -> None:
        """Replace what is there."""
        with self._changed:
            self._frame = frame
            self._changed.notify_all()

    def fail(self, error: CameraError) -> None:
        """No frame will come any more; every taker gets the error once the last one is taken."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait for a frame without taking it; False if none came in time.

        Raises:
            CameraError: what `fail` was given.
        """
        with self._changed:
            self._changed.wait_for(self._ready, timeout_s)
            self._raise_if_over()
            return self._frame is not None

    def take(self, timeout_s: float) -> Frame | None:
        """The freshest frame, None if none came in time.

        Raises:
            CameraError: what `fail` was given.
        """
        with self._changed:
            self._changed.wait_for(self._ready, timeout_s)
            self._raise_if_over()
            frame, self._frame = self._frame, None
            return frame

    def _raise_if_over(self) -> None:
        if self._frame is None and self._error is not None:
            raise self._error

    def _ready(self) -> bool:
        return self._frame is not None or self._error is not None


class LiveCamera:
    """A `Camera` over a device.

    Only frames that are analysed are retrieved (decoded, copied); the others are taken from the
    device at once, so that none of its buffers grows old.

    Args:
        device: open, not yet delivering; closed by the thread when it ends.
        config: fps and stall_s are used.
        start_s: how long the first frame may take.

    Raises:
        CameraStalled: no first frame in that time.
        CameraError: the device ended before it.
    """

    def __init__(self, device: Device, config: CameraConfig, start_s: float = START_S) -> None:
        self._device = device
        # Asked for a frame every five seconds, a pause of two is no stall.
        self._stall_s = max(config.stall_s, 2 / config.fps)
        self._slot = Freshest()
        self._stop = Event()
        self._thread = Thread(
            target=self._run, args=(Grid(config.fps),), name="camera", daemon=True
        )
        self._thread.start()
        try:
            came = self._slot.wait(start_s)
        except CameraError:
            self.close()
            raise
        if not came:
            self.close()
            raise CameraStalled(
                f"{device.name}: no first frame within {start_s:g} s; check the cable, and that "
                "no other program uses the camera"
            )

    def read(self) -> Frame:
        """The freshest frame not yet given.

        Raises:
            CameraStalled: none within ``stall_s``.
            CameraError: the device ended.
        """
        frame = self._slot.take(self._stall_s)
        if frame is None:
            raise CameraStalled(
                f"{self._device.name}: no frame for {self._stall_s:g} s; check the cable and the "
                "camera's power"
            )
        return frame

    def close(self) -> None:
        """Stop the thread, which closes the device; a device that hangs is left behind."""
        self._stop.set()
        self._device.interrupt()
        self._thread.join(self._stall_s)
        if self._thread.is_alive():
            _log.warning("%s hangs and could not be closed", self._device.name)

    def troubles(self) -> frozenset[Trouble]:
        """Nothing to tell: a live camera's faults are errors."""
        return frozenset()

    def _run(self, grid: Grid) -> None:
        try:
            while not self._stop.is_set():
                t = self._device.grab()
                frame = self._device.retrieve(t) if grid.due(t) else None
                if frame is not None:
                    self._slot.put(frame)
        except CameraError as error:
            self._slot.fail(error)
        finally:
            self._device.close()
