"""Unit, mosquitto and sink as real processes, some of them killed: every count arrives once."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from walkers import FLOOR, record

PACE = 40
WINDOWS = 1000
KILLS = (150, 300, 450, 600, 750)  # windows counted when the broker is killed
UPLINK_KILL = 520


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stage:
    """The processes of one test, each ended by its own id."""

    def __init__(self, folder: Path, mosquitto: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.mosquitto = mosquitto
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "broker").mkdir()
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/broker/\nuser root\n"
            "max_queued_messages 0\nmax_inflight_messages 1000\n"
        )
        (folder / "site.yaml").write_text(
            json.dumps(
                {
                    "unit": {"id": "unit-1"},
                    "camera": {
                        "source": "recorded",
                        "path": str(folder / "walk.jsonl"),
                        "pace": PACE,
                    },
                    "zones": [{"name": "table", "floor": FLOOR}],
                    "privacy": {"k": 1, "window_s": 1},
                    "uplink": {
                        "broker": f"mqtt://127.0.0.1:{self.port}",
                        "backoff_s": 1,
                        "receipt_s": 3,
                    },
                }
            )
        )

    def start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.children[name] = subprocess.Popen(words, stdout=log, stderr=log)

    def start_broker(self) -> None:
        self.start("broker", self.mosquitto, "-c", str(self.folder / "mosquitto.conf"))

    def start_service(self, name: str, *more: str) -> None:
        site = ("--site", str(self.folder / "site.yaml"), "--state", str(self.folder))
        self.start(name, sys.executable, "-m", "edge_agent", name, *site, *more)

    def start_sink(self) -> None:
        where = ("--broker", f"mqtt://127.0.0.1:{self.port}", "--db", str(self.folder / "sink.db"))
        self.start(
            "sink", sys.executable, "-m", "cloud_sink", "serve", *where, "--http", "127.0.0.1:0"
        )

    def kill(self, name: str) -> None:
        child = self.children.pop(name)
        child.send_signal(signal.SIGKILL)
        child.wait(10)

    def end(self) -> None:
        for name in reversed(list(self.children)):
            child = self.children.pop(name)
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)

    def exported(self) -> list[str]:
        words = ("export", "--db", str(self.folder / "sink.db"), "--format", "jsonl")
        done = subprocess.run(
            (sys.executable, "-m", "cloud_sink", *words), capture_output=True, text=True, timeout=60
        )
        return done.stdout.splitlines()


@pytest.fixture
def stage(tmp_path, mosquitto):
    made = Stage(tmp_path, mosquitto)
    yield made
    made.end()


def until(true, what: str, timeout_s: float = 90) -> None:
    tick = threading.Event()
    for _ in range(round(timeout_s / 0.05)):
        if true():
            return
        tick.wait(0.05)
    pytest.fail(f"{what}: not within {timeout_s} s")


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


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_five_brokers_and_an_uplink_killed_and_every_window_is_in_the_sink_once(stage):
    folder = stage.folder
    record(folder / "walk.jsonl", WINDOWS + 5.0, every=7, stay=3)
    stage.start_broker()
    stage.start_sink()
    stage.start_service("uplink")
    records = folder / "records.jsonl"
    stage.start_service("vision", "--records", str(records))
    for at in sorted((*KILLS, UPLINK_KILL)):
        until(lambda at=at: len(lines(records)) >= at, f"{at} windows counted")
        if at == UPLINK_KILL:
            stage.kill("uplink")
            stage.start_service("uplink")
        else:
            stage.kill("broker")
            until(lambda at=at: len(lines(records)) >= at + 40, "a second without a broker")
            stage.start_broker()
    assert stage.children["vision"].wait(90) == 0
    counted = lines(records)
    assert len(counted) >= WINDOWS
    stage.children["uplink"].terminate()
    assert stage.children.pop("uplink").wait(15) == 0
    stage.start_service("uplink", "--drain")
    assert stage.children["uplink"].wait(90) == 0
    stored = stage.exported()
    keys = [(row["unit"], row["boot"], row["seq"]) for row in map(json.loads, stored)]
    assert len(set(keys)) == len(keys)
    assert stored == counted
    visits = sum(w["pass_bys"] for row in map(json.loads, stored) for w in row["windows"])
    assert visits == pytest.approx(WINDOWS / 7, abs=3)


def test_run_starts_a_unit_and_ends_when_the_sink_has_everything(stage):
    folder = stage.folder
    record(folder / "walk.jsonl", 200.0, every=7, stay=3)
    stage.start_broker()
    stage.start_sink()
    records = folder / "records.jsonl"
    stage.start_service("run", "--records", str(records))
    assert stage.children["run"].wait(60) == 0
    assert stage.exported() == lines(records)
    assert len(lines(records)) >= 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_commits_its_window_and_ends_quietly(stage, number):
    folder = stage.folder
    record(folder / "walk.jsonl", 4000.0, every=7, stay=3)
    stage.start_broker()
    stage.start_sink()
    records = folder / "records.jsonl"
    stage.start_service("run", "--records", str(records))
    until(lambda: len(lines(records)) >= 20, "20 windows counted")
    stage.children["run"].send_signal(number)
    assert stage.children["run"].wait(30) == 0
    log = (folder / "run.log").read_text()
    assert "Traceback" not in log
    last = json.loads(lines(records)[-1])["windows"][0]
    assert last["observed_s"] <= 1
    health = json.loads((folder / "vision.health.json").read_text())
    assert health["analysed"] > 0
    assert services_of(folder) == [], "a service goes on without its parent"
