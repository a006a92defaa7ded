"""The budget's bench: its clips are what they say, its arms count what they do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from walkers import FLOOR

from edge_agent.bench.arms import ALWAYS, SHIPPED, Known, Outcome, joined, missing, play
from edge_agent.bench.budget import _candidates, _report
from edge_agent.bench.clips import Trial
from edge_agent.bench.footage import Footage, Recording, Stay, plan
from edge_agent.config import ModelsConfig, parse_site
from edge_agent.manifest import load
from edge_agent.observations import Closeups, Detections, Layout
from edge_agent.pipeline import Models

FPS = 10.0
WIDTH, HEIGHT = 160, 90
# Where the person of the recording is, by its own seconds.
CAME_S, WENT_S = 8.0, 20.0


def where(t):
    """The left edge of a person who walks in, stands on the floor and walks on."""
    if CAME_S - 1.5 <= t < WENT_S + 1.5:
        times = [CAME_S - 1.5, CAME_S, CAME_S + 0.9, WENT_S - 0.9, WENT_S, WENT_S + 1.5]
        return float(np.interp(t, times, [0, 56, 84, 84, 120, 144]))
    return None


def recording():
    pictures = []
    for i in range(240):
        picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        x = where(i / FPS)
        if x is not None:
            picture[30:80, round(x) : round(x) + 16] = 30
        pictures.append(picture)
    return Recording(pictures, FPS, (Stay("table", CAME_S, WENT_S),))


class Sees:
    """A detector that knows the recording, and how often it was run."""

    input_size = (WIDTH, HEIGHT)

    def __init__(self, footage):
        self.footage = footage
        self.runs = 0
        self.runtime = self.run

    def run(self, tensor):
        self.runs += 1
        return [tensor]

    def prepare(self, frame):
        return np.empty(0)

    def decode(self, outputs, frame):
        x = where(self.footage.picture / FPS)
        boxes = [] if x is None else [[x / WIDTH, 0.3, min((x + 16) / WIDTH, 1.0), 0.85]]
        return Detections(frame.t, np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.9))


def site():
    values = {
        "unit": {"id": "u"},
        "camera": {"source": "recorded"},
        "zones": [{"name": "table", "floor": FLOOR}],
    }
    return parse_site(values, "site.yaml", Path("."))


def cut_together(visits=6, busy=0.2, seed=3):
    cut = plan(recording(), visits, busy, 5.0, np.random.default_rng(seed))
    return cut, Footage(recording(), cut, 5.0, np.random.default_rng(seed))


def test_a_clip_has_the_visits_and_the_pauses_asked_for():
    cut, footage = cut_together(12)
    shown = []
    for frame in footage.frames():
        assert frame.layout is Layout.I420
        shown.append((frame.t, where(footage.picture / FPS)))
    busy = np.mean([x is not None for _, x in shown])
    assert busy == pytest.approx(0.2, abs=0.04)
    assert cut.busy == pytest.approx(0.2, abs=0.02)
    for stay in cut.stays:
        inside = [x for t, x in shown if stay.enter_s + 0.2 < t < stay.leave_s - 0.2]
        assert len(inside) > 10
        assert None not in inside
    assert len({round(stay.leave_s - stay.enter_s, 1) for stay in cut.stays}) > 6


def test_the_same_seed_gives_the_same_frames_with_noise_over_them():
    _, footage = cut_together(1)
    first = [frame.image.copy() for _, frame in zip(range(20), footage.frames(), strict=False)]
    again = [frame.image.copy() for _, frame in zip(range(20), footage.frames(), strict=False)]
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    grain = first[3][:HEIGHT].astype(float) - first[4][:HEIGHT]
    assert 2 < grain.std() < 8


def test_the_budget_runs_the_detector_less_and_counts_the_same():
    cut, footage = cut_together()
    sees = Sees(footage)
    models = Models(sees, None)
    always = play(site(), models, ALWAYS, footage.frames(), poses=True)
    assert sees.runs == always.detected == always.frames == len(cut.pictures)
    shipped = play(site(), models, SHIPPED, footage.frames(), poses=True)
    assert sees.runs - always.detected == shipped.detected < always.detected / 4
    assert len(always.visits) == len(cut.stays)
    assert missing(cut.stays, always.visits) == missing(always.visits, shipped.visits) == 0
    assert always.people == always.peopled == pytest.approx(always.frames * 0.2, rel=0.25)


def test_a_picture_that_is_known_costs_no_second_run():
    cut, footage = cut_together(2)
    sees = Sees(footage)
    known = Known(sees, lambda: footage.picture)
    outcome = play(site(), Models(known, None), ALWAYS, footage.frames(), poses=False)
    assert sees.runs == len(set(cut.pictures)) < len(cut.pictures)
    assert len(outcome.visits) == 2


class Looks:
    """Looks closely at everybody, through its runtime."""

    def __init__(self):
        self.runtime = self.first = lambda tensor: [tensor]

    def __call__(self, frame, tracks):
        for _ in tracks.ids:
            self.runtime(np.zeros(1))
        return Closeups(frame.t, {})


def test_every_close_look_is_counted_and_the_model_is_left_as_it_was():
    _, footage = cut_together(2)
    looks = Looks()
    models = Models(Sees(footage), None, looks)
    always = play(site(), models, ALWAYS, footage.frames(), poses=True)
    assert always.looks == always.people > 0
    assert looks.runtime is looks.first
    again = play(site(), models, ALWAYS, footage.frames(), poses=True)
    assert again.looks == always.looks
    without = play(site(), Models(Sees(footage), None), ALWAYS, footage.frames(), poses=True)
    assert without.looks == 0


def test_close_looks_are_part_of_the_work_of_the_unit():
    once = Outcome(10, 2.0, 0.5, 4, 0, 0, 3, 3, ())
    models = ModelsConfig(load().built_in.name)
    found = []
    for looks in (0, 600):
        trial = Trial((), 0.2, (once, once, once), (once, replace(once, looks=looks)))
        found.append(_report("built in", models, trial))
    assert found[1].gmacs_shipped - found[0].gmacs_shipped == pytest.approx(
        600 * load().built_in_reach.macs / 2.0 / 1e9, abs=0.002
    )
    assert found[1].gmacs_usual == found[0].gmacs_usual


def test_every_built_in_detector_is_a_candidate_and_what_looks_closely_is_none():
    detectors = {models.detector for models in _candidates().values()}
    assert detectors == {"yolox-nano", load().built_in.name}


def test_a_visit_answers_for_one_and_only_in_its_zone():
    true = [Stay("a", 0, 5), Stay("a", 6, 9), Stay("b", 0, 9)]
    assert missing(true, true) == 0
    assert missing(true, [Stay("a", 4, 7)]) == 2
    assert missing(true, [Stay("a", 4, 7), Stay("a", 8, 9), Stay("a", 8, 9)]) == 1
    assert missing([], true) == 0


def test_clips_are_joined_end_to_end():
    one = Outcome(10, 2.0, 0.5, 4, 2, 5, 3, 3, (Stay("a", 0.5, 1.5),))
    both = joined([one, one])
    assert (both.frames, both.seconds, both.cpu_s) == (20, 4.0, 1.0)
    assert (both.detected, both.posed, both.looks, both.people) == (8, 4, 10, 6)
    assert both.peopled == 6
    assert both.visits == (Stay("a", 0.5, 1.5), Stay("a", 2.5, 3.5))
