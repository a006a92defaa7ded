"""Where people's bodies are in a shelf's patch, and how their arms go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot

from edge_agent.geometry import Point
from edge_agent.observations import Floats, Keypoint
from edge_agent.shelf.standing import HAND

# A joint that scores less is a guess (MoveNet's own drawing uses 0.2 to 0.3).
LEAST_SCORE = 0.3
# An elbow only tells which way the hand goes on.
_LEAST_ELBOW = 0.12
# A wrist without its shoulder is a lone hand that was taken for a person.
_LEAST_SHOULDER = 0.2
# An arm hangs where the wrist is no further beside the shoulder than this, and below the elbow, in
# lengths of upper arm and forearm together.
_HANGING = 0.45


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of one person; points are fractions of the frame.

    Args:
        track: whose.
        elbow, hand: the hand is the middle of the palm.
        stretched: it does not hang beside the body.
    """

    track: int
    elbow: Point
    hand: Point
    stretched: bool


_ARMS = (
    (Keypoint.LEFT_SHOULDER, Keypoint.LEFT_ELBOW, Keypoint.LEFT_WRIST),
    (Keypoint.RIGHT_SHOULDER, Keypoint.RIGHT_ELBOW, Keypoint.RIGHT_WRIST),
)


def arms(track: int, keypoints: Floats, aspect: float) -> Iterator[Arm]:
    """The arms whose wrist and elbow are found.

    Args:
        track: whose they are.
        keypoints: float64 [17, 3], x y score, fractions of the frame.
        aspect: width / height of the frame.
    """
    for names in _ARMS:
        shoulder, elbow, wrist = (keypoints[name].tolist() for name in names)
        least = (_LEAST_SHOULDER, _LEAST_ELBOW, LEAST_SCORE)
        if any(joint[2] < one for joint, one in zip((shoulder, elbow, wrist), least, strict=True)):
            continue
        hand = tuple(wrist[i] + HAND * (wrist[i] - elbow[i]) for i in (0, 1))
        forearm = hypot((wrist[0] - elbow[0]) * aspect, wrist[1] - elbow[1])
        upper = hypot((elbow[0] - shoulder[0]) * aspect, elbow[1] - shoulder[1])
        beside = abs(wrist[0] - shoulder[0]) * aspect
        hangs = wrist[1] > elbow[1] > shoulder[1] and beside < _HANGING * (forearm + upper)
        yield Arm(track, (elbow[0], elbow[1]), (hand[0], hand[1]), not hangs)
