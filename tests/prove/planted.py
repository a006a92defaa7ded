"""Closed telemetry through a real broker: a link in other hands, an outbox with foreign rows."""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.config import Broker, UnitConfig, UplinkConfig
from edge_agent.errors import RecordError
from edge_agent.outbox import Key, Outbox, Row
from edge_agent.records import Counts, Receipt, State, decode_counts, encode
from edge_agent.transport.link import Link, Up
from tests.prove.mutations import JPEG, LEAVES, example, fits, mutants
from tests.prove.namespaces import program
from tests.prove.row import Row as Claim
from tests.prove.row import Scale

UNIT = UnitConfig("table")
BOOT, PLANTED_BOOT = "00000000000000aa", "00000000000000ff"
ROWS = 20
_PATIENCE_S = 30.0


def through_a_broker(scale: Scale, folder: Path) -> Iterator[Claim]:
    """What a subscriber to everything hears when somebody tries."""
    mosquitto = program("mosquitto")
    if mosquitto is None:
        yield Claim("telemetry-broker", "a broker is there", "yes", "no: install mosquitto", False)
        return
    with ExitStack() as stack:
        port = stack.enter_context(_mosquitto(mosquitto, folder))
        heard = stack.enter_context(_listening(port))
        yield _by_hand(port, heard)
        stack.enter_context(_sink(port, folder))
        yield _planted(scale, port, folder, heard)


def _by_hand(port: int, heard: list[bytes]) -> Claim:
    """A link in the hands of somebody who means harm."""
    counts = Counts(UNIT.id, BOOT, 1, decode_counts(json.dumps(example("counts")).encode()).windows)
    state = State(UNIT.id, 1, True)
    row = row_of(counts)
    foreign: list[Any] = [
        JPEG, "free text", {"box": [1, 2, 3, 4]}, counts, Receipt(BOOT, 1), None, row.payload,
        type("Row", (Row,), {})(row.key, JPEG), type("State", (), {"unit": "x"})(),
        Row(row.key, JPEG), Row(row.key, row.payload + JPEG), Row(row.key, JPEG.hex()),
        Row(Key(1, BOOT, 2), row.payload), row_of(Counts("another", BOOT, 1, counts.windows)),
        State("another", 1, True), State(UNIT.id, -1, True), State(UNIT.id, 1, "a man in red"),
    ]  # fmt: skip
    link = Link(UplinkConfig(), Broker("127.0.0.1", port), UNIT, State(UNIT.id, 1, False))
    refused = 0
    for what in foreign:
        with suppress(RecordError, TypeError):
            link.publish(what)
            continue
        refused += 1
    _until_up(link)
    for what in (state, row):
        known = len(heard)
        link.publish(what)
        _pump(link, heard, known + 1)
    link.close()
    clean = heard == [encode(state), row.payload]
    return Claim(
        "telemetry-link",
        "a link refuses at run time what is no record, of another unit, or under another number; "
        "a real broker hears of none of it",
        f"{len(foreign)} of {len(foreign)} refused, 2 records heard",
        f"{refused} of {len(foreign)} refused, {len(heard)} heard{'' if clean else ', not those'}",
        refused == len(foreign) and clean,
    )


def _until_up(link: Link) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not any(isinstance(event, Up) for event in link.pump(0.05)):
        if time.monotonic() > deadline:
            raise TimeoutError("the broker does not take the link")


def _pump(link: Link, heard: list[bytes], count: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while len(heard) < count and time.monotonic() < deadline:
        link.pump(0.05)


def _planted(scale: Scale, port: int, folder: Path, heard: list[bytes]) -> Claim:
    """Rows written into the outbox by another hand: the uplink keeps them, and brings the rest."""
    planted = _plant(folder / "state", scale.of(1000, 60))
    heard.clear()
    site = folder / "site.yaml"
    site.write_text(
        json.dumps(
            {
                "unit": {"id": UNIT.id},
                "camera": {"source": "v4l2"},
                "zones": [{"name": "table", "floor": [[0, 0], [1, 0], [1, 1]]}],
                "privacy": {"k": 1},
                "uplink": {"broker": f"mqtt://127.0.0.1:{port}", "receipt_s": 2},
            }
        )
    )
    words = ("uplink", "--site", str(site), "--state", str(folder / "state"), "--drain")
    done = subprocess.run(
        (sys.executable, "-m", "edge_agent", *words),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    rows = [payload for payload in heard if fits("counts", payload)]
    strange = [p for p in heard if not any(fits(leaf, p) for leaf in (*LEAVES, "ack"))]
    said = "stays on the unit" in done.stderr
    return Claim(
        "telemetry-planted",
        "of an outbox that foreign rows were written into, the sound rows leave, the others stay",
        f"{ROWS} sound, 0 foreign",
        f"{planted} planted; heard {len(set(rows))} sound, {len(strange)} foreign; "
        f"{'said so' if said else 'said nothing'} in its log",
        len(set(rows)) == ROWS and not strange and said and done.returncode == 1,
    )


def _plant(state: Path, count: int) -> int:
    """Sound rows, and as many others after the first of them."""
    state.mkdir()
    windows = decode_counts(json.dumps(example("counts")).encode()).windows
    with closing(Outbox.open(state / "outbox.db", UNIT.id, BOOT, 100_000)) as outbox:
        for _ in range(ROWS):
            outbox.append(windows)
    outside = [mutant for mutant in mutants("counts") if not fits("counts", mutant.payload)]
    chosen = random.Random(5).sample(outside, count)
    with closing(sqlite3.connect(state / "outbox.db")) as database, database:
        for number, mutant in enumerate(chosen):
            # Every second one as SQLite's text, which it hands out as such.
            text: Any = mutant.payload
            if number % 2:
                text = mutant.payload.decode("latin-1")
            database.execute(
                "INSERT INTO rows (position, boot, seq, payload) VALUES (?, ?, ?, ?)",
                (1000 + number, PLANTED_BOOT, 1 + number, text),
            )
    return len(chosen)


@contextmanager
def _mosquitto(binary: str, folder: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\nuser root\n"
    )
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen((binary, "-c", str(config)), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def _listening(port: int) -> Iterator[list[bytes]]:
    """Every payload that the broker passes on, whatever its topic; receipts to the unit apart."""
    heard: list[bytes] = []
    ready = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe("#", qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: (
        None if message.topic.endswith("cmd/ack") else heard.append(bytes(message.payload))
    )
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        if not ready.wait(_PATIENCE_S):
            raise TimeoutError("the broker does not answer")
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def _sink(port: int, folder: Path) -> Iterator[None]:
    words = ("--broker", f"mqtt://127.0.0.1:{port}", "--db", str(folder / "sink.db"))
    with (folder / "sink.log").open("wb") as log:
        process = subprocess.Popen(
            (sys.executable, "-m", "cloud_sink", "serve", *words, "--http", "127.0.0.1:0"),
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def row_of(counts: Counts) -> Row:
    return Row(Key(counts.seq, counts.boot, counts.seq), encode(counts))
