"""A unit's services and the sink as processes, a real broker between them: what faults are put to.

Everything listens on loopback, and is ended by its process when the part is over.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.cloud_sink.sink_world import Mosquitto, Sink

STOP_S = 20.0


def mosquitto() -> str:
    """Path of the real broker."""
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/sbin")
    if path is None:
        raise RuntimeError("no mosquitto: apt-get install mosquitto")
    return path


def until(fact: Callable[[], Any], what: str, seconds: float) -> Any:
    """Ask until the answer is true.

    Raises:
        TimeoutError: it never was.
    """
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not (answer := fact()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        pause.wait(0.05)
    return answer


@contextlib.contextmanager
def broker(folder: Path, *settings: str) -> Iterator[Mosquitto]:
    """A broker that keeps no more for anybody than memory holds."""
    folder.mkdir(parents=True, exist_ok=True)
    one = Mosquitto(mosquitto(), folder, "allow_anonymous true", *settings)
    one.start()
    try:
        yield one
    finally:
        one.kill()


@contextlib.contextmanager
def sink(folder: Path, port: int) -> Iterator[Sink]:
    """`cloud_sink serve`, its database in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    one = Sink(f"mqtt://127.0.0.1:{port}", folder)
    one.start()
    try:
        one.healthy()
        yield one
    finally:
        one.close()


@contextlib.contextmanager
def service(name: str, site: Path, state: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of the unit's services; its log and health file lie beside the site."""
    run = site.parent / "run"
    words = ("-m", "edge_agent", name, "--site", str(site), "--state", str(state))
    with (site.parent / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            (sys.executable, *words, "--run", str(run), *more), stderr=log, stdout=log
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> int:
    """As systemd would: ask, then kill; the exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(STOP_S)


def drain(site: Path, state: Path, seconds: float) -> None:
    """Let the uplink empty the outbox.

    Raises:
        TimeoutError: it could not.
    """
    with service("uplink", site, state, "--drain") as process:
        until(lambda: process.poll() is not None, "the outbox is empty", seconds)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the sink holds beside what a unit stored.

    Args:
        lost: rows stored that it does not hold as they were.
        doubled: rows that it holds more than once, or that nobody stored.
        rows: stored.
    """

    rows: int
    lost: int
    doubled: int

    @property
    def whole(self) -> bool:
        """All there, once."""
        return self.rows > 0 and self.lost == self.doubled == 0

    def __str__(self) -> str:
        return f"{self.rows} rows, {self.lost} lost, {self.doubled} doubled"


def compare(stored: list[bytes], held: list[bytes]) -> Arrived:
    """Row by row, byte by byte."""
    wanted, found = set(stored), set(held)
    return Arrived(len(wanted), len(wanted - found), len(held) - len(found & wanted))


def rows_of(records: Path) -> list[bytes]:
    """The payloads of a `--records` file."""
    return records.read_bytes().splitlines()


class Listener:
    """Somebody else at the broker who hears what units say, or what they are told.

    Args:
        port: of the broker.
        leaf: the last part of the topic: counts, cmd/ack.
        heard: called with each payload.
    """

    def __init__(self, port: int, leaf: str, heard: Callable[[bytes], object]) -> None:
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(
            f"shelflight/v1/+/+/+/{leaf}", qos=1
        )
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _client, _data, message: heard(bytes(message.payload))
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Listener:
        self._client.loop_start()
        assert self._ready.wait(STOP_S), "nobody answers at the broker"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def counted(sink: Sink, name: str, **labels: str) -> int:
    """One of the sink's counters."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return round(
        sum(
            float(line.rsplit(" ", 1)[1])
            for line in sink.get("/metrics").text.splitlines()
            if line.startswith(name) and all(each in line for each in wanted)
        )
    )


def dead_letters(sink: Sink) -> int:
    """Messages that the sink put aside."""
    return int(json.loads(sink.get("/v1/dead-letters").text)["total"])
