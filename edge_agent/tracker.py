"""Who is who from frame to frame: predict, associate in two score bands, update."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from edge_agent.observations import Detections, Floats, Tracks


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    speed: float = 0.8
    memory_s: float = 2.0
    jitter: float = 0.03
    high_score: float = 0.5
    low_score: float = 0.1
    min_overlap: float = 0.1
    min_overlap_low: float = 0.4
    widening: float = 0.1
    confirm_hits: int = 2
    lost_s: float = 2.0
    tentative_s: float = 0.3


_SIGNS = np.array([[-1.0], [-1.0], [1.0], [1.0]])


@dataclass(slots=True)
class _Life:
    id: int
    last_seen: float
    hits: int = 1
    confirmed: bool = False


class Tracker:
    """Gives people identities; one instance a camera."""

    def __init__(self, config: TrackerConfig = TrackerConfig()) -> None:  # noqa: B008
        self._config = config
        self._t: float | None = None
        self._next_id = 1
        self._lives: list[_Life] = []
        blank = np.zeros((12, 1))
        blank[8], blank[10], blank[11] = 1e9, config.speed**2, 1.0
        self._blank = blank
        self._state: Floats = blank.copy()
        self._motions: dict[float, Floats] = {}

    def update(self, detections: Detections) -> Tracks:
        """Take one frame's detections and return the same people with identities."""
        t = detections.t
        dt = 0.0 if self._t is None else max(0.0, t - self._t)
        self._t = t
        config = self._config
        state = self._motion(dt) @ self._state
        measured = detections.boxes.T * _SIGNS
        scores = detections.scores.tolist()
        rows = self._associate(state[:4, :-1], measured, scores)
        lives = self._lives
        blank = len(lives)
        keep: list[int] = []
        perm: list[int] = []
        now: list[_Life] = []
        for column, row in enumerate(rows):
            if row >= 0:
                life = lives[row]
                life.hits += 1
                life.last_seen = t
                if life.hits >= config.confirm_hits:
                    life.confirmed = True
            elif scores[column] >= config.high_score:
                life = _Life(self._next_id, t)
                self._next_id += 1
                row = blank
            else:
                continue
            keep.append(column)
            perm.append(row)
            now.append(life)
        matched = len(keep)
        taken = set(perm)
        for row, life in enumerate(lives):
            if row not in taken:
                limit = config.lost_s if life.confirmed else config.tentative_s
                if t - life.last_seen <= limit:
                    perm.append(row)
                    now.append(life)
        perm.append(blank)
        state[:, blank] = self._blank[:, 0]
        state = state.take(perm, axis=1)
        part = len(keep) < len(rows)
        if part:
            measured = measured[:, keep]
        noise = config.jitter**2
        seen = state[:, :matched]
        gain = seen[8:10] / (seen[8] + noise)
        residual = measured - seen[:4]
        seen[:4] += gain[0] * residual
        seen[4:8] += gain[1] * residual
        seen[10] -= gain[1] * seen[9]
        seen[8:10] = gain * noise
        self._state = state
        self._lives = now
        keypoints = detections.keypoints
        return Tracks(
            t,
            np.array([life.id for life in now[:matched]], dtype=np.int64),
            detections.boxes[keep] if part else detections.boxes,
            detections.scores[keep] if part else detections.scores,
            np.array([life.confirmed for life in now[:matched]], dtype=np.bool_),
            keypoints[keep] if part and keypoints is not None else keypoints,
        )

    def _motion(self, dt: float) -> Floats:
        key = round(dt, 4)
        known = self._motions.get(key)
        if known is None:
            if len(self._motions) > 64:
                self._motions.clear()
            known = self._motions[key] = _motion(key, self._config.speed, self._config.memory_s)
        return known

    def _associate(self, predicted: Floats, measured: Floats, scores: list[float]) -> list[int]:
        tracks, columns = predicted.shape[1], len(scores)
        rows = [-1] * columns
        if not tracks or not columns:
            return rows
        config = self._config
        wide = config.widening
        a = predicted + wide * (predicted[1] + predicted[3])
        b = measured + wide * (measured[1] + measured[3])
        sides = np.minimum(a[:, :, None], b[:, None, :])
        spans = sides[:2] + sides[2:]
        inter = np.maximum(spans[0], 0.0) * spans[1]
        a = a[:2] + a[2:]
        b = b[:2] + b[2:]
        overlap = inter / (np.add.outer(a[0] * a[1], b[0] * b[1]) - inter)
        flat = overlap.ravel()
        pairs = np.flatnonzero(flat > config.min_overlap)
        values = flat[pairs]
        order = (-values).argsort(kind="stable")
        low = []
        free = [True] * tracks
        for pair, value in zip(pairs[order].tolist(), values[order].tolist(), strict=True):
            row, column = divmod(pair, columns)
            if scores[column] < config.high_score:
                if value > config.min_overlap_low and scores[column] >= config.low_score:
                    low.append((row, column))
            elif free[row] and rows[column] < 0:
                free[row] = False
                rows[column] = row
        for row, column in low:
            if free[row] and rows[column] < 0:
                free[row] = False
                rows[column] = row
        return rows


def _motion(dt: float, speed: float, memory: float) -> Floats:
    keep = exp(-dt / memory)
    reach = memory * (1 - keep)
    variance = speed * speed
    matrix = np.eye(12)
    for side in range(4):
        matrix[side, side + 4] = reach
        matrix[side + 4, side + 4] = keep
    matrix[8, 9:] = (
        2 * reach,
        reach * reach,
        variance * memory * (2 * dt - memory * (3 - 4 * keep + keep * keep)),
    )
    matrix[9, 9:] = keep, keep * reach, variance * memory * (1 - keep) ** 2
    matrix[10, 10:] = keep * keep, variance * (1 - keep * keep)
    return matrix
