"""Shared pieces of the uplink's tests: a real broker to kill, a small sink, a unit's uplink."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from outbox_world import BOOT, UNIT, window
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.config import Broker, Site, UnitConfig, UplinkConfig
from edge_agent.outbox import Outbox
from edge_agent.records import Counts, Receipt, decode_counts, encode, topic
from edge_agent.services import uplink

PATIENCE_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(fact: Callable[[], Any], what: str) -> Any:
    """Ask until the answer is true or patience ends."""
    deadline = time.monotonic() + PATIENCE_S
    asked = threading.Event()
    while not (answer := fact()):
        assert time.monotonic() < deadline, f"never came: {what}"
        asked.wait(0.02)
    return answer


class Mosquitto:
    """A broker of its own on a free port of this machine."""

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._program = program
        self._config = folder / f"mosquitto-{self.port}.conf"
        lines = ["user root"] if os.geteuid() == 0 else []  # it must read its keys
        lines += [f"listener {self.port} 127.0.0.1", "persistence false", "log_dest none", *options]
        if not any(line.startswith("allow_anonymous") for line in options):
            lines.append("allow_anonymous true")
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._answers, "the broker")

    def kill(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Sink:
    """Keeps what comes in memory and says so, as long as it is told to."""

    def __init__(self, port: int, unit: UnitConfig) -> None:
        self.receipting = True
        self.rows: dict[tuple[str, int], Counts] = {}
        self.seen: list[tuple[str, int]] = []
        self.states: list[dict[str, Any]] = []
        self.healths: list[dict[str, Any]] = []
        self._prefix = topic(unit.tenant, unit.store, unit.id, "")
        self._listening = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.reconnect_delay_set(0.05, 0.1)  # type: ignore[arg-type]  # seconds may be parts
        self._client.on_connect = lambda client, *_: client.subscribe(f"{self._prefix}#", qos=1)
        self._client.on_subscribe = lambda *_: self._listening.set()
        self._client.on_disconnect = lambda *_: self._listening.clear()
        self._client.on_message = lambda _client, _data, message: self._take(message)
        self._client.connect_async("127.0.0.1", port, 10)
        self._client.loop_start()

    def ready(self) -> None:
        assert self._listening.wait(PATIENCE_S), "the sink never reached the broker"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, payload: bytes) -> None:
        """To the unit's ``cmd/ack``."""
        self._client.publish(f"{self._prefix}cmd/ack", payload, qos=1).wait_for_publish(PATIENCE_S)

    def receipt(self, boot: str) -> Receipt:
        held = sorted(seq for of, seq in self.rows if of == boot)
        seq = 0
        while seq + 1 in held:
            seq += 1
        return Receipt(boot, seq, tuple((each, each) for each in held if each > seq))

    def _take(self, message: mqtt.MQTTMessage) -> None:
        leaf = message.topic.removeprefix(self._prefix)
        payload = bytes(message.payload)
        if leaf == "state":
            self.states.append(json.loads(payload))
        elif leaf == "health":
            self.healths.append(json.loads(payload))
        elif leaf == "counts":
            counts = decode_counts(payload)
            self.rows[counts.boot, counts.seq] = counts
            self.seen.append((counts.boot, counts.seq))
            if self.receipting:
                answer = encode(self.receipt(counts.boot))
                self._client.publish(f"{self._prefix}cmd/ack", answer, qos=1)


def site(port: int, **uplink_known: Any) -> Site:
    values = {"backoff_s": 0.2, **uplink_known}
    broker = values.pop("broker", Broker("127.0.0.1", port))
    return Site(UnitConfig(UNIT), uplink=UplinkConfig(broker=broker, **values))


def fill(state: Path, minutes: int, boot: str = BOOT, first: int = 0) -> list[Counts]:
    """Vision's work of some minutes."""
    state.mkdir(exist_ok=True)
    outbox = Outbox.open(state / "outbox.db", UNIT, boot, 100_000)
    try:
        return [outbox.append((window(first + i, pass_bys=i % 5),)) for i in range(minutes)]
    finally:
        outbox.close()


@contextmanager
def running(at: Site, state: Path, **known: Any) -> Iterator[threading.Thread]:
    """The uplink in a thread of its own; stopped as a signal would at the end."""
    stop = threading.Event()
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(uplink.main(at, state, stop, **known)))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert codes == [0], "the uplink did not end well"


def drained(at: Site, state: Path) -> int:
    """Run the uplink until the outbox is empty."""
    return uplink.main(at, state, threading.Event(), drain=True)
