"""One frame's way from picture to counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.aggregates import Aggregates, Batch, Epoch
from edge_agent.gate import Gate
from edge_agent.geometry import Point
from edge_agent.lookout import Lookout, Outlook
from edge_agent.observations import Closeups, Detections, Frame, Poses, ShelfEvent, Tracks, Visit
from edge_agent.pipeline.between import coasted, nobody
from edge_agent.pipeline.near import Near
from edge_agent.pipeline.schedule import Schedule
from edge_agent.shelf import Shelves
from edge_agent.tracker import Tracker
from edge_agent.zones import Floors

USUAL_ASPECT = 16 / 9

Lap = Callable[[str], None]
"""Told the name of each stage when it is done; what a bench measures with."""

# Where in a frame's life each lap ends, in order; `pose` takes in all people near a shelf and the
# close look at their hands. A frame on which the detector does not run has only the first and the
# last three.
STAGES = ("gate", "prepare", "detect", "decode", "track", "pose", "shelf", "zones", "aggregates")


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


class FindsHands(Protocol):
    """What looks closely at everybody near a shelf."""

    runtime: Callable[[NDArray[Any]], list[NDArray[Any]]]

    def __call__(self, frame: Frame, tracks: Tracks) -> Closeups:
        """Hands that may be past a shelf's plane."""


@dataclass(frozen=True, slots=True)
class Models:
    """Opened models.

    Args:
        detector: None where detections come from a recording.
        pose: None where the site names none.
        reach: None where nobody looks closely at hands.
    """

    detector: FindsPeople | None
    pose: FindsJoints | None
    reach: FindsHands | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """What looks at each frame before the detector does.

    Args:
        lookout: tells whether the camera sees its place.
        gate: lets the detector rest; None = it never does.
    """

    lookout: Lookout
    gate: Gate | None


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """All that one frame gave, from what was seen to what may leave.

    Args:
        detections: None where the detector did not run; tracks are then where they should be by
            now.
        visits, events: on floors and at shelves, now known to be over.
        batches: windows now closed.
    """

    detections: Detections | None
    tracks: Tracks
    poses: Poses | None
    visits: list[Visit]
    events: list[ShelfEvent]
    batches: list[Batch]


@dataclass(frozen=True, slots=True, eq=False)
class Closing:
    """What was cut off when observation ended or paused."""

    visits: list[Visit]
    events: list[ShelfEvent]
    batches: list[Batch]


