"""The plain way to find reaches, to compare with: a wrist that lies in the shelf's polygon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edge_agent.config import Zone
from edge_agent.observations import Evidence, Keypoint, Poses, Reach
from edge_agent.shelf.reaches import GAP_S

_WRISTS = (Keypoint.LEFT_WRIST, Keypoint.RIGHT_WRIST)


def wrist_runs(poses: Iterable[Poses], zones: Sequence[Zone], least: float) -> list[Reach]:
    """Each run of frames in which one wrist of one track is in a shelf, however short.

    Args:
        poses: of one recording's analysed frames, in order.
        zones: those without a shelf are left aside.
        least: a wrist that scores less is not found.
    """
    seen: dict[tuple[str, int, int], list[float]] = {}
    shelves = [(zone.name, zone.shelf) for zone in zones if zone.shelf is not None]
    for some in poses:
        for track, joints in zip(some.ids.tolist(), some.keypoints, strict=True):
            for side in _WRISTS:
                x, y, score = joints[side].tolist()
                for name, shelf in shelves:
                    if score >= least and shelf.contains((x, y)):
                        seen.setdefault((name, track, side), []).append(some.t)
    return [
        Reach(name, None, first, last, Evidence.WRIST, track=track)
        for (name, track, _), times in seen.items()
        for first, last in _runs(times)
    ]


def _runs(times: Sequence[float]) -> Iterator[tuple[float, float]]:
    first = last = times[0]
    for t in times[1:]:
        if t - last > GAP_S + 1e-6:
            yield first, last
            first = t
        last = t
    yield first, last
