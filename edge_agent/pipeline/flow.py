"""One frame's way from picture to counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from edge_agent.aggregates import Aggregates, Batch
from edge_agent.geometry import Point
from edge_agent.observations import Detections, Frame, Poses, Tracks, Visit
from edge_agent.pipeline.near import Near
from edge_agent.tracker import Tracker
from edge_agent.zones import Floors

USUAL_ASPECT = 16 / 9

Lap = Callable[[str], None]
"""Told the name of each stage when it is done; what a bench measures with."""

# Where in a frame's life each lap ends, in order; `pose` takes in all people near a shelf.
STAGES = ("prepare", "detect", "decode", "track", "pose", "zones", "aggregates")


class FindsPeople(Protocol):
    """A detector, in its three steps."""

    runtime: Callable[[NDArray[Any]], list[NDArray[Any]]]

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height that the model takes, pixels."""

    def prepare(self, frame: Frame) -> NDArray[Any]:
        """The frame as the model's input."""

    def decode(self, outputs: list[NDArray[Any]], frame: Frame) -> Detections:
        """The model's output as detections."""


class FindsJoints(Protocol):
    """A pose model, one person at a time."""

    runtime: Callable[[NDArray[Any]], list[NDArray[Any]]]

    def __call__(
        self, frame: Frame, tracks: Tracks, ids: list[int], toward: Mapping[int, Point | None]
    ) -> Poses:
        """Keypoints of the named tracks."""


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """All that one frame gave, from what was seen to what may leave."""

    detections: Detections
    tracks: Tracks
    poses: Poses | None
    visits: list[Visit]
    batches: list[Batch]


class Pipeline:
    """Detector, tracker, pose, zones and aggregates in a row.

    Args:
        detector: None where detections come from a recording.
        pose: None where the site names no pose model.
        near: selects whom pose is run for.
        tracker: makes one for frames of some width / height.
        floors, aggregates: the stages.
    """

    def __init__(
        self,
        detector: FindsPeople | None,
        pose: FindsJoints | None,
        near: Near,
        tracker: Callable[[float], Tracker],
        floors: Floors,
        aggregates: Aggregates,
    ) -> None:
        self.detector = detector
        self.pose = pose
        self._near = near
        self._new_tracker = tracker
        self._tracker: Tracker | None = None
        self._floors = floors
        self._aggregates = aggregates

    def step(self, seen: Frame | Detections, lap: Lap = lambda _: None) -> Analysis:
        """Take one frame, or what a detector once said of it.

        Args:
            seen: time never runs backwards.
            lap: told of each stage when it is done.
        """
        detections = seen if isinstance(seen, Detections) else self._detect(seen, lap)
        if self._tracker is None:
            self._tracker = self._new_tracker(_aspect(seen))
        tracks = self._tracker.update(detections)
        lap("track")
        poses = self._estimate(seen, tracks) if isinstance(seen, Frame) else None
        lap("pose")
        visits = self._floors.update(tracks, poses)
        lap("zones")
        self._aggregates.observe(tracks.t)
        self._aggregates.add(visits)
        batches = self._aggregates.close(self._floors.horizon(tracks.t))
        lap("aggregates")
        return Analysis(detections, tracks, poses, visits, batches)

    def idle(self, t: float) -> tuple[list[Visit], list[Batch]]:
        """Time goes on without a picture: visits are cut off, windows close unobserved."""
        visits = self._floors.finish()
        self._aggregates.add(visits)
        return visits, self._aggregates.close(t)

    def finish(self, t: float) -> tuple[list[Visit], list[Batch]]:
        """End observation: visits are cut off, the last window closes where it is."""
        visits = self._floors.finish()
        self._aggregates.add(visits)
        return visits, self._aggregates.flush(t)

    def _detect(self, frame: Frame, lap: Lap) -> Detections:
        assert self.detector is not None, "frames need a detector"
        tensor = self.detector.prepare(frame)
        lap("prepare")
        outputs = self.detector.runtime(tensor)
        lap("detect")
        detections = self.detector.decode(outputs, frame)
        lap("decode")
        return detections

    def _estimate(self, frame: Frame, tracks: Tracks) -> Poses | None:
        if self.pose is None:
            return None
        toward = self._near(tracks, _aspect(frame))
        if not toward:
            return None
        return self.pose(frame, tracks, list(toward), toward)


def _aspect(seen: Frame | Detections) -> float:
    """Width / height of the picture; a recording of detections does not say."""
    return seen.width / seen.height if isinstance(seen, Frame) else USUAL_ASPECT
