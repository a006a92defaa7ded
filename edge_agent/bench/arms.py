"""One way of running the models over a clip, and what that cost and counted."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.aggregates import Epoch
from edge_agent.bench.footage import Stay
from edge_agent.config import BudgetConfig, Site
from edge_agent.geometry import Point
from edge_agent.observations import Closeups, Detections, Frame, Poses, Tracks
from edge_agent.pipeline import Models, build_pipeline
from edge_agent.pipeline.flow import FindsHands, FindsJoints, FindsPeople

Run = Callable[[NDArray[Any]], list[NDArray[Any]]]

ALWAYS = BudgetConfig(gate=False, detect_every=1)
GATED = BudgetConfig(gate=True, detect_every=1)
SHIPPED = BudgetConfig()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one arm did with a clip.

    Args:
        frames: analysed frames.
        seconds: of the clip.
        cpu_s: processor time of the pipeline, models included, without decoding the clip.
        detected: runs of the detector.
        posed: runs of the pose model.
        looks: close looks at somebody's hands at a shelf.
        people: people in all frames on which the detector ran.
        peopled: frames with anybody in them.
        visits: found on any floor.
    """

    frames: int
    seconds: float
    cpu_s: float
    detected: int
    posed: int
    looks: int
    people: int
    peopled: int
    visits: tuple[Stay, ...]


class Known:
    """A detector that runs once for each picture it has not seen, and then remembers.

    A clip cut together shows the same pictures over and over; what lies over them (noise, light) is
    the gate's business here.

    Args:
        detector: a real one.
        picture: the number of the picture that the present frame shows.
    """

    def __init__(self, detector: FindsPeople, picture: Callable[[], int]) -> None:
        self.runtime: Run = self._run
        self._detector = detector
        self._picture = picture
        self._seen: dict[int, Detections] = {}
        self._frame: Frame | None = None

    @property
    def input_size(self) -> tuple[int, int]:
        """As the detector's."""
        return self._detector.input_size

    def prepare(self, frame: Frame) -> NDArray[Any]:
        """Nothing to prepare yet."""
        self._frame = frame
        return np.empty(0)

    def decode(self, outputs: list[NDArray[Any]], frame: Frame) -> Detections:
        """What the detector says, or once said, of this picture."""
        del outputs
        return replace(self._seen[self._picture()], t=frame.t)

    def _run(self, _: NDArray[Any]) -> list[NDArray[Any]]:
        if self._picture() not in self._seen:
            assert self._frame is not None
            outputs = self._detector.runtime(self._detector.prepare(self._frame))
            self._seen[self._picture()] = self._detector.decode(outputs, self._frame)
        return []


class _Counted:
    """A pose model, or none (whose answer is no joints), that counts the people it is asked for."""

    def __init__(self, pose: FindsJoints | None) -> None:
        self.runtime: Run = (lambda _: []) if pose is None else pose.runtime
        self._pose = pose
        self.asked = 0

    def __call__(
        self, frame: Frame, tracks: Tracks, ids: list[int], toward: Mapping[int, Point | None]
    ) -> Poses:
        self.asked += len(ids)
        if self._pose is None:
            return Poses(frame.t, np.array(ids, np.int64), np.zeros((len(ids), 17, 3)))
        return self._pose(frame, tracks, ids, toward)


class _Looking:
    """Who looks closely at hands, with a count of the looks."""

    def __init__(self, reach: FindsHands) -> None:
        self._reach, self.runtime = reach, reach.runtime
        self._looks = 0
        reach.runtime = self._run

    def __call__(self, frame: Frame, tracks: Tracks) -> Closeups:
        return self._reach(frame, tracks)

    def done(self) -> int:
        """How many looks there were; it is as it was before."""
        self._reach.runtime = self.runtime
        return self._looks

    def _run(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        self._looks += 1
        return self.runtime(tensor)


def play(
    site: Site, models: Models, budget: BudgetConfig, frames: Iterable[Frame], poses: bool
) -> Outcome:
    """Run a clip through the shipping pipeline.

    Args:
        site: zones, models and rate.
        models: opened.
        budget: the arm.
        frames: at the analysed rate.
        poses: run the pose model for real; False = only count for whom.
    """
    counted = None if models.pose is None else _Counted(models.pose if poses else None)
    looking = None if models.reach is None else _Looking(models.reach)
    known = Models(models.detector, counted, looking)
    pipeline = build_pipeline(replace(site, budget=budget), Epoch(), known)
    cpu_s, t, count, detected, people, peopled = 0.0, 0.0, 0, 0, 0, 0
    visits = []
    for frame in frames:
        begun = _cpu_s()
        analysis = pipeline.step(frame)
        cpu_s += _cpu_s() - begun
        t, count = frame.t, count + 1
        visits += analysis.visits
        if analysis.detections is not None:
            detected += 1
            people += len(analysis.tracks.ids)
            peopled += len(analysis.tracks.ids) > 0
    visits += pipeline.finish(t).visits
    return Outcome(
        frames=count,
        seconds=count / site.camera.fps,
        cpu_s=cpu_s,
        detected=detected,
        posed=0 if counted is None else counted.asked,
        looks=0 if looking is None else looking.done(),
        people=people,
        peopled=peopled,
        visits=tuple(Stay(one.zone, one.enter_s, one.leave_s) for one in visits),
    )


def _cpu_s() -> float:
    """Processor seconds of this process so far, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Several clips as one long one."""
    starts = list(accumulate((one.seconds for one in outcomes), initial=0.0))
    visits = [
        visit.later(start)
        for one, start in zip(outcomes, starts, strict=False)
        for visit in one.visits
    ]
    return Outcome(
        frames=sum(one.frames for one in outcomes),
        seconds=starts[-1],
        cpu_s=sum(one.cpu_s for one in outcomes),
        detected=sum(one.detected for one in outcomes),
        posed=sum(one.posed for one in outcomes),
        looks=sum(one.looks for one in outcomes),
        people=sum(one.people for one in outcomes),
        peopled=sum(one.peopled for one in outcomes),
        visits=tuple(visits),
    )


def missing(true: Iterable[Stay], found: Iterable[Stay]) -> int:
    """How many true visits no visit found in that zone overlaps; each found answers for one."""
    left = sorted(found, key=lambda one: one.enter_s)
    lost = 0
    for one in sorted(true, key=lambda one: one.enter_s):
        hit = next((other for other in left if _overlap(one, other)), None)
        if hit is None:
            lost += 1
        else:
            left.remove(hit)
    return lost


def _overlap(one: Stay, other: Stay) -> bool:
    return one.zone == other.zone and other.enter_s < one.leave_s and other.leave_s > one.enter_s
