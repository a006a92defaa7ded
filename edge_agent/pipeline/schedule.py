"""On which frames the detector runs. Pure: time and what was seen come in."""

from __future__ import annotations

from edge_agent.config import BudgetConfig
from edge_agent.observations import Floats, Tracks

# While somebody is there or may be, the detector runs at least so often: twice a second is what
# dwell needs, for the ends of a visit lie between two detections and a short one needs two.
MOST_APART_S = 0.5
# What `detect_every: auto` aims at. Five detections a second are enough for dwell in any scene;
# half of that where everybody is known and stands clear of the others.
LIVELY_S, CALM_S = 0.2, 0.4
# Every frame counts for so long after a start or an outage.
SETTLE_S = 1.0
# Frames missing for longer than this (or 3 analysed frames) are an outage.
_OUTAGE_S = 1.0
# Something moves and so many runs in a row found nobody: it is hardly a person.
_FUTILE = 5
_EPSILON_S = 1e-6


class Schedule:
    """Says for each frame whether the detector is to run, and is told what it found.

    Args:
        budget: how to save.
        interval_s: seconds from one analysed frame to the next, as configured.
        linger_s: somebody who vanished may come back for so long.
    """

    def __init__(self, budget: BudgetConfig, interval_s: float, linger_s: float) -> None:
        self._budget = budget
        self._outage_s = max(_OUTAGE_S, 3 * interval_s)
        self._linger_s = linger_s
        self.restart()

    def restart(self) -> None:
        """Nothing is known: the next frames all count."""
        self._since: float | None = None
        self._frame_s = 0.0
        self._run_s = 0.0
        self._person_s: float | None = None
        self._frames = 0  # since the last run
        self._found = 0  # people in the last run
        self._futile = 0  # runs in a row that found nobody
        self._ids: list[int] = []
        self._calm = False
        self._occupied = False

    @property
    def found(self) -> bool:
        """Whether the last run found anybody."""
        return self._found > 0

    def attended(self, t: float) -> bool:
        """Whether somebody is there or may come back: a visit is open, a track is alive."""
        lately = self._person_s is not None and t - self._person_s <= self._linger_s + _EPSILON_S
        return self.found or self._occupied or lately

    def due(self, t: float, moved: bool) -> bool:
        """Whether the detector runs on this frame.

        Args:
            t: seconds; called once for each analysed frame.
            moved: the frame shows anything but the empty place, or nobody looked.
        """
        step, self._frame_s = t - self._frame_s, t
        self._frames += 1
        if self._since is None or not 0 <= step <= self._outage_s:
            self._since = t
        if t - self._since < SETTLE_S:
            return True
        waited = t - self._run_s
        attended = self.attended(t)
        if not moved:
            self._futile = 0
            if not attended:
                return waited + step / 2 >= self._budget.look_s
        if (attended or moved) and waited + step > MOST_APART_S + _EPSILON_S:
            return True
        if attended and not self.found and not moved:
            return False  # whoever may come back has to move first
        if self._budget.detect_every is not None:
            return self._frames >= self._budget.detect_every
        calm = self._calm if self.found else self._futile >= _FUTILE
        return waited + step / 2 >= (CALM_S if calm else LIVELY_S) - _EPSILON_S

    def ran(self, tracks: Tracks, occupied: bool) -> None:
        """The detector ran on the frame that was due.

        Args:
            tracks: of that frame.
            occupied: whether a visit is open.
        """
        self._run_s = tracks.t
        self._frames = 0
        self._found = len(tracks.ids)
        self._occupied = occupied
        self._futile = 0 if self._found else self._futile + 1
        ids = tracks.ids.tolist()
        if ids:
            self._person_s = tracks.t
            same = set(ids) == set(self._ids)
            self._calm = same and bool(tracks.confirmed.all()) and _apart(tracks.boxes)
        self._ids = ids

    def rested(self, occupied: bool) -> None:
        """The detector rested on an empty place."""
        self._occupied = occupied


def _apart(boxes: Floats) -> bool:
    """Whether no two boxes touch: nobody hides another or can be taken for them."""
    rows = boxes.tolist()
    return not any(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        for i, a in enumerate(rows)
        for b in rows[:i]
    )
