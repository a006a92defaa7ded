"""The tracker: predict, associate, update."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_agent.observations import Detections, Floats, Tracks
from edge_agent.tracker import motion
from edge_agent.tracker.associate import FREE, Assignment, Edge

# Prediction matrices kept, one for each time step in whole milliseconds seen lately.
_STEPS = 64


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """How people move and how sure a detector is.

    Values were set on three public sequences (MOT17-02, MOT17-09, TUD-Campus; every frame and each
    2nd, 3rd and 6th, forwards and backwards, with boxes left out and cameras made to move). None
    is at an edge: with 30 % more or less of any, HOTA and IDF1 on MOT17 stay above ByteTrack's.

    Args:
        speed: standard deviation of walking speed along one axis, heights a second. Adults walk
            1.3 m/s at heights of 1.7 m, in any direction, and in a shop stand half of the time.
        memory_s: seconds for which a velocity is kept on average.
        jitter: standard deviation of a detected box's centre and size, heights; detectors and
            hand-drawn boxes alike have 2 to 4 %.
        reach: how far from its expected place a detection may be, heights: about half a person's
            width and a quarter of a second's walk.
        reach_low: the same for a detection of low score, which continues tracks only.
        width_weight: what a difference in width counts beside one in place; little, as legs and
            arms open and close.
        height_weight: the same of height, which tells people at different distances apart.
        aspect: width of the picture over its height: a fraction across is so much longer than the
            same fraction down. 1 where boxes come in pixels.
        high_score: from here a detection can begin a track and is matched first (the two bands of
            ByteTrack, Zhang et al. 2022).
        confirm_s: a track is confirmed by a detection more than so many seconds after its first,
            so never by one frame alone.
        tentative_s: an unconfirmed track is given up after so many seconds without a detection.
        lost_s: a confirmed one; as long as gaps in a visit are bridged.
    """

    speed: float = 0.65
    memory_s: float = 8.0
    jitter: float = 0.03
    reach: float = 0.3
    reach_low: float = 0.2
    width_weight: float = 0.4
    height_weight: float = 0.75
    aspect: float = 16 / 9
    high_score: float = 0.5
    confirm_s: float = 0.06
    tentative_s: float = 0.25
    lost_s: float = 2.0


class Tracker:
    """Gives people identities; one instance a camera. Keeps nothing of tracks that are gone."""

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self._config = config = config or TrackerConfig()
        across = config.aspect
        weights = [config.width_weight * across, config.height_weight, across, 1.0]
        self._weights = np.square(weights)
        self._measured = motion.Measured(self._weights)
        self._steps: dict[int, Floats] = {}
        self._ms = 0
        self._next_id = 1
        # One column a track, and a last one that is none: a place for new tracks to come from.
        self._state = motion.newborn(config.speed, config.confirm_s)
        self._newborn = self._learn(0).dot(self._state)[:, 0]
        self._longest = round(config.lost_s * 1000)
        self._near = (config.reach_low / config.reach) ** 2

    def update(self, detections: Detections) -> Tracks:
        """Take one frame's detections, an empty one's too, and tell who they are.

        Every detection comes back in the order given, but those of low score that continue no
        track. A new track is handed over from its first detection, with ``confirmed`` false.
        A step back in time, or one of more than ``lost_s``, ends all tracks.

        Args:
            detections: boxes in fractions of the frame, or in any unit that ``aspect`` fits.
        """
        boxes, scores, keypoints = detections.boxes, detections.scores, detections.keypoints
        measured, compared = self._measured.rows(boxes)
        tracks = self._predict(detections.t)
        listed = scores.tolist()
        found = self._associate(tracks, compared, listed)
        rows = found.row_of
        new: list[int] = []
        if FREE in rows:
            rows, new, out = self._admit(rows, listed, tracks)
            if out:
                columns = [column for column in range(len(listed)) if column not in out]
                boxes, scores = boxes[columns], scores[columns]
                measured = measured.take(columns, 1)
                keypoints = None if keypoints is None else keypoints[columns]
        seen = tracks[motion.UPDATED].take(rows, 1)
        for column in new:
            seen[motion.ID, column] = self._next_id
            self._next_id += 1
        motion.correct(seen, measured)
        lost = tracks[: motion.ROWS].take(self._lost(found.column_of, tracks), 1)
        self._state = np.concatenate((seen[: motion.ROWS], lost), 1)
        return Tracks(
            detections.t,
            seen[motion.ID].astype(np.int64),
            boxes,
            scores,
            np.signbit(seen[motion.YOUTH]),
            keypoints,
            motion.steady(seen),
        )

    def _predict(self, t: float) -> Floats:
        """All rows of the tracks at time t and of the one that is none, [54, tracks + 1]."""
        ms = round(t * 1000)  # rounded here, not by the step: steps then add up to the true time
        step, self._ms = ms - self._ms, ms
        if not 0 <= step <= self._longest:
            self._state, step = self._state[:, -1:], 0
        matrix = self._steps.get(step)
        if matrix is None:
            matrix = self._learn(step)
        tracks: Floats = matrix.dot(self._state)
        return tracks

    def _learn(self, ms: int) -> Floats:
        if len(self._steps) >= _STEPS:
            self._steps.clear()
        c = self._config
        self._steps[ms] = motion.prediction(
            ms / 1000, c.speed, c.memory_s, c.jitter**2, c.reach, self._weights
        )
        return self._steps[ms]

    def _associate(self, tracks: Floats, compared: Floats, scores: list[float]) -> Assignment:
        """Match detections of high score first, then the others with the tracks left over.

        Distance, not intersection over union: that is 0 for all boxes a step apart, be it a short
        or a long one, and at five frames a second a step is often wider than the person.
        """
        columns = len(scores)
        squared = tracks[motion.SQUARED]
        squared *= squared
        # Squared distance less squared reach: the sign bit tells who is within.
        excess = tracks[motion.COMPARED].T.dot(compared).ravel()
        near = np.signbit(excess).nonzero()[0]
        pairs = near.tolist()
        found = Assignment(tracks.shape[1] - 1, columns)
        if found.add_undisputed(pairs):
            if min(scores, default=1.0) < self._config.high_score:
                self._doubt(found, scores, excess, tracks[motion.LIMIT])
            return found
        limits = tracks[motion.LIMIT].tolist()
        edges = [
            (1.0 + value / limits[pair // columns], pair // columns, pair % columns)
            for value, pair in zip(excess[near].tolist(), pairs, strict=True)
        ]
        found.clear()
        self._settle(found, edges, scores)
        return found

    def _doubt(
        self, found: Assignment, scores: list[float], excess: Floats, limits: Floats
    ) -> None:
        """Free detections of low score that are not near enough for that."""
        bound, columns = self._config.high_score, len(scores)
        for column, row in enumerate(found.row_of):
            if scores[column] < bound and row != FREE:
                far = 1.0 + excess[row * columns + column] / limits[row]
                if far >= self._near:
                    found.column_of[row] = found.row_of[column] = FREE

    def _settle(self, found: Assignment, edges: list[Edge], scores: list[float]) -> None:
        """Match where somebody contends."""
        bound = self._config.high_score
        edges.sort()
        high, low = [], []
        for edge in edges:
            if scores[edge[2]] >= bound:
                high.append(edge)
            elif edge[0] < self._near:
                low.append(edge)
        found.add(high)
        if low:
            found.add([edge for edge in low if found.column_of[edge[1]] == FREE])

    def _admit(
        self, row_of: list[int], scores: list[float], tracks: Floats
    ) -> tuple[list[int], list[int], set[int]]:
        """Begin tracks, and leave out what has too low a score for that.

        Returns:
            The row of each detection that stays (the last one if new), the places of the new ones
            among these, and the columns that are left out.
        """
        blank = tracks.shape[1] - 1
        tracks[:, blank] = self._newborn
        bound = self._config.high_score
        out = {c for c, row in enumerate(row_of) if row == FREE and scores[c] < bound}
        rows = [row for c, row in enumerate(row_of) if c not in out] if out else row_of
        new = [place for place, row in enumerate(rows) if row == FREE]
        return [blank if row == FREE else row for row in rows], new, out

    def _lost(self, column_of: list[int], tracks: Floats) -> list[int]:
        """Rows to keep though nobody was seen there, and the one that is no track."""
        lost = [row for row, column in enumerate(column_of) if column == FREE]
        if lost:
            c = self._config
            youth, unseen = tracks[motion.AGES].tolist()
            # Confirmed when last detected: then the longer limit holds.
            lost = [
                row
                for row in lost
                if unseen[row] <= (c.lost_s if youth[row] + unseen[row] < 0 else c.tentative_s)
            ]
        lost.append(len(column_of))
        return lost
