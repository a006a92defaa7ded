"""How good a tracking is: HOTA and IDF1 against the truth.

HOTA: Luiten et al., "HOTA: a higher order metric for evaluating multi-object tracking", IJCV 2021.
IDF1: Ristani et al., "Performance measures and a data set for multi-target, multi-camera
tracking", 2016. Figures equal those of TrackEval for both (the ``trackers`` package, which
holds a port of it, gave the same ones on the three sequences to the last digit).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.bench.mot import Sequence
from edge_agent.observations import Floats

# HOTA's localisation thresholds, and IDF1's.
_ALPHAS = np.arange(0.05, 0.99, 0.05)
_IDENTITY = 0.5
_EPSILON = float(np.finfo(np.float64).eps)

# Of a frame: where its people and tracks are in a matrix of all of them, and their overlap.
_Meeting = tuple[tuple[NDArray[np.intp], ...], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Counts of one or more sequences; ``a + b`` is both taken together.

    Args:
        hits: true positives at each of HOTA's 19 thresholds.
        association: sum over those of how well the two tracks' whole lives agree, 0..1 each.
        truths: boxes of the truth.
        results: boxes of the tracker.
        identical: boxes that carry the right person's identity (IDTP).
    """

    hits: Floats
    association: Floats
    truths: int
    results: int
    identical: float

    def __add__(self, other: Score) -> Score:
        return Score(
            self.hits + other.hits,
            self.association + other.association,
            self.truths + other.truths,
            self.results + other.results,
            self.identical + other.identical,
        )

    @property
    def hota(self) -> float:
        """Geometric mean of detection and association accuracy, mean over thresholds, 0..1."""
        detection = self.hits / np.maximum(1, self.truths + self.results - self.hits)
        return float(np.sqrt(detection * self.association / np.maximum(1, self.hits)).mean())

    @property
    def idf1(self) -> float:
        """Share of boxes with the right identity, 0..1."""
        return 2 * self.identical / max(1, self.truths + self.results)


def score(truth: Sequence, result: Sequence) -> Score:
    """Compare a tracker's boxes with the truth; frames that are absent hold no box."""
    frames = sorted(set(truth) | set(result))
    people, tracks = _numbers(truth), _numbers(result)
    seen, drawn = np.zeros((len(people), 1)), np.zeros((1, len(tracks)))
    alike, close = np.zeros((2, len(people), len(tracks)))
    both: list[_Meeting] = []
    for frame in frames:
        rows, columns = _places(truth, frame, people), _places(result, frame, tracks)
        seen[rows] += 1
        drawn[:, columns] += 1
        if rows and columns:
            overlap = _overlap(truth[frame].boxes, result[frame].boxes)
            cells = np.ix_(rows, columns)
            total = overlap.sum(0)[None] + overlap.sum(1)[:, None] - overlap
            alike[cells] += np.divide(overlap, total, out=np.zeros_like(total), where=total > 0)
            close[cells] += overlap >= _IDENTITY
            both.append((cells, overlap))
    return Score(
        *_hota(both, alike / np.maximum(_EPSILON, seen + drawn - alike), seen, drawn),
        int(seen.sum()),
        int(drawn.sum()),
        float(sum(close[row, column] for row, column in pair(close))),
    )


def _hota(
    both: list[_Meeting], global_match: Floats, seen: Floats, drawn: Floats
) -> tuple[Floats, Floats]:
    counts = np.zeros((len(_ALPHAS), *global_match.shape))
    for (rows, columns), overlap in both:
        for i, j in pair(global_match[rows, columns] * overlap):
            counts[:, rows[i, 0], columns[0, j]] += overlap[i, j] >= _ALPHAS - _EPSILON
    agreement = counts / np.maximum(1, seen + drawn - counts)
    return counts.sum((1, 2)), (counts * agreement).sum((1, 2))


def _numbers(sequence: Sequence) -> dict[int, int]:
    ids = sorted({who for boxes in sequence.values() for who in boxes.ids.tolist()})
    return {who: number for number, who in enumerate(ids)}


def _places(sequence: Sequence, frame: int, numbers: dict[int, int]) -> list[int]:
    return [numbers[who] for who in sequence[frame].ids.tolist()] if frame in sequence else []


def _overlap(a: Floats, b: Floats) -> Floats:
    """Intersection over union, [N, M]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    size_a, size_b = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (a, b))
    both: Floats = shared / (size_a[:, None] + size_b[None] - shared)
    return both


def pair(worth: Floats) -> list[tuple[int, int]]:
    """The one-to-one pairing of rows and columns with the greatest sum (worth >= 0).

    The Hungarian method with potentials (Kuhn 1955, Munkres 1957), row by row.
    """
    if worth.shape[0] > worth.shape[1]:
        return [(row, column) for column, row in pair(worth.T)]
    rows, columns = worth.shape
    cost = np.hstack([np.zeros((rows, 1)), -worth])  # column 0 stands for "the new row"
    row_price, column_price = np.zeros(rows), np.zeros(columns + 1)
    owner = np.full(columns + 1, -1)
    for new in range(rows):
        owner[0], column = new, 0
        slack = np.full(columns + 1, np.inf)
        before = np.zeros(columns + 1, dtype=np.intp)
        done = np.zeros(columns + 1, dtype=bool)
        while owner[column] >= 0:
            done[column] = True
            row = owner[column]
            reduced = cost[row] - row_price[row] - column_price
            nearer = ~done & (reduced < slack)
            slack[nearer], before[nearer] = reduced[nearer], column
            nearest = int(np.where(done, np.inf, slack).argmin())
            step = slack[nearest]
            row_price[owner[done]] += step
            column_price[done] -= step
            slack[~done] -= step
            column = nearest
        while column:
            owner[column] = owner[before[column]]
            column = int(before[column])
    return [(int(row), column - 1) for column, row in enumerate(owner) if column and row >= 0]
