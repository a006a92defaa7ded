"""How far a changed model is from the float one, on the calibration pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

# Columns of a YOLOX row, see edge_agent's detector.
BOX, OBJECTNESS, PERSON = slice(0, 4), 4, 5
# Cells that may become a detection: those that either model gives at least this score.
LIKELY = 0.1
# A box 0.3 cells off still overlaps; a score 0.3 off is another detection.
BOX_WEIGHT = 0.02
# Errors above it grow in proportion only (Huber): a person is lost or seen, not more, and few
# pictures must not decide on all.
_FAR = 0.1


def loss(wanted: Sequence[Floats], found: Sequence[Floats]) -> float:
    """Huber's error of person scores (plus a little of boxes) over the cells that matter.

    Independent errors add up in it, as variances do.

    Args:
        wanted: the float model's rows [1, cells, columns], one array per picture.
        found: the other model's.
    """
    total, cells = 0.0, 0
    for ours, theirs in zip(wanted, found, strict=True):
        a, b = ours[0], theirs[0]
        score_a = a[:, OBJECTNESS] * a[:, PERSON]
        score_b = b[:, OBJECTNESS] * b[:, PERSON]
        likely = (score_a >= LIKELY) | (score_b >= LIKELY)
        off = np.abs(score_a - score_b)[likely]
        total += float(np.where(off < _FAR, off**2, _FAR * (2 * off - _FAR)).sum())
        total += BOX_WEIGHT * float(((a - b)[likely, BOX] ** 2).mean(axis=1).sum())
        cells += int(likely.sum())
    return total / max(1, cells)
