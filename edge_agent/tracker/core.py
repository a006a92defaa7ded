"""Predict, associate, update."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_agent.observations import Detections, Floats, Tracks
from edge_agent.tracker import motion
from edge_agent.tracker.associate import FREE, Assignment, Scratch, similarity


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    speed: float = 0.6
    memory_s: float = 5.0
    jitter: float = 0.03
    widening: float = 0.1
    high_score: float = 0.5
    min_similarity: float = 0.25
    min_similarity_low: float = 0.5
    confirm_s: float = 0.06
    tentative_s: float = 0.3
    lost_s: float = 2.0


class Tracker:
    def __init__(self, config: TrackerConfig | None = None) -> None:
        self._config = config = config or TrackerConfig()
        self._t: float | None = None
        self._next_id = 1
        self._newborn = motion.newborn(config.speed)
        self._measurement = motion.measurement(config.widening)
        self._scratch = Scratch()
        self._predictions: dict[float, Floats] = {}
        # One column a track, and a last one that is none: what a new track is copied from.
        self._state = self._newborn.copy()

    def update(self, detections: Detections) -> Tracks:
        t = detections.t
        predicted = self._predict(t)
        measured = self._measurement.dot(detections.boxes.T)
        scores = detections.scores.tolist()
        found = self._associate(predicted, measured, scores)
        columns, rows = self._admit(found.row_of, scores)
        count = len(rows)
        rows += self._lost(found.column_of, predicted, t)
        rows.append(predicted.shape[1] - 1)
        state = predicted[: motion.ROWS].take(rows, axis=1)
        seen = state[:, :count]
        if columns is not None:
            measured = measured[:, columns]
            detections = _chosen(detections, columns)
            self._give_birth(seen, rows, t)
        seen[motion.LAST_SEEN] = t
        motion.correct(seen, measured[motion.SIDES], self._config.jitter**2)
        self._state = state
        return Tracks(
            t,
            seen[motion.ID].astype(np.int64),
            detections.boxes,
            detections.scores,
            seen[motion.BORN] <= t - self._config.confirm_s,
            detections.keypoints,
        )

    def _predict(self, t: float) -> Floats:
        """The state at time t, [21, tracks + 1]; no tracks where the clock jumped."""
        config = self._config
        dt = 0.0 if self._t is None else t - self._t
        self._t = t
        if not 0 <= dt <= config.lost_s:
            self._state = self._newborn
            dt = 0.0
        dt = round(dt, 3)
        known = self._predictions.get(dt)
        if known is None:
            if len(self._predictions) >= _PREDICTIONS:
                self._predictions.clear()
            known = motion.prediction(dt, config.speed, config.memory_s, config.widening)
            self._predictions[dt] = known
        return known.dot(self._state)

    def _associate(self, predicted: Floats, measured: Floats, scores: list[float]) -> Assignment:
        config = self._config
        tracks, columns = predicted.shape[1] - 1, len(scores)
        found = Assignment(tracks, columns)
        if not tracks or not columns:
            return found
        alike = similarity(predicted[motion.ROWS :, :tracks], measured[4:], self._scratch).ravel()
        pairs = (alike > config.min_similarity).nonzero()[0]
        values = alike[pairs]
        order = values.argsort()[::-1]
        high, low = [], []
        for pair, value in zip(pairs[order].tolist(), values[order].tolist(), strict=True):
            row = pair // columns
            column = pair - row * columns
            if scores[column] >= config.high_score:
                high.append((row, column, value))
            elif value > config.min_similarity_low:
                low.append((row, column, value))
        found.add(high)
        if low:
            found.add([edge for edge in low if found.column_of[edge[0]] == FREE])
        return found

    def _admit(self, row_of: list[int], scores: list[float]) -> tuple[list[int] | None, list[int]]:
        if FREE not in row_of:
            return None, row_of
        blank = self._state.shape[1] - 1
        columns, rows = [], []
        for column, row in enumerate(row_of):
            if row == FREE:
                if scores[column] < self._config.high_score:
                    continue
                row = blank
            columns.append(column)
            rows.append(row)
        return columns, rows

    def _lost(self, column_of: list[int], predicted: Floats, t: float) -> list[int]:
        lost = [row for row, column in enumerate(column_of) if column == FREE]
        if not lost:
            return lost
        config = self._config
        born, last = predicted[motion.BORN : motion.ROWS].tolist()
        return [
            row
            for row in lost
            if t - last[row]
            <= (config.lost_s if born[row] <= last[row] - config.confirm_s else config.tentative_s)
        ]

    def _give_birth(self, seen: Floats, rows: list[int], t: float) -> None:
        blank = self._state.shape[1] - 1
        new = [column for column in range(seen.shape[1]) if rows[column] == blank]
        if new:
            seen[:, new] = self._newborn
            seen[motion.ID, new] = range(self._next_id, self._next_id + len(new))
            seen[motion.BORN, new] = t
            self._next_id += len(new)


_PREDICTIONS = 64


def _chosen(detections: Detections, columns: list[int]) -> Detections:
    keypoints = detections.keypoints
    return Detections(
        detections.t,
        detections.boxes[columns],
        detections.scores[columns],
        None if keypoints is None else keypoints[columns],
    )
