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
    2nd, 3rd and 6th, forwards and backwards, with missing boxes and moving cameras added). None is
    at an edge: a third more or less of any changes HOTA and IDF1 by less than the lead over
    ByteTrack.

    Args:
        speed: standard deviation of walking speed, heights a second. Adults walk 1.3 m/s with
            heights of 1.7 m, in all directions, and stand half of the time in a shop.
        memory_s: seconds for which a velocity is kept on average.
        jitter: standard deviation of a detected box's centre and size, heights; detectors and
            hand-drawn boxes alike have 2 to 4 %.
        reach: how far from its expected place a detection may be, heights. About the half width
            of a person with its shadow; a step of 0.2 s at walking pace is 0.16.
        reach_low: the same for a detection of low score, which continues tracks only.
        size_weight: what a difference in width or height counts beside one in place.
        aspect: width of the picture over its height, as one height across is that much less of
            the frame's width; 1 where boxes come in pixels.
        high_score: from here a detection can begin a track and is matched first (the two bands of
            ByteTrack, Zhang et al. 2022).
        confirm_s: a track is confirmed by a detection this many seconds after its first, so never
            by one frame alone.
        tentative_s: an unconfirmed track is given up after so many seconds without a detection.
        lost_s: a confirmed one; as long as gaps in a visit are bridged.
    """

    speed: float = 0.6
    memory_s: float = 5.0
    jitter: float = 0.03
    reach: float = 0.3
    reach_low: float = 0.2
    size_weight: float = 0.6
    aspect: float = 16 / 9
    high_score: float = 0.5
    confirm_s: float = 0.06
    tentative_s: float = 0.3
    lost_s: float = 2.0


class Tracker:
    """Gives people identities; one instance a camera. Keeps nothing of tracks that are gone."""

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self._config = config = config or TrackerConfig()
        size, across = config.size_weight**2, config.aspect**2
        self._weights = np.array([size * across, size, across, 1.0])
        self._measured = motion.Measured(self._weights)
        self._steps: dict[int, Floats] = {}
        self._ms = 0
        self._next_id = 1
        # One column a track, and a last one that is none: a place for new tracks to come from.
        self._state = motion.newborn(config.speed)
        self._newborn = self._step(0).dot(self._state)[:, 0]

    def update(self, detections: Detections) -> Tracks:
        """Take one frame's detections, an empty one's too, and tell who they are.

        Every detection comes back in the order given, but those of low score that continue no
        track. A new track is handed over from its first detection, with ``confirmed`` false.
        A step back in time, or one of more than ``lost_s``, ends all tracks.

        Args:
            detections: boxes in fractions of the frame, or in any unit that ``aspect`` fits.
        """
        boxes, scores, keypoints = detections.boxes, detections.scores, detections.keypoints
        measured = self._measured.rows(boxes)
        tracks = self._predict(detections.t)
        listed = scores.tolist()
        found = self._associate(tracks, measured, listed)
        rows = found.row_of
        if FREE in rows:
            columns, rows = self._admit(rows, listed, tracks)
            if len(columns) < len(listed):
                kept = np.array(columns, dtype=np.intp)
                boxes, scores, measured = boxes[kept], scores[kept], measured[:, kept]
                keypoints = None if keypoints is None else keypoints[kept]
        count = len(rows)
        tracks = tracks.take(rows + self._lost(found.column_of, tracks), 1)
        seen = tracks[:, :count]
        if found.row_of is not rows:
            self._name(seen, rows, len(found.column_of))
        motion.correct(seen, measured[:6])
        self._state = tracks[: motion.ROWS]
        return Tracks(
            detections.t,
            seen[motion.ID].astype(np.int64),
            boxes,
            scores,
            seen[motion.AGE] >= self._config.confirm_s,
            keypoints,
        )

    def _predict(self, t: float) -> Floats:
        """All rows of the tracks at time t and of the one that is none, [51, tracks + 1]."""
        ms = round(t * 1000)  # rounded here, not by the step: steps then add up to the true time
        step, self._ms = ms - self._ms, ms
        if not 0 <= step <= self._config.lost_s * 1000:
            self._state, step = self._state[:, -1:], 0
        return self._step(step).dot(self._state)

    def _step(self, ms: int) -> Floats:
        known = self._steps.get(ms)
        if known is None:
            if len(self._steps) >= _STEPS:
                self._steps.clear()
            c = self._config
            known = self._steps[ms] = motion.prediction(
                ms / 1000, c.speed, c.memory_s, c.jitter**2, c.reach, self._weights
            )
        return known

    def _associate(self, tracks: Floats, measured: Floats, scores: list[float]) -> Assignment:
        """Match detections of high score first, then the others with the tracks left over."""
        count = tracks.shape[1] - 1
        found = Assignment(count, len(scores))
        if not count or not scores:
            return found
        edges = _edges(tracks, measured)
        bound = self._config.high_score
        if min(scores) >= bound:
            found.add(edges)
            return found
        found.add([edge for edge in edges if scores[edge[2]] >= bound])
        near = (self._config.reach_low / self._config.reach) ** 2
        found.add(
            [
                edge
                for edge in edges
                if scores[edge[2]] < bound and edge[0] < near and found.column_of[edge[1]] == FREE
            ]
        )
        return found

    def _admit(
        self, row_of: list[int], scores: list[float], tracks: Floats
    ) -> tuple[list[int], list[int]]:
        """The columns that are tracks from now on, and the row of each: the last one if new."""
        blank = tracks.shape[1] - 1
        tracks[:, blank] = self._newborn
        bound = self._config.high_score
        columns = [c for c, row in enumerate(row_of) if row != FREE or scores[c] >= bound]
        return columns, [blank if row_of[c] == FREE else row_of[c] for c in columns]

    def _name(self, seen: Floats, rows: list[int], blank: int) -> None:
        for column, row in enumerate(rows):
            if row == blank:
                seen[motion.ID, column] = self._next_id
                self._next_id += 1

    def _lost(self, column_of: list[int], tracks: Floats) -> list[int]:
        """Rows to keep though nobody was seen there, and the one that is no track."""
        kept = []
        if FREE in column_of:
            c = self._config
            age, unseen = tracks[motion.AGE].tolist(), tracks[motion.UNSEEN].tolist()
            for row, column in enumerate(column_of):
                if column == FREE:
                    confirmed = age[row] - unseen[row] >= c.confirm_s
                    if unseen[row] <= (c.lost_s if confirmed else c.tentative_s):
                        kept.append(row)
        kept.append(len(column_of))
        return kept


def _edges(tracks: Floats, measured: Floats) -> list[Edge]:
    """Pairs of a track and a detection within its reach, nearest first.

    Distance, not intersection over union: that is 0 for all boxes a step apart, be it a short or a
    long one, and at five frames a second a step is often wider than the person.
    """
    squared = tracks[motion.SQUARED]
    squared *= squared
    # Squared distance less squared reach; the sign bit tells who is within.
    excess = tracks[motion.COMPARED, :-1].T.dot(measured[6:]).ravel()
    pairs = np.signbit(excess).nonzero()[0]
    limits = tracks[motion.LIMIT].tolist()
    columns = measured.shape[1]
    edges = []
    for value, pair in zip(excess[pairs].tolist(), pairs.tolist(), strict=True):
        row = pair // columns
        edges.append((1.0 + value / limits[row], row, pair - row * columns))
    edges.sort()
    return edges
