"""What is remembered of people from frame to frame: how fast they go, where their arms are."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot

import numpy as np

from edge_agent.geometry import Point
from edge_agent.observations import Keypoint, Poses, Tracks
from edge_agent.shelf.bodies import LEAST_SCORE, Arm, arms

# Who walks reaches for nothing: heights of the body a second, over so many seconds at least.
_WALKING, _PACE_S = 0.6, 0.35
# The chest, as a share of the body's box from its top.
_CHEST = 0.3
# Wrists that are where they are said to be score so much: built-in model, rendered shops; 0.6 in
# the middle where they are seen, 0.3 where they are guessed.
_WRISTS, _SURE = [Keypoint.LEFT_WRIST, Keypoint.RIGHT_WRIST], 0.5
# Who shows fewer joints of the trunk is no body: faces are found in hands and labels too. Who was
# one in so many looks surely is.
_LEAST_TRUNK, _MET = 2, 12


@dataclass(slots=True)
class _Person:
    since: float
    place: Point
    place_s: float
    speed: float | None = None  # not known yet
    body: bool = True
    looks: int = 0  # that showed a body
    chest: float = 0.0
    sure: bool = False
    arms: list[Arm] = field(default_factory=list)

    @property
    def stands(self) -> bool:
        """They do not walk."""
        return self.speed is not None and self.speed < _WALKING


class People:
    """Follows everybody in view.

    Attributes:
        posed: somebody's joints were ever looked for.
        met: somebody's body was ever in view, so whose hand it is can be told.
    """

    def __init__(self) -> None:
        self._known: dict[int, _Person] = {}
        self.posed = self.met = False

    def update(self, tracks: Tracks, poses: Poses | None, aspect: float) -> None:
        """Take one analysed frame.

        Args:
            tracks: people in it, or where they should be by now.
            poses: joints of some; None = nobody looked.
            aspect: width / height of the frame.
        """
        boxes = dict(zip(tracks.ids.tolist(), tracks.boxes.tolist(), strict=True))
        self._known = {one: person for one, person in self._known.items() if one in boxes}
        for identity, (x0, y0, x1, y1) in boxes.items():
            place = ((x0 + x1) / 2 * aspect, y0)
            person = self._known.setdefault(identity, _Person(tracks.t, place, tracks.t))
            person.chest = y0 + _CHEST * (y1 - y0)
            gone_s = tracks.t - person.place_s
            if gone_s >= _PACE_S:
                step = hypot(place[0] - person.place[0], place[1] - person.place[1])
                person.speed = step / gone_s / max(y1 - y0, 1e-6)
                person.place, person.place_s = place, tracks.t
        if poses is not None:
            self._pose(poses, aspect)

    def since(self, identity: int | None) -> float | None:
        """When somebody was first seen; None = they are not there."""
        person = None if identity is None else self._known.get(identity)
        return None if person is None else person.since

    def no_body(self, identity: int) -> bool:
        """Whether somebody is there who turned out to be none."""
        person = self._known.get(identity)
        return person is not None and not person.body

    def may_hold(self, identity: int, tip: Point) -> bool:
        """Whether somebody who stands may have an arm there that their skeleton does not show."""
        person = self._known.get(identity)
        if person is None or person.sure or not person.stands:
            return False
        return tip[1] <= person.chest

    def stretched(self) -> list[Arm]:
        """The arms that are held out by people who stand."""
        return [
            arm
            for person in self._known.values()
            if person.body and person.stands
            for arm in person.arms
            if arm.stretched
        ]

    def bodies(self, tracks: Tracks) -> Tracks:
        """The tracks that are bodies: a detector takes a lone hand for a person, now and then."""
        rows = np.array([self._known[one].body for one in tracks.ids.tolist()], np.bool_)
        return tracks.only(rows)

    def _pose(self, poses: Poses, aspect: float) -> None:
        self.posed |= len(poses.ids) > 0
        found = dict(zip(poses.ids.tolist(), poses.keypoints, strict=True))
        for identity, person in self._known.items():
            keypoints = found.get(identity)
            person.arms = []
            if keypoints is not None:
                person.arms = list(arms(identity, keypoints, aspect))
                person.sure = bool((keypoints[_WRISTS, 2] >= _SURE).all())
                seen = int((keypoints[list(Keypoint.TRUNK), 2] >= LEAST_SCORE).sum())
                person.body = seen >= _LEAST_TRUNK
                person.looks += person.body
                self.met |= person.looks >= _MET
