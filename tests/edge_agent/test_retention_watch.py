"""A service looks at start and hourly that it keeps no picture, and says what it found."""

from __future__ import annotations

import json
import logging

import pytest

from edge_agent.records import Trouble
from edge_agent.retention import Retention
from edge_agent.retention.watch import AGAIN_S, EVERY_S, start_sweep


class Sweeper:
    """A sweep that ends when the test says so."""

    def __init__(self, told=(), files=5, whole=True, code=0):
        self.code = None
        self.end_code = code
        self.killed = False
        said = {"files": files, "pictures": len(told), "told": list(told), "whole": whole}
        self.said = json.dumps(said)

    def end(self):
        self.code = self.end_code

    def poll(self):
        return self.code

    def communicate(self):
        return self.said, None

    def kill(self):
        self.killed = True


@pytest.fixture
def clean(monkeypatch):
    """A machine whose memory stays in memory."""
    found = set()
    monkeypatch.setattr("edge_agent.retention.watch.leaks", lambda *_: frozenset(found))
    return found


class Sweeps:
    """Starts what the test hands it, in order."""

    def __init__(self, *sweepers):
        self.waiting = list(sweepers)
        self.asked = []

    def __call__(self, folders, spared):
        self.asked.append((folders, spared))
        found = self.waiting.pop(0)
        if isinstance(found, OSError):
            raise found
        return found


def test_the_first_step_begins_a_sweep_and_the_next_ones_wait_for_it(tmp_path, clean):
    sweeper = Sweeper([("/state/core", "JPEG")])
    sweeps = Sweeps(sweeper)
    retention = Retention([tmp_path], [tmp_path / "clip"], start=sweeps)
    for now in (0.0, 0.2, 0.4):
        retention.step(now)
        assert retention.troubles == frozenset()
    sweeper.end()
    retention.step(0.6)
    assert retention.troubles == {Trouble.RETAINED_IMAGE}
    assert len(sweeps.asked) == 1
    folders, spared = sweeps.asked[0]
    assert tmp_path.resolve() in folders
    assert spared == [tmp_path / "clip"]


def test_it_looks_again_every_hour_and_takes_back_what_is_gone(tmp_path, clean):
    first, second = Sweeper([("/state/core", "JPEG")]), Sweeper()
    retention = Retention([tmp_path], start=Sweeps(first, second))
    retention.step(0.0)
    first.end()
    second.end()
    retention.step(1.0)
    retention.step(EVERY_S - 1)
    assert retention.troubles == {Trouble.RETAINED_IMAGE}
    retention.step(EVERY_S)
    # Until the second look is over the first one stands.
    assert retention.troubles == {Trouble.RETAINED_IMAGE}
    retention.step(EVERY_S + 1)
    assert retention.troubles == frozenset()


def test_the_log_names_the_file_and_health_only_that_there_is_one(tmp_path, clean, caplog):
    sweeper = Sweeper([("/state/new\nline", "PNG")], files=7, whole=False)
    retention = Retention([tmp_path], start=Sweeps(sweeper))
    retention.step(0.0)
    sweeper.end()
    with caplog.at_level(logging.WARNING):
        retention.step(1.0)
    assert "'/state/new\\nline' holds a picture or a film (PNG)" in caplog.text
    assert "1 of 7 files" in caplog.text
    assert "only the first 7 files" in caplog.text


@pytest.mark.parametrize("failed", [OSError(12, "Cannot allocate memory"), Sweeper(code=-9)])
def test_a_sweep_that_fails_is_told_and_tried_again_soon(tmp_path, clean, caplog, failed):
    sweeps = Sweeps(failed, Sweeper())
    retention = Retention([tmp_path], start=sweeps)
    retention.step(0.0)
    if isinstance(failed, Sweeper):
        failed.end()
    retention.step(1.0)
    assert "could not be swept" in caplog.text
    retention.step(AGAIN_S - 1)
    assert len(sweeps.asked) == 1
    retention.step(AGAIN_S + 1)
    assert len(sweeps.asked) == 2


def test_a_sweep_that_hangs_is_ended_after_an_hour(tmp_path, clean):
    stuck, fresh = Sweeper(), Sweeper()
    retention = Retention([tmp_path], start=Sweeps(stuck, fresh))
    retention.step(0.0)
    retention.step(EVERY_S)
    assert stuck.killed
    retention.close()
    assert fresh.killed


def test_ways_out_of_memory_are_looked_at_too_and_said_once(tmp_path, clean, caplog):
    clean.add(Trouble.SWAP_PLAIN)
    sweepers = [Sweeper() for _ in range(3)]
    for sweeper in sweepers:
        sweeper.end()
    retention = Retention([tmp_path], start=Sweeps(*sweepers))
    for now in (0.0, 1.0, EVERY_S, EVERY_S + 1):
        retention.step(now)
    assert retention.troubles == {Trouble.SWAP_PLAIN}
    assert caplog.text.count("MemorySwapMax=0") == 1
    clean.clear()
    retention.step(2 * EVERY_S)
    assert retention.troubles == frozenset()


def test_a_real_sweep_says_what_lies_in_a_folder(tmp_path, clean):
    (tmp_path / "debug").write_bytes(b"\x89PNG\r\n\x1a\n")
    sweeper = start_sweep([tmp_path], [])
    said, _ = sweeper.communicate()
    assert sweeper.poll() == 0
    assert json.loads(said)["told"] == [[str(tmp_path / "debug"), "PNG"]]
