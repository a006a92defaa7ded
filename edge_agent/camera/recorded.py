"""What a detector said, without pixels: for tests, soak runs and replays.

JSON lines. The first is ``{"v":1,"fps":F,"size":[W,H]}``, then one for each analysed frame,
``{"t":SECONDS,"boxes":[[x0,y0,x1,y1,score],…]}``: corners as fractions of the frame, times growing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.camera.pacing import Grid, Pace
from edge_agent.clock import Clock
from edge_agent.config import CameraConfig
from edge_agent.errors import ClipError
from edge_agent.observations import Detections
from edge_agent.records import Trouble

VERSION = 1
# 1e-6 of a frame is far below a pixel; 1e-6 s below any camera's clock.
_DIGITS = 6


class RecordedDetections:
    """Reads a recording as `Camera` reads frames, thinned out to the analysed rate.

    Attributes:
        fps: analysed frames a second of the recording.
        size: width and height in pixels of the frames that the detector saw.
    """

    def __init__(self, path: Path, fps: float, clock: Clock, pace: float) -> None:
        self._path = path
        # Read line by line: a soak run's recording may be large.
        self._file = path.open(encoding="utf-8", errors="replace")
        self._number = 0
        try:
            self.fps, self.size = self._header()
        except ClipError:
            self._file.close()
            raise
        self._grid = Grid(fps, 1 / self.fps)
        self._pace = Pace(clock, pace)
        self._last = float("-inf")

    def read(self) -> Detections | None:
        """The next row when its time has come, None at the end; none is left out for lateness.

        Raises:
            ClipError: a line is broken.
        """
        while not self._file.closed and (line := self._file.readline()):
            detections = self._row(line)
            if self._grid.due(detections.t):
                self._pace.wait(detections.t)
                return detections
        return None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def troubles(self) -> frozenset[Trouble]:
        """Nothing to tell: a recording that is not sound is refused."""
        return frozenset()

    def _header(self) -> tuple[float, tuple[int, int]]:
        known = self._object(self._file.readline(), {"v", "fps", "size"})
        if known["v"] != VERSION:
            raise self._broken(f"version {known['v']!r}, this reads {VERSION}")
        try:
            fps, (width, height) = float(known["fps"]), known["size"]
            if fps > 0 and min(int(width), int(height)) > 0:
                return fps, (int(width), int(height))
        except (TypeError, ValueError):
            pass
        raise self._broken(f"fps {known['fps']!r}, size {known['size']!r}: all must be above 0")

    def _row(self, line: str) -> Detections:
        known = self._object(line, {"t", "boxes"})
        t = known["t"]
        if not isinstance(t, int | float) or not self._last < t < float("inf"):
            raise self._broken(f"t {t!r} does not come after {self._last:g}")
        self._last = t
        try:
            rows = np.array(known["boxes"], np.float64).reshape(-1, 5)
        except (TypeError, ValueError):
            raise self._broken("boxes is no list of [x0, y0, x1, y1, score]") from None
        ordered = (rows[:, 0] <= rows[:, 2]) & (rows[:, 1] <= rows[:, 3])
        if not (ordered.all() and ((rows >= 0) & (rows <= 1)).all()):
            raise self._broken("a box is not x0 <= x1, y0 <= y1 and all of it within 0..1")
        return Detections(float(t), np.ascontiguousarray(rows[:, :4]), rows[:, 4].copy())

    def _object(self, line: str, keys: set[str]) -> dict[str, Any]:
        self._number += 1
        try:
            known = json.loads(line)
        except ValueError:
            raise self._broken("not JSON (was the recording cut off?)") from None
        if not isinstance(known, dict) or set(known) != keys:
            raise self._broken(f"not an object of {', '.join(sorted(keys))}")
        return known

    def _broken(self, why: str) -> ClipError:
        return ClipError(f"{self._path}, line {self._number}: {why}; record it again")


def open_recording(config: CameraConfig, clock: Clock) -> RecordedDetections:
    """Open a recording of detections.

    Args:
        config: path, fps and pace are used.
        clock: paces it.

    Raises:
        ClipError: missing, or its first line is broken.
    """
    path = config.path
    if path is None or not path.is_file():
        raise ClipError(f"{path or 'camera.path'}: no such recording of detections")
    return RecordedDetections(path, config.fps, clock, config.pace)


class RecordingWriter:
    """Writes a recording; keypoints are left out. A context manager.

    Args:
        path: written anew.
        fps: analysed frames a second.
        size: width and height of the frames in pixels.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._write({"v": VERSION, "fps": fps, "size": list(size)})

    def add(self, detections: Detections) -> None:
        """Write one analysed frame, also one without people."""
        rows = np.column_stack([detections.boxes.reshape(-1, 4), detections.scores])
        self._write({"t": round(detections.t, _DIGITS), "boxes": rows.round(_DIGITS).tolist()})

    def close(self) -> None:
        """Flush and close."""
        self._file.close()

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
