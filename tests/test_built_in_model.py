"""The models that ship, on shops that they were not trained on: a floor under their accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.closeup import build_closeup
from edge_agent.config import Zone
from edge_agent.detector import build_detector
from edge_agent.geometry import Polygon
from edge_agent.manifest import Supply, load, model_path, verify
from edge_agent.observations import Frame, Tracks
from edge_agent.runtimes import open_runtime
from models.evaluate.matching import Found, People, precision_recall
from models.scene.reaching import moments
from models.scene.sample import frames

ENTRY = load().built_in
REACH = load().built_in_reach
# Training draws from seeds of five digits and more.
UNSEEN = 7
UNSEEN_REACHING = (7, 31)
SCORE = 0.3
CHANCE = 0.3


@pytest.fixture(scope="module")
def detector():
    path = model_path(ENTRY)
    verify(ENTRY, path)
    return build_detector(ENTRY, open_runtime(ENTRY, path, 1))


def test_it_is_small_and_ships_with_the_package():
    assert ENTRY.supply is Supply.BUILT_IN
    assert model_path(ENTRY).stat().st_size <= 1_500_000


def test_it_finds_shoppers_of_shops_it_never_saw(detector):
    pairs = []
    for sample in frames(UNSEEN, 30, moments=10, strong=False):
        height, width = sample.image.shape[:2]
        seen = detector(Frame(sample.image, 0.0, width, height))
        tall = (sample.boxes[:, 3] - sample.boxes[:, 1]) * height
        ignored = (sample.visible < 0.4) | (tall < 100)
        found = Found(seen.boxes, seen.scores).above(SCORE)
        pairs.append((found, People(sample.boxes.astype(np.float64), ignored)))
    assert sum(people.count for _, people in pairs) >= 30
    precision, recall, _ = precision_recall(pairs, 0.5)
    assert recall[-1] >= 0.9
    assert precision[-1] >= 0.93


def test_what_looks_closely_is_smaller_still():
    assert REACH.supply is Supply.BUILT_IN
    verify(REACH, model_path(REACH))
    assert model_path(REACH).stat().st_size <= 600_000


def polygon(corners):
    return Polygon(tuple((x, y) for x, y in corners.tolist()))


def looked_at(seed):
    """Of everybody at each shelf of a shop: whether a hand is past it, whether one is told, and how
    far from the hand, in heights of the body."""
    known, some = moments(seed)
    zones = [
        Zone(str(i), shelf=polygon(shelf), floor=polygon(floor))
        for i, (shelf, floor) in enumerate(zip(known.shelves, known.floors, strict=True))
    ]
    closeup = build_closeup(REACH, open_runtime(REACH, model_path(REACH), 1), zones)
    for one in some:
        high, wide = one.image.shape[:2]
        count = len(one.boxes)
        tracks = Tracks(
            0.0,
            np.arange(count),
            one.boxes.astype(np.float64),
            np.ones(count),
            np.ones(count, bool),
        )
        told = closeup(Frame(one.image, 0.0, wide, high), tracks).hands
        for person, zone in np.ndindex(count, len(zones)):
            hands = [hand for hand in told[str(zone)] if hand.track == person]
            best = max(hands, key=lambda hand: hand.chance, default=None)
            past = one.past[person, zone]
            away = np.nan
            if past.any() and best is not None:
                off = (one.palms[person][past] - best.point) * (wide, high)
                tall = (one.boxes[person, 3] - one.boxes[person, 1]) * high
                away = np.hypot(*off.T).min() / tall
            yield bool(past.any()), best is not None and best.chance >= CHANCE, away


def test_it_tells_hands_past_a_plane_in_shops_it_never_saw():
    found = [row for seed in UNSEEN_REACHING for row in looked_at(seed)]
    true, told = (np.array([row[i] for row in found]) for i in (0, 1))
    assert true.sum() >= 20
    assert (true & told).sum() / true.sum() >= 0.6
    assert (true & told).sum() / told.sum() >= 0.4
    away = np.array([row[2] for row in found])[true & told]
    assert np.median(away) < 0.12
