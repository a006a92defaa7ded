"""Recorded detections for tests: what a detector would have said, without pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_agent.camera.recorded import RecordingWriter
from edge_agent.observations import Detections

FLOOR = [[0.4, 0.5], [0.8, 0.5], [0.8, 1.0], [0.4, 1.0]]


def person(t: float, x: float | None) -> Detections:
    """One person with the feet at (x, 0.8), or nobody."""
    if x is None:
        return Detections(t, np.empty((0, 4)), np.empty(0))
    return Detections(t, np.array([[x - 0.05, 0.4, x + 0.05, 0.8]]), np.array([0.9]))


def visitor(t: float, every: float, stay: float) -> float | None:
    """Where somebody is who comes to the floor every so many seconds and stays a while."""
    phase = t % every
    if phase < 2:
        return 0.2 + 0.1 * phase
    if phase < 2 + stay:
        return 0.4 + 0.2 * (phase - 2) / stay
    if phase < 4 + stay:
        return 0.6 + 0.15 * (phase - 2 - stay)
    return None


def record(
    path: Path, seconds: float, fps: float = 5.0, every: float = 20.0, stay: float = 6.0
) -> Path:
    """A recording of one visitor after another."""
    with RecordingWriter(path, fps, (640, 360)) as writer:
        for i in range(round(seconds * fps) + 1):
            writer.add(person(i / fps, visitor(i / fps, every, stay)))
    return path
