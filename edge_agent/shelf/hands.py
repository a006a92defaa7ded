"""The first witness: whose hand is past the plane of one shelf, as their skeleton stands.

A wrist that lies on the shelf in the picture may as well be before it: of ten such wrists one is
past the plane (rendered shops, cameras at 40 to 80 degrees). Depth shows in the whole arm, in how
near the body stands, and in how the hand came there. A small network judges by these; it was fitted
on rendered arms whose depth is known (`python -m models fit-hands`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from math import hypot

import numpy as np

from edge_agent.geometry import Point, Polygon
from edge_agent.observations import Floats, Hand, Keypoint, Poses, Tracks
from edge_agent.shelf.standing import ARM, HAND, Floats32, standings

# A hand is looked at beside where it was in so many poses before, no longer ago than that.
LOOKS, LOOKS_S = 4, 0.85
# Looks nearer than this to one another tell the same; it was fitted on five a second and fewer.
_APART_S = 0.15
# A joint that scores less is not known.
_LEAST_SCORE = 0.2
# The chance from which a hand is past the plane, and below which it is not any more.
_PAST, _BACK = 0.2, 0.1
# Farther outside of the shelf than this nobody's hand is past its plane, sizes of the person.
OUTSIDE = -0.25
# Two hands of one person this near are one, found twice; sizes of the person.
_ONE_HAND = 0.12
_WEIGHTS = "hands.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A perceptron of three layers: how a hand stands, and stood, to the chance that it is past.

    Args:
        mean, scale: float32 [F], of the inputs.
        weights, biases: float32 [in, out] and [out] of each layer.
    """

    mean: Floats32
    scale: Floats32
    weights: tuple[Floats32, ...]
    biases: tuple[Floats32, ...]

    def __call__(self, inputs: Floats32) -> Floats32:
        """float32 [N, F] to chances, float32 [N]."""
        now = (inputs - self.mean) / self.scale
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            now = np.maximum(now @ weights + bias, 0)
        logit = (now @ self.weights[-1] + self.biases[-1])[:, 0]
        # Joints without a place lead to any number; the last bits of certainty are not missed.
        return np.asarray(1 / (1 + np.exp(-logit.clip(-50, 50))), np.float32)


@lru_cache(maxsize=1)
def network() -> Network:
    """The one that ships."""
    with resources.files("edge_agent.shelf").joinpath(_WEIGHTS).open("rb") as file:
        known = np.load(file)
        layers = range(sum(name.startswith("weights") for name in known.files))
        return Network(
            known["mean"],
            known["scale"],
            tuple(known[f"weights{i}"] for i in layers),
            tuple(known[f"biases{i}"] for i in layers),
        )


def with_past(now: Floats32, before: list[Floats32]) -> Floats32:
    """An arm's numbers, and how those of the arm itself were other than now, oldest first.

    Args:
        now: float32 [29].
        before: of the poses before, oldest first, at most `LOOKS`.

    Returns:
        float32 [29 + 4 * 18]; where there was no pose nothing was other.
    """
    filled = [now] * (LOOKS - len(before)) + before
    return np.concatenate([now, *(one[:ARM] - now[:ARM] for one in filled)])


class Hands:
    """Follows everybody's hands at one shelf.

    Args:
        shelf: its polygon.
        aspect: width / height of the frames.
    """

    def __init__(self, shelf: Polygon, aspect: float) -> None:
        self._shelf, self._aspect = shelf, aspect
        self._network = network()
        self._past: dict[tuple[int, int], deque[tuple[float, Floats32]]] = {}
        self._in: set[tuple[int, int]] = set()

    def update(self, tracks: Tracks, poses: Poses) -> list[Hand]:
        """Take the poses of one frame; returns the hands past the plane.

        Args:
            tracks: bodies, of the same frame.
            poses: joints of some of them.
        """
        rows = {one: row for row, one in enumerate(tracks.ids.tolist())}
        chosen = [i for i, one in enumerate(poses.ids.tolist()) if one in rows]
        there = {poses.ids.tolist()[i] for i in chosen}
        self._past = {key: past for key, past in self._past.items() if key[0] in rows}
        self._in = {key for key in self._in if key[0] in there}
        if not chosen:
            return []
        keypoints = poses.keypoints[chosen]
        ids = poses.ids[chosen].tolist()
        boxes = tracks.boxes[[rows[one] for one in ids]]
        found = []
        for side, arms in enumerate(standings(keypoints, boxes, self._shelf, self._aspect)):
            for row, identity in enumerate(ids):
                point = _palm(keypoints[row], side)
                if point is None:
                    continue
                chance = self._chance(poses.t, (identity, side), arms[row])
                if chance is not None:
                    found.append(Hand(identity, point, chance))
        return self._apart(found, dict(zip(ids, boxes, strict=True)))

    def _apart(self, hands: list[Hand], boxes: dict[int, Floats]) -> list[Hand]:
        """Without a hand that both arms were found at: the surer arm has it."""
        kept: list[Hand] = []
        for hand in sorted(hands, key=lambda one: -one.chance):
            x0, y0, x1, y1 = boxes[hand.track].tolist()
            near = _ONE_HAND * max(y1 - y0, (x1 - x0) * self._aspect)
            if not any(
                one.track == hand.track and self._away(one.point, hand.point) < near for one in kept
            ):
                kept.append(hand)
        return kept

    def _away(self, a: Point, b: Point) -> float:
        return hypot((a[0] - b[0]) * self._aspect, a[1] - b[1])

    def _chance(self, t: float, key: tuple[int, int], now: Floats32) -> float | None:
        """How sure it is that a hand is past the plane; None = it is not."""
        past = self._past.setdefault(key, deque(maxlen=LOOKS))
        while past and t - past[0][0] > LOOKS_S:
            past.popleft()
        seen = with_past(now, [one for _, one in past])
        if not past or t - past[-1][0] >= _APART_S:
            past.append((t, now))
        chance = float(self._network(seen[None])[0]) if now[0] > OUTSIDE else 0.0
        if chance < (_BACK if key in self._in else _PAST):
            self._in.discard(key)
            return None
        self._in.add(key)
        return chance


def _palm(keypoints: Floats, side: int) -> Point | None:
    """The middle of a hand; None = its arm is not known."""
    shoulder, elbow, wrist = (
        keypoints[joint + side]
        for joint in (Keypoint.LEFT_SHOULDER, Keypoint.LEFT_ELBOW, Keypoint.LEFT_WRIST)
    )
    if min(shoulder[2], wrist[2]) < _LEAST_SCORE or elbow[2] < _LEAST_SCORE / 2:
        return None
    x, y = (wrist[:2] + HAND * (wrist[:2] - elbow[:2])).tolist()
    return x, y
