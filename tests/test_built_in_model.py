"""The model that ships, on shops that it was not trained on: a floor under its accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.detector import build_detector
from edge_agent.manifest import Supply, load, model_path, verify
from edge_agent.observations import Frame
from edge_agent.runtimes import open_runtime
from models.evaluate.matching import Found, People, precision_recall
from models.scene.sample import frames

ENTRY = load().built_in
# Training draws from seeds of six and seven digits.
UNSEEN = 7
SCORE = 0.3


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
