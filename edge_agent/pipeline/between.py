"""Where people are on a frame that the detector left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_agent.observations import Floats, Tracks


def nobody(t: float) -> Tracks:
    """The tracks of a frame without people."""
    return Tracks(t, np.empty(0, np.int64), np.empty((0, 4)), np.empty(0), np.empty(0, np.bool_))


def coasted(before: Tracks | None, last: Tracks, t: float) -> Tracks:
    """The last tracks, moved on as they moved between the last two runs of the detector.

    Good for the half second that lies between two runs. Zones are not told: they put a crossing
    on the line between two detections, which is known only after the second.

    Args:
        before: the run before the last; None = nobody is known to move.
        last: the last run.
        t: seconds, not before the last run.
    """
    moved: Floats = last.boxes.copy()
    if before is not None and last.t > before.t:
        share = (t - last.t) / (last.t - before.t)
        earlier = dict(zip(before.ids.tolist(), before.boxes, strict=True))
        for row, identity in enumerate(last.ids.tolist()):
            if identity in earlier:
                moved[row] += share * (last.boxes[row] - earlier[identity])
    return replace(last, t=t, boxes=moved.clip(0.0, 1.0), keypoints=None, steady=None)
