"""Unit, mosquitto and sink as real processes, some of them killed: every count arrives once."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from walkers import FLOOR, record

from tests.prove.rig import Plan, Rig, until, whole_lines

WINDOWS = 1000
KILLS = (150, 300, 450, 600, 750)  # windows counted when the broker is killed
UPLINK_KILL = 520


@pytest.fixture
def rig(tmp_path, mosquitto):
    with Rig(tmp_path, Plan(tmp_path / "walk.jsonl", FLOOR)) as made:
        yield made


def walk(rig: Rig, seconds: float) -> None:
    record(rig.folder / "walk.jsonl", seconds, every=7, stay=3)


def services_of(folder: Path) -> list[str]:
    """Command lines of the unit's processes that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        if "edge_agent" in words and str(folder) in words:
            found.append(words)
    return found


def test_five_brokers_and_an_uplink_killed_and_every_window_is_in_the_sink_once(rig):
    walk(rig, WINDOWS + 5.0)
    rig.start_broker()
    rig.start_sink()
    rig.start_service("uplink")
    rig.start_vision()
    for at in sorted((*KILLS, UPLINK_KILL)):
        until(lambda at=at: len(rig.records()) >= at, f"{at} windows counted")
        if at == UPLINK_KILL:
            rig.kill("uplink")
            rig.start_service("uplink")
        else:
            rig.kill("broker")
            until(lambda at=at: len(rig.records()) >= at + 40, "a second without a broker")
            rig.start_broker()
    rig.finish("vision", 90, ask=False)
    counted = rig.records()
    assert len(counted) >= WINDOWS
    rig.finish("uplink", 15)
    rig.start_service("uplink", "--drain")
    rig.finish("uplink", 90, ask=False)
    stored = rig.exported()
    keys = [(row["unit"], row["boot"], row["seq"]) for row in map(json.loads, stored)]
    assert len(set(keys)) == len(keys)
    assert stored == counted
    visits = sum(w["pass_bys"] for row in map(json.loads, stored) for w in row["windows"])
    assert visits == pytest.approx(WINDOWS / 7, abs=3)


def test_run_starts_a_unit_and_ends_when_the_sink_has_everything(rig):
    walk(rig, 200.0)
    rig.start_broker()
    rig.start_sink()
    records = rig.start_run()
    rig.finish("run", 60, ask=False)
    assert rig.exported() == whole_lines(records)
    assert len(whole_lines(records)) >= 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_commits_its_window_and_ends_quietly(rig, number):
    walk(rig, 4000.0)
    rig.start_broker()
    rig.start_sink()
    records = rig.start_run()
    until(lambda: len(whole_lines(records)) >= 20, "20 windows counted")
    rig.children["run"].send_signal(number)
    rig.finish("run", 30, ask=False)
    log = (rig.folder / "run.log").read_text()
    assert "Traceback" not in log
    last = json.loads(whole_lines(records)[-1])["windows"][0]
    assert last["observed_s"] <= 1
    health = json.loads((rig.state / "vision.health.json").read_text())
    assert health["analysed"] > 0
    assert services_of(rig.folder) == [], "a service goes on without its parent"
