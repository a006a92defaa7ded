"""Estimates and their error bars."""

from __future__ import annotations

from itertools import accumulate
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent import certainty
from edge_agent.certainty import CALIBRATION, Calibration, Estimate, Kind, of_events

confidences = st.lists(st.floats(0, 1), max_size=40)
kinds = st.sampled_from(Kind)


def fit(monkeypatch, **values):
    known = {"doubtful": 1.0, "sure": 1.0, "missed": 0.0, "dispersion": 1.0, **values}
    monkeypatch.setitem(certainty.CALIBRATION, Kind.PICKS, Calibration(**known))


def test_every_kind_is_calibrated_within_what_can_be():
    assert CALIBRATION.keys() == set(Kind)
    for known in CALIBRATION.values():
        assert 0 <= known.doubtful <= known.sure <= 1
        assert known.missed >= 0
        assert known.dispersion >= 1


def test_nothing_told_and_nothing_to_miss_is_nothing():
    assert of_events(Kind.PICKS, [], 0) == Estimate(0, 0, 0)


def test_events_that_are_always_true_have_no_error(monkeypatch):
    fit(monkeypatch)
    assert of_events(Kind.PICKS, [0.2, 0.9, 1.0], 7) == Estimate(3, 3, 3)


def test_a_doubtful_event_counts_as_often_as_it_is_true(monkeypatch):
    fit(monkeypatch, doubtful=0.2, sure=0.8)
    guess = of_events(Kind.PICKS, [0.5] * 100, 0)
    assert guess.best == 50
    assert guess.high - guess.best == pytest.approx(1.96 * 5, abs=0.001)
    assert guess.best - guess.low == pytest.approx(1.96 * 5, abs=0.001)


def test_what_was_missed_is_added_and_makes_it_less_sure(monkeypatch):
    fit(monkeypatch, missed=0.25)
    guess = of_events(Kind.PICKS, [1.0], 16)
    assert guess.best == 5
    assert guess.high == pytest.approx(5 + 1.96 * 2, abs=0.001)


def test_what_misleads_twice_is_told_by_the_dispersion(monkeypatch):
    fit(monkeypatch, missed=1.0, dispersion=4.0)
    assert of_events(Kind.PICKS, [], 100).high == pytest.approx(100 + 1.96 * 20, abs=0.001)


def test_the_interval_holds_the_truth_as_often_as_it_says(monkeypatch):
    fit(monkeypatch, doubtful=0.1, sure=0.9, missed=0.3)
    chance = np.random.default_rng(3)
    told, silent = chance.random(60), 40
    guess = of_events(Kind.PICKS, told.tolist(), silent)
    true = (chance.random((4000, 60)) < 0.1 + 0.8 * told).sum(1) + chance.poisson(12, 4000)
    assert ((guess.low <= true) & (true <= guess.high)).mean() == pytest.approx(0.95, abs=0.02)


@given(kinds, confidences, st.integers(0, 100))
def test_low_best_and_high_are_in_order_and_never_below_zero(kind, told, chances):
    guess = of_events(kind, told, chances)
    assert 0 <= guess.low <= guess.best <= guess.high


@given(kinds, confidences, st.floats(0, 1))
def test_one_more_event_never_makes_it_fewer(kind, told, another):
    assert of_events(kind, [*told, another], 5).best >= of_events(kind, told, 5).best


@given(st.lists(st.tuples(kinds, confidences, st.integers(0, 20)), min_size=1, max_size=8))
def test_windows_add_up_in_any_order_and_errors_grow_as_their_squares(windows):
    several = [of_events(*window) for window in windows]
    (*_, there), (*_, back) = accumulate(several), accumulate(reversed(several))
    for end in ("low", "best", "high"):
        assert getattr(there, end) == pytest.approx(getattr(back, end), abs=1e-6)
    assert there.best == pytest.approx(sum(one.best for one in several))
    up = sqrt(sum((one.high - one.best) ** 2 for one in several))
    assert there.high - there.best == pytest.approx(up, abs=1e-6)


@pytest.mark.parametrize("values", [(2, 1, 3), (1, 2, 1), (-1, 0, 1)])
def test_an_estimate_out_of_order_cannot_be_built(values):
    with pytest.raises(ValueError, match="low <= best <= high"):
        Estimate(*values)