class Pipeline:
    """Detector, tracker, pose, zones and aggregates in a row.

    Args:
        models: what finds people and joints.
        near: selects whom pose is run for.
        tracker: makes one for frames of some width / height.
        shelves, floors, aggregates: the stages.
        guard: looks at each frame before the detector does.
        schedule: says on which frames the detector runs.

    Attributes:
        outlook: whether the camera sees its place; while it does not nothing counts as observed.
    """

    def __init__(
        self,
        models: Models,
        near: Near,
        tracker: Callable[[float], Tracker],
        shelves: Shelves,
        floors: Floors,
        aggregates: Aggregates,
        guard: Guard,
        schedule: Schedule,
    ) -> None:
        self.detector = models.detector
        self.pose = models.pose
        self.reach = models.reach
        self._near = near
        self._new_tracker = tracker
        self._tracker: Tracker | None = None
        self._shelves = shelves
        self._floors = floors
        self._aggregates = aggregates
        self._gate = guard.gate
        self._schedule = schedule
        self._lookout = guard.lookout
        self.outlook = Outlook()
        self._before: Tracks | None = None
        self._tracks: Tracks | None = None

    def step(self, seen: Frame | Detections, lap: Lap = lambda _: None) -> Analysis:
        """Take one frame, or what a detector once said of it.

        Args:
            seen: time never runs backwards.
            lap: told of each stage when it is done.
        """
        if isinstance(seen, Frame):
            self.outlook = self._lookout.look(seen)
            if self.outlook.blind is not None:
                return self._blind(seen.t, lap)
            moved = self._moved(seen)
            due = self._schedule.due(seen.t, moved)
            lap("gate")
            if not due:
                return self._pass(seen, moved, lap)
        detections = seen if isinstance(seen, Detections) else self._detect(seen, lap)
        if self._tracker is None:
            self._tracker = self._new_tracker(_aspect(seen))
        tracks = self._tracker.update(detections)
        lap("track")
        poses = self._estimate(seen, tracks) if isinstance(seen, Frame) else None
        closeups = self._look(seen, tracks) if isinstance(seen, Frame) else None
        lap("pose")
        events: list[ShelfEvent] = []
        if isinstance(seen, Frame):
            events = self._shelves.update(seen, tracks, poses, closeups=closeups)
        lap("shelf")
        visits = self._visits(tracks, poses, events)
        self._note(tracks)
        lap("zones")
        batches = self._count(tracks.t, visits, events)
        lap("aggregates")
        return Analysis(detections, tracks, poses, visits, events, batches)

    def _blind(self, t: float, lap: Lap) -> Analysis:
        """A frame that does not show the place: no data, what was open is cut off."""
        visits, events = self._end()
        self._tracks = self._before = None
        lap("gate")
        lap("shelf")
        lap("zones")
        batches = self._aggregates.close(t)
        lap("aggregates")
        return Analysis(None, nobody(t), None, visits, events, batches)

    def idle(self, t: float) -> Closing:
        """Time goes on without a picture: what is open is cut off, windows close unobserved."""
        return Closing(*self._end(), self._aggregates.close(t))

    def finish(self, t: float) -> Closing:
        """End observation: what is open is cut off, the last window closes where it is."""
        return Closing(*self._end(), self._aggregates.flush(t))

    def set_clock(self, epoch: Epoch, t: float) -> None:
        """The clock that windows are timed by was set right at time t."""
        self._aggregates.set_clock(epoch, t)

    def _moved(self, frame: Frame) -> bool:
        """Whether anything moves; not asked while somebody is in view."""
        return self._gate is None or self._schedule.found or self._gate.moved(frame)

    def _pass(self, frame: Frame, moved: bool, lap: Lap) -> Analysis:
        """A frame without the detector: nobody is there, or all are where they should be."""
        t = frame.t
        attended = self._schedule.attended(t)
        tracks = nobody(t)
        if attended and self._tracks is not None:
            tracks = coasted(self._before, self._tracks, t)
        events = self._shelves.update(frame, tracks, None, moved)
        lap("shelf")
        visits: list[Visit] = []
        if not attended:
            # Time in which nobody came was watched all the same.
            visits = self._visits(tracks, None, events)
            self._schedule.rested(self._floors.occupied)
            if self._gate is not None:
                self._gate.learn(t)
        lap("zones")
        batches = self._count(t, visits, events)
        lap("aggregates")
        return Analysis(None, tracks, None, visits, events, batches)

    def _visits(self, tracks: Tracks, poses: Poses | None, events: list[ShelfEvent]) -> list[Visit]:
        """Visits that are over, told what their hands did."""
        for event in events:
            self._floors.note(event)
        return self._floors.update(tracks, poses)

    def _note(self, tracks: Tracks) -> None:
        """What the detector found, for the frames to come."""
        self._before, self._tracks = self._tracks, tracks
        self._schedule.ran(tracks, self._floors.occupied)
        if self._gate is not None and not self._schedule.attended(tracks.t):
            self._gate.learn(tracks.t)

    def _count(self, t: float, visits: list[Visit], events: list[ShelfEvent]) -> list[Batch]:
        self._aggregates.observe(t)
        self._aggregates.add(visits, events)
        return self._aggregates.close(min(self._floors.horizon(t), self._shelves.horizon(t)))

    def _end(self) -> tuple[list[Visit], list[ShelfEvent]]:
        events = self._shelves.finish()
        for event in events:
            self._floors.note(event)
        visits = self._floors.finish()
        self._aggregates.add(visits, events)
        self._aggregates.cut()
        self._schedule.restart()
        return visits, events

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
        """Joints from the detector where it gave some, from the pose model near a shelf."""
        given = _given(tracks)
        if self.pose is None or (given is not None and len(given.ids) == len(tracks.ids)):
            return given
        toward = self._near(tracks, _aspect(frame))
        wanted = [one for one in toward if given is None or one not in given.ids]
        if not wanted:
            return given
        found = self.pose(frame, tracks, wanted, toward)
        return found if given is None else _together(given, found)

    def _look(self, frame: Frame, tracks: Tracks) -> Closeups | None:
        return None if self.reach is None else self.reach(frame, tracks)


def _given(tracks: Tracks) -> Poses | None:
    """Joints that came with the detections; a person without one that scores has none."""
    if tracks.keypoints is None:
        return None
    rows = tracks.keypoints[..., 2].any(axis=1)
    return Poses(tracks.t, tracks.ids[rows], tracks.keypoints[rows])


def _together(one: Poses, other: Poses) -> Poses:
    return Poses(
        one.t,
        np.concatenate([one.ids, other.ids]),
        np.concatenate([one.keypoints, other.keypoints]),
    )


def _aspect(seen: Frame | Detections) -> float:
    """Width / height of the picture; a recording of detections does not say."""
    return seen.width / seen.height if isinstance(seen, Frame) else USUAL_ASPECT
