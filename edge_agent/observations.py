"""What a unit sees. These values may identify a person: they live in RAM and never leave.

All boxes, points and keypoints are fractions of the frame's width and height (0..1, y down), so
that no stage after the detector needs to know the frame's size. Times are seconds of the source's
own monotonic clock (0 = a recording's first frame).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Layout(Enum):
    """How a frame's pixels lie in memory."""

    BGR = "bgr"  # uint8 [height, width, 3]
    I420 = "i420"  # uint8 [height * 3 / 2, stride]: planes Y, then U and V in half rows


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture and when it was.

    Args:
        image: uint8, laid out as ``layout`` says. Valid only until the next frame is read.
        t: seconds, monotonic.
        width: pixels that are picture; an I420 row may be longer (stride), the rest is padding.
        height: pixels.
        layout: BGR or I420.
    """

    image: NDArray[np.uint8]
    t: float
    width: int
    height: int
    layout: Layout = Layout.BGR


class Blindness(Enum):
    """Why a camera does not see its place."""

    DARK = "dark"
    COVERED = "covered"
    BLURRED = "blurred"
    MOVED = "moved"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The people a detector found in one frame.

    Args:
        t: seconds.
        boxes: float64 [N, 4], x0 y0 x1 y1, fractions, clipped to the frame.
        scores: float64 [N], 0..1.
        keypoints: float64 [N, 17, 3], x y score in COCO order, if the model gives them.
    """

    t: float
    boxes: Floats
    scores: Floats
    keypoints: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The people of one frame with identities; only those seen in this very frame.

    Args:
        t: seconds.
        ids: int64 [N]; never reused while the tracker lives.
        boxes: float64 [N, 4], the detection's own box, fractions.
        scores: float64 [N], the detection's score.
        confirmed: bool [N]; False while a track is tentative (it may turn out to be flicker).
        keypoints: float64 [N, 17, 3] where the detector gave them.
        steady: float64 [N, 4], where the tracker takes the box to be, all it has seen of the
            person considered; a detector's edges tremble. None = it does not say.
    """

    t: float
    ids: NDArray[np.int64]
    boxes: Floats
    scores: Floats
    confirmed: NDArray[np.bool_]
    keypoints: Floats | None = None
    steady: Floats | None = None

    def only(self, rows: NDArray[np.bool_]) -> Tracks:
        """Some of them: bool [N]."""
        if rows.all():
            return self
        keypoints = None if self.keypoints is None else self.keypoints[rows]
        steady = None if self.steady is None else self.steady[rows]
        some = self.ids[rows], self.boxes[rows], self.scores[rows], self.confirmed[rows]
        return Tracks(self.t, *some, keypoints, steady)


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """Keypoints of some tracks of one frame.

    Args:
        t: seconds.
        ids: int64 [N], the tracks they belong to.
        keypoints: float64 [N, 17, 3], x y score in COCO order, fractions of the frame.
    """

    t: float
    ids: NDArray[np.int64]
    keypoints: Floats


@dataclass(frozen=True, slots=True)
class Hand:
    """One hand that may be past the plane of a shelf.

    Args:
        track: whose.
        point: the palm, fractions of the frame.
        chance: that it is past the plane, 0..1.
    """

    track: int
    point: tuple[float, float]
    chance: float


@dataclass(frozen=True, slots=True, eq=False)
class Closeups:
    """What a close look at everybody near a shelf told, in one frame.

    Args:
        t: seconds.
        hands: of each zone with a shelf, those that may be past its plane.
    """

    t: float
    hands: Mapping[str, tuple[Hand, ...]]


class Keypoint:
    """Rows of a keypoint array: the COCO-17 order."""

    NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR = range(5)
    LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_ELBOW, RIGHT_ELBOW, LEFT_WRIST, RIGHT_WRIST = range(5, 11)
    LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE, LEFT_ANKLE, RIGHT_ANKLE = range(11, 17)
    TRUNK = (LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP)
    # Of each row the one of the other side; the nose is its own.
    OTHER_SIDE = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


class Censored(Enum):
    """Which end of a visit was cut off by the start, the end or an outage of observation."""

    NONE = "none"
    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"

    @classmethod
    def of(cls, left: bool, right: bool) -> Censored:
        """The member for two cut-or-not ends."""
        if left and right:
            return cls.BOTH
        if left:
            return cls.LEFT
        return cls.RIGHT if right else cls.NONE


class Evidence(Enum):
    """Which witness saw a hand past the plane of a shelf."""

    WRIST = "wrist"
    INTRUSION = "intrusion"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Reach:
    """One continuous stay of one hand past the plane of a shelf.

    Args:
        zone: whose shelf.
        facing: the facing that the hand was at; None = none, or none that is known.
        start_s, end_s: first and last second seen there.
        evidence: the skeleton, what moved past the plane, or both.
        censored: which ends were cut off.
        track: whose hand it was; None = nobody whose body was in view.
        confidence: that it was one, 0..1.
    """

    zone: str
    facing: str | None
    start_s: float
    end_s: float
    evidence: Evidence
    censored: Censored = Censored.NONE
    track: int | None = None
    confidence: float = 0.5


class Move(Enum):
    """What a hand did to a product."""

    PICK = "pick"
    PUT_BACK = "put_back"


@dataclass(frozen=True, slots=True)
class Handling:
    """A product gone from, or back on, a facing after a hand was there.

    Args:
        move: which of the two.
        zone, facing: where.
        t_s: best estimate of when the product moved.
        confidence: 0..1.
        track: whose hand it was; None = not known.
    """

    move: Move
    zone: str
    facing: str
    t_s: float
    confidence: float
    track: int | None = None


@dataclass(frozen=True, slots=True)
class Doings:
    """What one person's hands did at one zone during one visit.

    Times are the source's, as the events'.

    Args:
        reaches, picks, put_backs: how many.
        switches: how often a reach went to another known facing than the one before.
        first_s: start of the first reach; None = none.
        at: the known facing reached last.
        kept: facing and time of each pick that was not put back there, in the order told.
    """

    reaches: int = 0
    picks: int = 0
    put_backs: int = 0
    switches: int = 0
    first_s: float | None = None
    at: str | None = None
    kept: tuple[tuple[str, float], ...] = ()

    def add(self, event: Reach | Handling) -> Doings:
        """The same with one more thing done."""
        if isinstance(event, Reach):
            return self._reached(event)
        if event.move is Move.PICK:
            return replace(self, picks=self.picks + 1, kept=(*self.kept, (event.facing, event.t_s)))
        return replace(self, put_backs=self.put_backs + 1, kept=_without(self.kept, event.facing))

    @property
    def chosen_s(self) -> float | None:
        """When the last product was taken that was not put back; None = none was."""
        return max((t for _, t in self.kept), default=None)

    def _reached(self, reach: Reach) -> Doings:
        known = reach.facing is not None
        switched = known and self.at is not None and reach.facing != self.at
        return replace(
            self,
            reaches=self.reaches + 1,
            switches=self.switches + switched,
            first_s=reach.start_s if self.first_s is None else min(self.first_s, reach.start_s),
            at=reach.facing if known else self.at,
        )


def _without(kept: tuple[tuple[str, float], ...], facing: str) -> tuple[tuple[str, float], ...]:
    """The picks without the latest one at a facing, which is what came back."""
    for place in range(len(kept) - 1, -1, -1):
        if kept[place][0] == facing:
            return kept[:place] + kept[place + 1 :]
    return kept


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay of one person on a zone's floor.

    Args:
        zone: the zone's name.
        enter_s: first second seen on the floor.
        leave_s: last second seen on the floor.
        bridged_s: seconds within that in which the person was not seen there.
        censored: which ends were cut off.
        staff: True where behaviour or place says that this is no customer.
        did: what the person's hands did at the zone's shelf meanwhile.
    """

    zone: str
    enter_s: float
    leave_s: float
    bridged_s: float = 0.0
    censored: Censored = Censored.NONE
    staff: bool = False
    did: Doings = field(default_factory=Doings)

    def __post_init__(self) -> None:
        if not 0 <= self.bridged_s <= self.leave_s - self.enter_s + 1e-9:
            raise ValueError(f"bridged_s lies inside the visit: {self}")

    @property
    def dwell_s(self) -> float:
        """Seconds from first to last seen."""
        return self.leave_s - self.enter_s

    @property
    def reaches(self) -> int:
        """How often the person's hands reached past the zone's shelf plane."""
        return self.did.reaches

    @property
    def picks(self) -> int:
        """Products that the person took."""
        return self.did.picks

    @property
    def put_backs(self) -> int:
        """Products that the person laid back."""
        return self.did.put_backs

    @property
    def switches(self) -> int:
        """Changes from one known facing to another."""
        return self.did.switches

    @property
    def first_reach_s(self) -> float | None:
        """Seconds from the start of the visit to that of its first reach; None = none."""
        return self._after_enter(self.did.first_s)

    @property
    def chose_s(self) -> float | None:
        """Seconds from the start of the visit to the last pick that was kept; None = none was."""
        return self._after_enter(self.did.chosen_s)

    def _after_enter(self, t: float | None) -> float | None:
        # A hand can be at the shelf a moment before the feet are on the floor.
        return None if t is None else max(0.0, t - self.enter_s)


class Level(Enum):
    """How much of its product a facing holds that can hold several."""

    FULL = "full"
    LOW = "low"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Stock:
    """What a facing holds, at the start and at each change.

    Args:
        zone, facing: where.
        t_s: since when.
        present: it holds its product.
        level: how much of it; None = not known.
    """

    zone: str
    facing: str
    t_s: float
    present: bool
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Abstained:
    """A facing changed, and nothing that was seen says why: no pick and no put-back is told.

    Args:
        zone, facing: where.
        t_s: when the change was seen.
    """

    zone: str
    facing: str
    t_s: float


ShelfEvent = Reach | Handling | Stock | Abstained
