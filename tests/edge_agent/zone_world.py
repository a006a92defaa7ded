"""One person after another on a drawn floor, as tracks."""

from __future__ import annotations

import numpy as np

from edge_agent.config import Zone
from edge_agent.geometry import Polygon
from edge_agent.observations import Tracks, Visit
from edge_agent.zones import Floors

FLOOR = Polygon(((0.4, 0.5), (0.8, 0.5), (0.8, 1.0), (0.4, 1.0)))
TABLE = Zone("table", floor=FLOOR)


def tracks(t: float, *people: tuple[int, float]) -> Tracks:
    """People (id, x of the feet) of one frame, each 0.1 wide and 0.4 high, feet at 0.8."""
    n = len(people)
    boxes = np.array([(x - 0.05, 0.4, x + 0.05, 0.8) for _, x in people]).reshape(n, 4)
    ids = np.array([identity for identity, _ in people], np.int64)
    return Tracks(t, ids, boxes, np.ones(n), np.ones(n, bool))


def play(floors: Floors, frames) -> list[Visit]:
    visits = []
    for frame in frames:
        visits += floors.update(frame)
    return visits + floors.finish()


def walk(x, start, end, fps=5.0, identity=1, seen=lambda _: True):
    """Frames of one person at x(t) from start to end seconds."""
    times = np.arange(round(start * fps), round(end * fps) + 1) / fps
    return [tracks(t, *([(identity, x(t))] if seen(t) else [])) for t in times.tolist()]


def through(t):
    """Walks in from the left at 2 s, stays, and walks out to the right from 10 s on."""
    return min(0.2 + 0.1 * t, 0.6) if t < 10 else 0.6 + 0.1 * (t - 10)
