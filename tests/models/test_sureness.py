"""Whether error bars hold the truth, and what they should be."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent import certainty
from edge_agent.certainty import Calibration, Kind
from edge_agent.observations import Evidence, Handling, Move, Reach
from models.evaluate.sureness import Told, calibrated, coverage, told

HONEST = Calibration(doubtful=0.2, sure=0.8, missed=0.25, dispersion=1.0)


def shops(count, known=HONEST, scatter=0.0, seed=0):
    """Recordings of units that are right as often as a calibration says."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        sure = tuple(rng.uniform(0, 1, rng.integers(4, 12)).tolist())
        right = tuple(bool(rng.random() < known.probability(c)) for c in sure)
        chances = int(rng.integers(2, 9))
        missed = rng.poisson(known.missed * chances * rng.gamma(1 / scatter, scatter)
                             if scatter else known.missed * chances)  # fmt: skip
        made.append(Told(sum(right) + int(missed), sure, right, chances))
    return made


def test_what_is_told_of_each_kind_is_held_against_the_truth():
    reach = Reach("shelf", "A", 1.0, 2.0, Evidence.BOTH, confidence=0.9)
    other = Reach("shelf", "B", 11.0, 12.0, Evidence.INTRUSION, confidence=0.2)
    pick = Handling(Move.PICK, "shelf", "A", 1.8, 0.9)
    truth = {
        "reaches": [{"zone": "shelf", "start_s": 1.1, "end_s": 2.0}],
        "events": [{"event": "pick", "zone": "shelf", "facing": "A", "t_s": 1.5}] * 2,
    }
    found = told([reach, other, pick], truth)
    assert found[Kind.REACHES] == Told(1, (0.9, 0.2), (True, False), 2)
    assert found[Kind.PICKS] == Told(2, (0.9,), (True,), 1)
    assert found[Kind.PUT_BACKS] == Told(0, (), (), 1)
    assert told([reach], {}) == {}


def test_bars_of_an_honest_unit_hold_the_truth_and_those_of_a_proud_one_do_not(monkeypatch):
    monkeypatch.setitem(certainty.CALIBRATION, Kind.PICKS, HONEST)
    honest = coverage(Kind.PICKS, shops(400))
    assert honest.groups > 40
    assert honest.held >= 0.9
    proud = Calibration(doubtful=1.0, sure=1.0, missed=0.0, dispersion=1.0)
    monkeypatch.setitem(certainty.CALIBRATION, Kind.PICKS, proud)
    assert coverage(Kind.PICKS, shops(400)).held < 0.3


def test_too_few_events_are_no_group():
    found = coverage(Kind.PICKS, shops(2))
    assert (found.groups, found.held, found.width) == (0, None, None)


@pytest.mark.parametrize("known", [HONEST, Calibration(0.5, 0.9, 0.1, 1.0)])
def test_calibrating_finds_what_a_unit_is_like(known):
    found = calibrated(shops(600, known))
    assert found.doubtful == pytest.approx(known.doubtful, abs=0.05)
    assert found.sure == pytest.approx(known.sure, abs=0.05)
    assert found.missed == pytest.approx(known.missed, abs=0.03)
    assert 1.0 <= found.dispersion < 1.3


def test_shops_that_differ_from_one_another_widen_the_bars():
    assert calibrated(shops(600, scatter=1.0)).dispersion > 1.3
