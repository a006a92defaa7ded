"""One tracker behind a pipe: requests and answers are one JSON object a line.

This file is run as a script by the Python of the environment that holds the tracker, so for a
rival it must import nothing of Shelflight. Requests:

    {"do": "load", "name": ..., "fps": ..., "scale": [w, h], "warm_up": ..., "frames":
        [[[x0, y0, x1, y1, score], ...], ...]}
    {"do": "time", "name": ...}     microseconds of each update() but a fresh tracker's first ones
    {"do": "track", "name": ...}    [[id, x0, y0, x1, y1], ...] for each frame

Frames come in pixels and without gaps at ``fps``. What a tracker wants as its input is made before
the clock is started; only the call of its update is timed.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

Update = Callable[[Any], Any]

_LEAST_US = 200_000


def ours(fps: float, size: Any) -> tuple[Update, Callable[..., Any]]:
    """Shelflight's tracker."""
    from edge_agent.observations import Detections
    from edge_agent.tracker import Tracker, TrackerConfig

    def given(number: int, rows: Any, scale: Any) -> Any:
        return Detections(number / fps, rows[:, :4] / [*scale, *scale], rows[:, 4].copy())

    return Tracker(TrackerConfig(aspect=size[0] / size[1])).update, given


def supervision(fps: float, _size: Any) -> tuple[Update, Callable[..., Any]]:
    """ByteTrack of the ``supervision`` package, its defaults."""
    from supervision import ByteTrack

    return ByteTrack(frame_rate=round(fps)).update_with_detections, _detections


def trackers(fps: float, _size: Any) -> tuple[Update, Callable[..., Any]]:
    """ByteTrack of the ``trackers`` package, its defaults."""
    from trackers import ByteTrackTracker

    return ByteTrackTracker(frame_rate=fps).update, _detections


KINDS = {"ours": ours, "supervision": supervision, "trackers": trackers}


def _detections(_number: int, rows: Any, _scale: Any) -> Any:
    import supervision

    return supervision.Detections(
        xyxy=rows[:, :4].astype(np.float32),
        confidence=rows[:, 4].copy(),
        class_id=np.zeros(len(rows), dtype=int),
    )


def main() -> None:
    """Answer requests until the input ends."""
    warnings.simplefilter("ignore")  # a rival's deprecations are not ours to mend
    answers, sys.stdout = sys.stdout, sys.stderr
    kind = KINDS[sys.argv[1]]
    loaded: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        answer: Any = None
        if request["do"] == "load":
            loaded[request["name"]] = request
        elif request["do"] == "time":
            answer = _time(kind, loaded[request["name"]])
        else:
            answer = _track(kind, loaded[request["name"]])
        print(json.dumps(answer), file=answers, flush=True)


def _ready(kind: Callable[..., Any], sequence: Any) -> tuple[Update, list[Any]]:
    update, given = kind(sequence["fps"], sequence["scale"])
    frames = [np.array(rows, dtype=np.float64).reshape(-1, 5) for rows in sequence["frames"]]
    return update, [given(i, rows, sequence["scale"]) for i, rows in enumerate(frames)]


def _time(kind: Callable[..., Any], sequence: Any) -> list[float]:
    # Fresh trackers until as much time is spent on a fast tracker as wakes up a processor.
    spent: list[float] = []
    while not spent or sum(spent) < _LEAST_US:
        update, inputs = _ready(kind, sequence)
        for number, one in enumerate(inputs):
            start = time.perf_counter_ns()
            update(one)
            if number >= sequence["warm_up"]:
                spent.append((time.perf_counter_ns() - start) / 1000)
    return spent


def _track(kind: Callable[..., Any], sequence: Any) -> list[list[list[float]]]:
    update, inputs = _ready(kind, sequence)
    scale = np.array([*sequence["scale"]] * 2, dtype=np.float64)
    out = []
    confirmed: set[int] = set()
    for one in inputs:
        tracks = update(one)
        if kind is ours:
            confirmed.update(tracks.ids[tracks.confirmed].tolist())
            rows = np.column_stack([tracks.ids, tracks.boxes * scale])
        else:
            rows = np.column_stack([tracks.tracker_id, tracks.xyxy])
            confirmed.update(who for who in rows[:, 0].astype(int).tolist() if who >= 0)
        out.append(rows.tolist())
    return [[row for row in rows if int(row[0]) in confirmed] for rows in out]


if __name__ == "__main__":
    main()
