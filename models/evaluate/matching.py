"""Which found box is which true person, and what that is worth: greedy matching and AP.

As COCO's evaluation does it (Lin et al., "Microsoft COCO: common objects in context", 2014; the
rules are those of its reference code): boxes are taken best first, each takes the person it
overlaps most and that is still free. People who do not count (too small, too hidden) are ignore
regions: what lies on one, by half of its own area, is neither right nor false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# COCO's thresholds of intersection over union, and the recalls at which precision is read.
IOUS = tuple(float(round(iou, 2)) for iou in np.arange(0.5, 0.96, 0.05))
_RECALLS = np.linspace(0, 1, 101)
# Of a found box's area: lying on an ignore region. COCO takes the same threshold as for people.
_ON_REGION = 0.5
NOBODY, IGNORED = -1, -2


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The true people of one picture.

    Args:
        boxes: float64 [M, 4], x0 y0 x1 y1, fractions.
        ignored: bool [M], those who do not count.
        keypoints: float64 [M, 17, 3], x y (fractions) and 0 = not labelled, 1 = hidden,
            2 = visible; None where nobody labelled them.
    """

    boxes: Floats
    ignored: NDArray[np.bool_]
    keypoints: Floats | None = None

    @property
    def count(self) -> int:
        """People who count."""
        return int((~self.ignored).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a model found in one picture, best first.

    Args:
        boxes: float64 [N, 4], x0 y0 x1 y1, fractions.
        scores: float64 [N], falling.
        keypoints: float64 [N, 17, 3], x y score; None where the model finds none.
    """

    boxes: Floats
    scores: Floats
    keypoints: Floats | None = None

    def above(self, score: float) -> Found:
        """Those with at least that score."""
        kept = self.scores >= score
        joints = None if self.keypoints is None else self.keypoints[kept]
        return Found(self.boxes[kept], self.scores[kept], joints)


def match(found: Found, people: People, iou: float) -> NDArray[np.int64]:
    """The person that each found box is.

    Args:
        found: best first.
        people: the truth of the same picture.
        iou: the least intersection over union, 0..1.

    Returns:
        int64 [N]: index of a person, NOBODY or IGNORED.
    """
    shared = _shared(found.boxes, people.boxes)
    mine, theirs = _areas(found.boxes), _areas(people.boxes)
    overlap = _divide(shared, mine[:, None] + theirs[None] - shared)
    on_region = (_divide(shared, mine[:, None]) >= _ON_REGION)[:, people.ignored].any(axis=1)
    free = ~people.ignored
    taken = np.full(len(found.boxes), NOBODY, np.int64)
    for i, row in enumerate(overlap):
        best = int(np.where(free, row, -1).argmax()) if free.any() else NOBODY
        if best != NOBODY and row[best] >= iou:
            taken[i] = best
            free[best] = False
        elif on_region[i] or (row[people.ignored] >= iou).any():
            taken[i] = IGNORED
    return taken


def precision_recall(
    pictures: Sequence[tuple[Found, People]], iou: float
) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and score as the threshold falls through all pictures' boxes.

    Returns:
        Three float64 [K], one place per box that is not on an ignore region, best first.
    """
    scores, hits = [np.empty(0)], [np.empty(0, bool)]
    for found, people in pictures:
        taken = match(found, people, iou)
        counts = taken != IGNORED
        scores.append(found.scores[counts])
        hits.append(taken[counts] >= 0)
    joined = np.concatenate(scores)
    order = np.argsort(-joined, kind="stable")
    right = np.cumsum(np.concatenate(hits)[order])
    total = sum(people.count for _, people in pictures)
    return right / np.arange(1, len(order) + 1), right / max(1, total), joined[order]


def average_precision(precision: Floats, recall: Floats) -> float:
    """Area under the curve of precision over recall, 0..1, read at COCO's 101 recalls.

    Precision is first made to fall: at a recall it is the best that any later recall has.
    """
    if not len(precision):
        return 0.0
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.append(falling, 0.0)[np.minimum(places, len(falling))].mean())


def _shared(a: Floats, b: Floats) -> Floats:
    """Area of intersections, [N, M]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    area: Floats = np.clip(high - low, 0, None).prod(axis=2)
    return area


def _areas(boxes: Floats) -> Floats:
    area: Floats = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return area


def _divide(a: Floats, b: Floats) -> Floats:
    b = np.broadcast_to(b, a.shape)
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
