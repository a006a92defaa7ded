"""Whether what a unit says of its own errors is so, and what it should say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_agent.aggregates import MOVES, trials
from edge_agent.certainty import Calibration, Estimate, Kind, of_events
from edge_agent.observations import Handling, Reach, ShelfEvent, Visit
from models.evaluate.tally import right_moves, right_reaches

# Estimates are judged over groups of recordings that hold so many true events at least.
LEAST_EVENTS = 30


@dataclass(frozen=True, slots=True)
class Told:
    """What a recording's unit told of one kind of event.

    Args:
        true: how many there were.
        confidences: of those told, 0..1.
        right: which of those were so.
        chances: where one could have been missed.
    """

    true: int
    confidences: tuple[float, ...]
    right: tuple[bool, ...]
    chances: int

    def estimate(self, kind: Kind) -> Estimate:
        """What telemetry says of it."""
        return of_events(kind, self.confidences, self.chances)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the truth lies within the error bars.

    Args:
        groups: of recordings.
        held: share of them whose truth lies within low..high; None without groups.
        width: mean of (high - low) / truth.
    """

    groups: int
    held: float | None
    width: float | None


def told(said: Sequence[Visit | ShelfEvent], truth: Mapping[str, Any]) -> dict[Kind, Told]:
    """What was told of each kind that the truth file judges."""
    reaches = [one for one in said if isinstance(one, Reach)]
    handlings = [one for one in said if isinstance(one, Handling)]
    found = {}
    if "reaches" in truth:
        right = right_reaches(reaches, truth["reaches"])
        found[Kind.REACHES] = _told(Kind.REACHES, len(truth["reaches"]), right, reaches, handlings)
    for kind, move in MOVES.items():
        if "events" in truth:
            true = [one for one in truth["events"] if one["event"] == move.value]
            right = right_moves([one for one in handlings if one.move is move], true)
            found[kind] = _told(kind, len(true), right, reaches, handlings)
    return found


def _told(
    kind: Kind, true: int, right: list[int], reaches: list[Reach], handlings: list[Handling]
) -> Told:
    found = trials(kind, reaches, handlings)
    flags = tuple(i in right for i in range(len(found.confidences)))
    return Told(true, found.confidences, flags, found.chances)


def coverage(kind: Kind, recordings: Sequence[Told]) -> Coverage:
    """Groups of recordings in their order, each with its truth and its estimate."""
    groups = [
        (sum(one.true for one in group), sum_of([one.estimate(kind) for one in group]))
        for group in _groups(recordings)
    ]
    if not groups:
        return Coverage(0, None, None)
    held = [guess.low <= true <= guess.high for true, guess in groups]
    widths = [(guess.high - guess.low) / true for true, guess in groups]
    return Coverage(len(groups), float(np.mean(held)), float(np.mean(widths)))


def sum_of(estimates: Sequence[Estimate]) -> Estimate:
    """All of some together."""
    return sum(estimates, Estimate(0, 0, 0))


def calibrated(recordings: Sequence[Told]) -> Calibration:
    """What a unit should say, were all recordings like these.

    A straight line through how often told events are true (least squares), missed events by their
    chances, and the scatter of recordings about that, as a ratio of variances.
    """
    sure = np.array([c for one in recordings for c in one.confidences])
    right = np.array([r for one in recordings for r in one.right], float)
    chances = sum(one.chances for one in recordings)
    missed = sum(one.true for one in recordings) - right.sum()
    doubtful, certain = _line(sure, right)
    known = Calibration(doubtful, certain, missed / chances if chances else 0.0, 1.0)
    expected, off = [], []
    for one in recordings:
        chance = [known.probability(c) for c in one.confidences]
        expected.append(sum(p * (1 - p) for p in chance) + known.missed * one.chances)
        off.append(one.true - sum(chance) - known.missed * one.chances)
    scatter = float(np.square(off).sum() / sum(expected)) if sum(expected) else 1.0
    return Calibration(doubtful, certain, round(known.missed, 3), round(max(1.0, scatter), 2))


def _line(sure: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> tuple[float, float]:
    """How often what is told with confidence 0, and 1, is true; never falling."""
    if not len(sure):
        return 0.0, 0.0
    if np.ptp(sure) < 1e-6:
        return (round(float(right.mean()), 3),) * 2
    slope, start = np.polyfit(sure, right, 1)
    slope = max(0.0, float(slope))
    start = float(right.mean() - slope * sure.mean())
    doubtful, certain = np.clip([start, start + slope], 0, 1).round(3).tolist()
    return doubtful, certain


def _groups(recordings: Sequence[Told]) -> Iterator[list[Told]]:
    group: list[Told] = []
    for one in recordings:
        group.append(one)
        if sum(member.true for member in group) >= LEAST_EVENTS:
            yield group
            group = []
