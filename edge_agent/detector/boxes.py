"""Boxes that a detector suggests, and which of them stay."""

from __future__ import annotations

import numpy as np

from edge_agent.observations import Detections, Frame

# Score, left, top, right, bottom; pixels of the model's input.
Candidate = tuple[float, float, float, float, float]


def suppress(candidates: list[Candidate], most_overlap: float) -> list[Candidate]:
    """Greedy non-maximum suppression.

    Plain Python on purpose: an aisle gives some ten candidates a frame, and straight after an
    inference, with cold caches, each numpy call costs what five of them cost here (measured).

    Args:
        candidates: best first.
        most_overlap: intersection over union above which the worse of two goes, 0..1.

    Returns:
        Those that stay, best first.
    """
    kept: list[Candidate] = []
    # Intersection over union > most_overlap, without the division.
    share = most_overlap / (1 + most_overlap)
    for one in candidates:
        _, left, top, right, bottom = one
        area = (right - left) * (bottom - top)
        for _, left2, top2, right2, bottom2 in kept:
            width = (right if right < right2 else right2) - (left if left > left2 else left2)
            height = (bottom if bottom < bottom2 else bottom2) - (top if top > top2 else top2)
            both = area + (right2 - left2) * (bottom2 - top2)
            if width > 0 and height > 0 and width * height > share * both:
                break
        else:
            kept.append(one)
    return kept


def placed(
    frame: Frame, kept: list[Candidate], size: tuple[int, int]
) -> tuple[list[int], Detections]:
    """Boxes as fractions, cut at the frame's border; those that lie in the padding are no one.

    Args:
        frame: only its time is read.
        kept: boxes in pixels of the input.
        size: width and height of the frame in the input.

    Returns:
        Which of kept stay, and those.
    """
    width, height = size
    rows, boxes, scores = [], [], []
    for row, (score, left, top, right, bottom) in enumerate(kept):
        x0, x1 = max(0.0, left / width), min(1.0, right / width)
        y0, y1 = max(0.0, top / height), min(1.0, bottom / height)
        if x1 > x0 and y1 > y0:
            rows.append(row)
            boxes.append((x0, y0, x1, y1))
            scores.append(score)
    found = Detections(frame.t, np.array(boxes, np.float64).reshape(-1, 4), np.array(scores))
    return rows, found
