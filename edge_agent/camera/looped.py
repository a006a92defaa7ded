"""A clip played again and again, for a demo that goes on: time runs on across the seam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge_agent.camera.file import FileCamera
from edge_agent.observations import Frame
from edge_agent.records import Trouble


class LoopedCamera:
    """A `Camera` that never ends.

    Args:
        open_clip: opens the clip at its start.
        interval_s: between the last frame of one round and the first of the next.
    """

    def __init__(self, open_clip: Callable[[], FileCamera], interval_s: float) -> None:
        self._open = open_clip
        self._interval_s = interval_s
        self._clip = open_clip()
        self._begins = 0.0
        self._last = 0.0
        self._troubles: frozenset[Trouble] = frozenset()
        self._closed = False

    def read(self) -> Frame | None:
        """The next due frame; None only once closed, or where a round holds no frame."""
        frame = self._clip.read()
        if frame is None and not self._closed:
            self._rewind()
            frame = self._clip.read()
        if frame is None:
            return None
        self._last = self._begins + frame.t
        return replace(frame, t=self._last)

    def close(self) -> None:
        """Close the clip."""
        self._closed = True
        self._clip.close()

    def troubles(self) -> frozenset[Trouble]:
        """Those of all rounds so far."""
        return self._troubles | self._clip.troubles()

    def _rewind(self) -> None:
        self._troubles = self.troubles()
        self._clip.close()
        self._begins = self._last + self._interval_s
        self._clip = self._open()
