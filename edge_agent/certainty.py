"""How sure a count of told events is: an estimate with its error bars. Pure.

Not all that is told happened, and not all that happened is told. Both are known from recordings
with a truth: how often an event that is told is true, and how many are missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from math import hypot, sqrt

# Half of the interval that holds the truth 95 times of 100, in standard deviations.
_SIGMAS = 1.96


class Kind(Enum):
    """What is estimated."""

    REACHES = "reaches"
    PICKS = "picks"
    PUT_BACKS = "put_backs"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What recordings with a truth say of one kind of event.

    Args:
        doubtful, sure: how often one told with confidence 0, and with 1, is true, 0..1; in
            between it lies on the line between both.
        missed: true events that are not told for each chance to miss one, see `of_events`.
        dispersion: by how much the true variance is larger than that of independent events,
            at least 1: what misleads a unit once misleads it again in the same minute.
    """

    doubtful: float
    sure: float
    missed: float
    dispersion: float

    def probability(self, confidence: float) -> float:
        """How often an event told with that confidence (0..1) is true."""
        return self.doubtful + (self.sure - self.doubtful) * min(max(confidence, 0.0), 1.0)


# Measured with the built-in models, models evaluate accuracy --calibrate: reaches on 40 rendered
# shops that no constant was chosen on (9101 to 9140; on those that some were, more seem to be
# found), products on 41 more (7101 to 7107, 7201 to 7208, 9001 to 9026), for they are few.
CALIBRATION = {
    Kind.REACHES: Calibration(doubtful=0.00, sure=1.00, missed=0.38, dispersion=2.2),
    Kind.PICKS: Calibration(doubtful=0.00, sure=0.39, missed=0.15, dispersion=1.2),
    Kind.PUT_BACKS: Calibration(doubtful=0.00, sure=0.51, missed=0.12, dispersion=1.7),
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many there were: most likely ``best``, 95 times of 100 between ``low`` and ``high``."""

    low: float
    best: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.best <= self.high:
            raise ValueError(f"an estimate is 0 <= low <= best <= high: {self}")

    def __add__(self, other: Estimate) -> Estimate:
        """Of both together, their errors being independent: half widths add as squares do.

        The upper half is the width: the lower one may have been cut off at nothing.
        """
        half = hypot(self.high - self.best, other.high - other.best)
        return Estimate.about(self.best + other.best, half)

    @classmethod
    def about(cls, best: float, half: float) -> Estimate:
        """The one whose bars are so wide to either side; there are never less than none."""
        return cls(max(0.0, best - half), best, best + half)


def of_events(kind: Kind, confidences: Iterable[float], chances: int) -> Estimate:
    """How many events of a kind there were.

    Told events are independent trials that each turn out true or not (their number is
    Poisson-binomial); those missed come by chance (Poisson); the calibration says by how much
    both together scatter more than that.

    Args:
        kind: what was told.
        confidences: of each event told, 0..1.
        chances: where one could have been missed: for reaches, reaches told; for products,
            reaches told that moved none.
    """
    known = CALIBRATION[kind]
    probabilities = [known.probability(confidence) for confidence in confidences]
    missed = known.missed * chances
    best = sum(probabilities) + missed
    variance = (sum(p * (1 - p) for p in probabilities) + missed) * known.dispersion
    guess = Estimate.about(best, _SIGMAS * sqrt(variance))
    return Estimate(round(guess.low, 3), round(guess.best, 3), round(guess.high, 3))
