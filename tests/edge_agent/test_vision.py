"""Camera to outbox, with recorded detections for a camera."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from walkers import FLOOR, person, record, visitor

from edge_agent import health
from edge_agent.aggregates import Epoch
from edge_agent.config import BudgetConfig, parse_site
from edge_agent.errors import CameraError, CameraStalled
from edge_agent.heat import Board
from edge_agent.observations import Frame
from edge_agent.outbox import OutboxReader
from edge_agent.pipeline import Models, build_pipeline
from edge_agent.records import Quality, Trouble, decode_counts
from edge_agent.services.vision import Vision, anchor_of, main


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    def synced(self) -> bool:
        return True

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def site(path=None, source="recorded", pace=0, **privacy):
    camera = {"source": source, "fps": 5, "pace": pace}
    if path is not None:
        camera["path"] = str(path)
    values = {
        "unit": {"id": "unit-1"},
        "camera": camera,
        "zones": [{"name": "table", "floor": FLOOR}],
        "privacy": {"k": 1, "window_s": 10, **privacy},
    }
    return parse_site(values, "site.yaml", Path("."))


def payloads(state):
    with closing(OutboxReader(state / "outbox.db")) as reader:
        return [row.payload for row in reader.rows_after(None, 9999)]


def counted(state):
    return [decode_counts(payload) for payload in payloads(state)]


class Never:
    def is_set(self):
        return False

    def wait(self, seconds):
        raise AssertionError("nothing to wait for")


def test_a_recording_is_counted_to_its_end_and_every_window_leaves(tmp_path):
    clip = record(tmp_path / "walk.jsonl", 100.0)
    assert main(site(clip), tmp_path / "state", Never(), tmp_path / "records.jsonl", Clock()) == 0
    found = counted(tmp_path / "state")
    windows = [window for row in found for window in row.windows]
    assert [row.seq for row in found] == list(range(1, 11))
    assert sum(window.pass_bys for window in windows) == 5
    assert sum(window.observed_s for window in windows) == pytest.approx(100, abs=0.1)
    written = (tmp_path / "records.jsonl").read_bytes().splitlines()
    assert written == payloads(tmp_path / "state")


def test_being_stopped_closes_open_visits_as_censored_and_commits_the_window(tmp_path):
    clip = record(tmp_path / "walk.jsonl", 100.0)

    class AfterAWhile:
        steps = 0

        def is_set(self):
            self.steps += 1
            return self.steps > 5 * 5  # in the middle of the first visit

        def wait(self, seconds):
            raise AssertionError

    main(site(clip), tmp_path, AfterAWhile(), None, Clock())
    ((window,),) = [row.windows for row in counted(tmp_path)]
    assert (window.pass_bys, window.censored) == (1, 1)
    assert window.dwell_s == 0
    assert window.censored_dwell_s == pytest.approx(3, abs=0.3)


class Unplugged:
    """A camera that is plugged in again after a while."""

    def __init__(self, clock, error):
        self.clock = clock
        self.error = error
        self.opened = 0

    def __call__(self):
        self.opened += 1
        if self.opened in (2, 3):
            raise self.error
        return self

    def read(self):
        self.clock.now += 0.2
        if self.opened == 1 and self.clock.now > 1005:
            raise self.error
        if self.clock.now > 1060:
            return None
        return person(self.clock.now, visitor(self.clock.now - 1000, 20, 6))

    def close(self):
        pass

    def troubles(self):
        return frozenset()


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (CameraStalled("no picture for 2 s"), Trouble.CAMERA_STALLED),
        (CameraError("/dev/video0 is gone"), Trouble.CAMERA_ABSENT),
    ],
)
def test_a_camera_that_goes_away_cuts_visits_off_and_is_tried_again(tmp_path, error, trouble):
    clock = Clock()
    eye = Unplugged(clock, error)
    configured = site(source="v4l2", path="/dev/video0", pace=1)
    pipeline = build_pipeline(site(tmp_path), Epoch(0, Quality.SYNCED))
    told = []

    def pause(seconds):
        told.extend(health.read_all(tmp_path)[0].troubles)
        clock.sleep(seconds)

    with Vision(
        configured, tmp_path, tmp_path, clock, pause=pause, pipeline=pipeline, eye=eye
    ) as vision:
        while vision.step():
            pass
    assert set(told) == {trouble}
    assert eye.opened == 4
    assert health.read_all(tmp_path)[0].troubles == ()
    windows = [window for row in counted(tmp_path) for window in row.windows]
    first = windows[0]
    assert (first.pass_bys, first.censored) == (1, 1)
    assert first.observed_s == pytest.approx(4.8, abs=0.3)
    assert sum(window.pass_bys for window in windows) >= 3


def test_time_without_a_camera_is_told_as_not_observed(tmp_path):
    clock = Clock()
    eye = Unplugged(clock, CameraError("gone"))
    configured = site(source="v4l2", path="/dev/video0", pace=1)
    pipeline = build_pipeline(site(tmp_path), Epoch(0, Quality.SYNCED))

    def long_pause(_seconds):
        clock.now += 10

    with Vision(
        configured, tmp_path, tmp_path, clock, pause=long_pause, pipeline=pipeline, eye=eye
    ) as vision:
        while vision.step():
            pass
    windows = [window for row in counted(tmp_path) for window in row.windows]
    assert [w.start for w in windows] == [1000.0 + 10 * i for i in range(len(windows))]
    assert min(w.observed_s for w in windows) == 0


def test_health_tells_what_the_service_did(tmp_path):
    clip = record(tmp_path / "walk.jsonl", 20.0)
    main(site(clip), tmp_path, Never(), None, Clock())
    (told,) = health.read_all(tmp_path)
    assert told.analysed == 101
    assert told.unit == "unit-1"
    assert told.troubles == ()


def test_live_windows_stand_in_wall_time_and_fast_ones_in_the_recordings():
    clock = Clock()
    live = anchor_of(site(source="v4l2", path="x", pace=1), clock)
    assert live.epoch == Epoch(1.7e9, Quality.SYNCED, 1.0)
    played = anchor_of(site(source="file", path="x", pace=1), clock)
    assert played.epoch == Epoch(1_700_001_000.0, Quality.SYNCED, 1.0)
    fast = anchor_of(site(source="file", path="x", pace=20), clock)
    assert fast.epoch == Epoch(0, Quality.RECORDING)


class Nobody:
    """A detector that finds nobody."""

    input_size = (64, 36)
    runtime = None

    def prepare(self, frame):
        self.t = frame.t
        return frame.image

    def decode(self, outputs, frame):
        return person(frame.t, None)


class Frozen:
    """Five pictures a second, the same one from the tenth second to the fortieth."""

    def __init__(self, clock):
        self.clock, self.start = clock, clock.now
        self.noise = np.random.default_rng(1)
        self.place = self.noise.integers(30, 220, (36, 64, 3), np.uint8)
        self.image = None

    def read(self):
        self.clock.now += 0.2
        t = self.clock.now - self.start
        if t > 60:
            return None
        if self.image is None or not 10 <= t < 40:
            self.image = self.place + self.noise.integers(0, 9, (36, 64, 3), np.uint8)
        return Frame(self.image, self.clock.now, 64, 36)

    def close(self):
        pass

    def troubles(self):
        return frozenset()


@pytest.mark.parametrize("live", [True, False])
def test_a_frozen_camera_is_told_and_its_time_is_not_observed(tmp_path, monkeypatch, live):
    clock = Clock()
    configured = site(source="v4l2" if live else "file", path="/dev/video0", pace=1)
    detector = Nobody()
    detector.runtime = lambda tensor: []
    models = Models(detector, None)

    def built(site, _epoch, lookout):
        return build_pipeline(site, Epoch(0, Quality.SYNCED), models, lookout)

    monkeypatch.setattr("edge_agent.services.vision.build_pipeline", built)
    told = []
    with Vision(configured, tmp_path, tmp_path, clock, eye=lambda: Frozen(clock)) as vision:
        while vision.step():
            for known in health.read_all(tmp_path):
                if Trouble.CAMERA_FROZEN in known.troubles:
                    told.append(clock.now - 1000)
    observed = sum(w.observed_s for row in counted(tmp_path) for w in row.windows)
    if not live:
        assert told == []
        assert observed == pytest.approx(60, abs=0.5)
        return
    assert 14 <= told[0] <= 18
    assert 40 < told[-1] <= 44
    assert observed == pytest.approx(60 - (told[-1] - told[0]), abs=1.5)


def test_what_is_kept_that_should_not_be_shows_in_health(tmp_path):
    class Kept:
        troubles = frozenset({Trouble.RETAINED_IMAGE, Trouble.SWAP_PLAIN})
        steps = 0

        def step(self, now):
            self.steps += 1

        def close(self):
            self.steps = -1

    clip, kept = record(tmp_path / "walk.jsonl", 20.0), Kept()
    main(site(clip), tmp_path, Never(), None, Clock(), retention=kept)
    assert health.read_all(tmp_path)[0].troubles == (Trouble.RETAINED_IMAGE, Trouble.SWAP_PLAIN)
    assert kept.steps == -1


def listening(monkeypatch, tmp_path, allowed_s):
    """A stand-in for systemd; gives what it heard so far."""
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(str(tmp_path / "notify"))
    ear.setblocking(False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(round(allowed_s * 1e6)))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    return ear


def test_systemd_hears_of_the_start_of_each_round_and_of_the_end(tmp_path, monkeypatch):
    clip = record(tmp_path / "walk.jsonl", 2.0)
    with listening(monkeypatch, tmp_path, 60) as ear:
        main(site(clip), tmp_path / "state", Never(), None, Clock())
        assert [ear.recv(99) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_a_model_that_hangs_is_not_told_as_alive(tmp_path, monkeypatch):
    clip = record(tmp_path / "walk.jsonl", 2.0)

    def hang(self):
        raise RuntimeError("never comes back")

    monkeypatch.setattr(Vision, "step", hang)
    with listening(monkeypatch, tmp_path, 60) as ear:
        with pytest.raises(RuntimeError):
            main(site(clip), tmp_path / "state", Never(), None, Clock())
        assert ear.recv(99) == b"READY=1"
        with pytest.raises(BlockingIOError):
            ear.recv(99)


class Steady:
    """A camera that gives five frames a second for as long as it is asked."""

    def __init__(self, clock, seconds):
        self.clock, self.end = clock, clock.now + seconds

    def read(self):
        self.clock.now += 0.2
        return None if self.clock.now > self.end else person(self.clock.now, None)

    def close(self):
        pass

    def troubles(self):
        return frozenset()


@pytest.mark.parametrize(
    ("source", "budget", "rate"),
    [("v4l2", {}, 2), ("v4l2", {"cool": False}, 5), ("recorded", {}, 5)],
)
def test_a_hot_board_analyses_fewer_frames_and_says_so(tmp_path, monkeypatch, source, budget, rate):
    degrees = [50.0]
    monkeypatch.setattr("edge_agent.services.vision.read_board", lambda: Board(degrees[0]))
    clock = Clock()
    configured = site(source=source, path="/dev/video0", pace=1)
    configured = replace(configured, budget=BudgetConfig(**budget))
    pipeline = build_pipeline(site(tmp_path), Epoch(0, Quality.SYNCED))
    told = []
    with Vision(
        configured, tmp_path, tmp_path, clock, pipeline=pipeline, eye=lambda: Steady(clock, 90)
    ) as vision:
        for i in range(450):
            degrees[0] = 85.0 if 150 <= i < 300 else 50.0
            vision.step()
            if i % 50 == 49:
                (health_now,) = health.read_all(tmp_path)
                told.append((round(health_now.fps), health_now.troubles))
    hot = (Trouble.BOARD_HOT,) if rate < 5 else ()
    assert told[2] == told[8] == (5, ())
    assert told[4] == told[5] == (rate, hot)
    windows = [window for row in counted(tmp_path) for window in row.windows]
    # Time in which fewer frames are analysed is watched all the same.
    assert sum(window.observed_s for window in windows) == pytest.approx(90, abs=1)


def test_a_health_file_that_cannot_be_written_does_not_stop_the_counting(tmp_path, caplog):
    clip = record(tmp_path / "walk.jsonl", 100.0)
    nowhere = tmp_path / "run"
    nowhere.mkdir()
    (nowhere / "vision.health.json").mkdir()
    main(site(clip), tmp_path, Never(), None, Clock(), nowhere)
    assert sum(w.pass_bys for row in counted(tmp_path) for w in row.windows) == 5
    assert caplog.text.count("counting goes on") == 1


def test_one_frame_in_three_seconds_still_makes_visits(tmp_path):
    clip = record(tmp_path / "walk.jsonl", 120.0, every=60, stay=30)
    slow = replace(site(clip), camera=replace(site(clip).camera, fps=0.34))
    main(slow, tmp_path, Never(), None, Clock())
    windows = [window for row in counted(tmp_path) for window in row.windows]
    assert sum(window.pass_bys for window in windows) == 2
