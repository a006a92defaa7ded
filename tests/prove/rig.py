"""A unit, mosquitto and the sink as real processes on this machine, each ended by its own id."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

UNIT = "unit-1"
ROOT = Path(__file__).resolve().parents[2]
_TICK_S = 0.05
_PORTS, _TRIES = (15_000, 32_000), 100


class RigError(Exception):
    """A process did not do what the proof needs it to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the unit is told.

    Args:
        recording: what its camera sees, see `edge_agent.camera.recorded`.
        floor: of its one zone.
        pace: the recording is played so many times faster.
        uplink: what its site file says about the uplink beside the broker's address.
    """

    recording: Path
    floor: Sequence[Sequence[float]]
    pace: float = 40.0
    uplink: Mapping[str, Any] = field(default_factory=lambda: {"backoff_s": 1, "receipt_s": 3})


class Rig:
    """The processes of one unit, its broker and its sink.

    Args:
        folder: exists; the unit's state lies in ``unit``, the sink's in ``sink``, what vision told
            of in ``records``.
        plan: what the unit is told.
        runner: words before ``-m MODULE`` words of each service, the interpreter first.
        environment: added to that of each service.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        runner: Sequence[str] = (sys.executable, "-m"),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.state, self.run = folder / "unit", folder / "run"
        self.store, self.sessions = folder / "sink", folder / "broker"
        self.told = folder / "records"
        for made in (self.state, self.run, self.store, self.sessions, self.told):
            made.mkdir(exist_ok=True)
        self.port = free_port()
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self._runner = runner
        self._environment = dict(environment or {})
        self._starts = 0
        (folder / "mosquitto.conf").write_text(self._broker_file())
        (folder / "site.yaml").write_text(json.dumps(self._site(plan)))

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self, name: str, *words: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a process; what it says goes to NAME.log."""
        # The tree first: a copy that is broken on purpose must run its own code.
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        whole = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.children[name] = subprocess.Popen(
                words, stdout=log, stderr=log, cwd=ROOT, env={**whole, **(environment or {})}
            )

    def start_broker(self) -> None:
        """A mosquitto that keeps its sessions in a file."""
        self.start("broker", mosquitto(), "-c", str(self.folder / "mosquitto.conf"))

    def start_sink(self) -> None:
        """The sink, answering on any port."""
        broker = ("--broker", f"mqtt://127.0.0.1:{self.port}", "--http", "127.0.0.1:0")
        self._serve("sink", "cloud_sink", "serve", *broker, "--db", str(self.store / "sink.db"))

    def start_service(self, name: str, *more: str) -> None:
        """One of the unit's services."""
        site = ("--site", str(self.folder / "site.yaml"), "--state", str(self.state))
        self._serve(name, "edge_agent", name, *site, "--run", str(self.run), *more)

    def start_vision(self) -> Path:
        """Vision with a records file of its own, which is returned."""
        self._starts += 1
        path = self.told / f"{self._starts}.jsonl"
        self.start_service("vision", "--records", str(path))
        return path

    def start_run(self) -> Path:
        """Both services as one command; the records file."""
        path = self.told / "run.jsonl"
        site = ("--site", str(self.folder / "site.yaml"), "--state", str(self.state))
        self._serve("run", "edge_agent", "run", *site, "--records", str(path))
        return path

    def records(self) -> list[bytes]:
        """The rows that all starts of vision told of: whole lines only."""
        paths = [self.told / f"{i + 1}.jsonl" for i in range(self._starts)]
        return [line for path in paths for line in whole_lines(path)]

    def lives(self, name: str) -> bool:
        """Whether it was started and goes on."""
        child = self.children.get(name)
        return child is not None and child.poll() is None

    def kill(self, name: str) -> None:
        """As a power cut ends a process.

        Raises:
            RigError: it had ended before, by itself.
        """
        child = self.children.pop(name)
        code = child.poll()
        if code is not None:
            raise RigError(f"{name} ended by itself with {code}: {self.last_words(name)}")
        child.send_signal(signal.SIGKILL)
        child.wait(30)

    def finish(self, name: str, within_s: float, ask: bool = True) -> None:
        """Ask a process to end, or wait until it ends by itself.

        Raises:
            RigError: it ended with trouble, or not in time.
        """
        child = self.children[name]
        if ask:
            child.terminate()
        try:
            code = child.wait(within_s)
        except subprocess.TimeoutExpired:
            raise RigError(
                f"{name} does not end within {within_s:g} s: {self.last_words(name)}"
            ) from None
        del self.children[name]
        if code != 0:
            raise RigError(f"{name} ended with {code}: {self.last_words(name)}")

    def end(self) -> None:
        """End whatever still runs."""
        for name in reversed(list(self.children)):
            child = self.children.pop(name)
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)

    def exported(self, kind: str = "jsonl") -> list[bytes]:
        """What the sink holds; nothing where it has no database yet."""
        path = self.store / "sink.db"
        if not path.exists():
            return []
        words = ("-m", "cloud_sink", "export", "--db", str(path), "--format", kind)
        done = subprocess.run((sys.executable, *words), cwd=ROOT, capture_output=True, timeout=120)
        if done.returncode:
            raise RigError(f"the sink's export: {done.stderr.decode()[-300:]}")
        return done.stdout.splitlines()

    def last_words(self, name: str) -> str:
        """The end of what it said."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-400:] if path.exists() else ""

    def _serve(self, name: str, *words: str) -> None:
        self.start(name, *self._runner, *words, environment=self._environment)

    def _broker_file(self) -> str:
        return (
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            # Killed, it comes back with what it knew up to two seconds ago.
            f"persistence_location {self.sessions}/\nautosave_interval 2\nuser root\n"
            "max_queued_messages 0\nmax_inflight_messages 1000\n"
        )

    def _site(self, plan: Plan) -> dict[str, Any]:
        path = str(plan.recording)
        return {
            "unit": {"id": UNIT},
            "camera": {"source": "recorded", "path": path, "pace": plan.pace},
            "zones": [{"name": "table", "floor": plan.floor}],
            "privacy": {"k": 1, "window_s": 1},
            "uplink": {"broker": f"mqtt://127.0.0.1:{self.port}", **plan.uplink},
        }


def free_port() -> int:
    """A port of this machine that nobody listens at.

    Below those that the kernel gives to clients: while a broker is away, one of them must not come
    to sit on its port.

    Raises:
        RigError: none was found.
    """
    for _ in range(_TRIES):
        port = random.SystemRandom().randrange(*_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RigError(f"no free port of 127.0.0.1 in {_TRIES} tries")


def mosquitto() -> str:
    """The real broker's path.

    Raises:
        RigError: it is not installed.
    """
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/sbin")
    if found is None:
        raise RigError("no mosquitto: apt-get install mosquitto")
    return found


def until(true: Callable[[], object], what: str, timeout_s: float = 90) -> None:
    """Look until something is true.

    Raises:
        RigError: it is not in time.
    """
    tick = threading.Event()
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise RigError(f"{what}: not within {timeout_s:g} s")
        tick.wait(_TICK_S)


def whole_lines(path: Path) -> list[bytes]:
    """Lines that have an end; none where there is no file."""
    text = path.read_bytes() if path.exists() else b""
    return text.split(b"\n")[:-1]
