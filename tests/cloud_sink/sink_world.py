"""A real broker, a real sink process and a unit that publishes, for the tests of this folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.records import (
    EDGES,
    Counts,
    Definitions,
    Estimate,
    Estimates,
    FacingCounts,
    Histograms,
    Quality,
    Receipt,
    VisitCounts,
    Window,
    decode_receipt,
    encode,
    topic,
)

BOOT = "00000000000000aa"
RULES = Definitions(stop_s=5.0, engage_s=15.0, gap_s=2.0)
DEADLINE_S = 20.0


def window(zone: str = "table", start: float = 1_700_000_000.0, **values: Any) -> Window:
    return Window(
        **{
            "zone": zone, "start": start, "length_s": 60.0, "observed_s": 60.0,
            "clock": Quality.SYNCED, "definitions": RULES, "pass_bys": 3, "stops": 2,
            "engaged": 1, "dwell_s": 31.5, **values,
        }
    )  # fmt: skip


# What a window of a zone with everything tells beside its plain counts.
TELLING: dict[str, Any] = {
    "reaches": 4, "picks": 2, "put_backs": 1, "reached": 2, "empty_handed": 1, "abstained": 3,
    "staff": VisitCounts(1, 1, 1, 20.5, 1, 2, 0, 1, 1),
    "histograms": Histograms(*(tuple(range(len(edges))) for edges in EDGES.values())),
    "facings": (FacingCounts("A", "acme", 3, 2, 1, 50.0, 10.5, 5.0, 3.5), FacingCounts("B")),
    "estimates": Estimates(
        Estimate(2.0, 4.0, 8.0), Estimate(1.0, 2.5, 6.5), Estimate(0.0, 0.5, 1.25)
    ),
}  # fmt: skip


def counts(seq: int, unit: str = "shelf-1", boot: str = BOOT, *windows: Window) -> bytes:
    return encode(Counts(unit, boot, seq, windows or (window(start=1_700_000_000.0 + 60 * seq),)))


def until(happened: Callable[[], Any], what: str) -> Any:
    """Poll with a deadline; what the condition gave."""
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while time.monotonic() < deadline:
        found = happened()
        if found:
            return found
        pause.wait(0.02)
    raise AssertionError(f"not within {DEADLINE_S:g} s: {what}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Mosquitto:
    """The real broker with a configuration of its own, ended by its process."""

    def __init__(self, program: str, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self._program = program
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    "persistence false",
                    "max_queued_messages 0",
                    *settings,
                    "",
                ]
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(self._answers, "mosquitto listens")
        except AssertionError:
            self.kill()
            raise

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


class Sink:
    """`python -m cloud_sink serve` as a process."""

    def __init__(self, broker: str, folder: Path, *more: str) -> None:
        self.db = folder / "sink.db"
        self.log = folder / "sink.log"
        self._command = [
            sys.executable, "-m", "cloud_sink", "serve", "--broker", broker,
            "--db", str(self.db), "--http", "127.0.0.1:0", *more,
        ]  # fmt: skip
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), self.log.read_text()
        self.url = line.split()[-1]

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return httpx.get(self.url + path, params=parameters or None, timeout=10)

    def healthy(self) -> None:
        until(lambda: self.get("/healthz").status_code == 200, "the sink is healthy")

    def metric(self, name: str) -> float:
        lines = self.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def exported(self) -> list[bytes]:
        command = [sys.executable, "-m", "cloud_sink", "export", "--db", str(self.db)]
        done = subprocess.run([*command, "--format", "jsonl"], capture_output=True, check=True)
        return done.stdout.splitlines()

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self._process is not None
        process, self._process = self._process, None
        os.kill(process.pid, number)
        code = process.wait(timeout=DEADLINE_S)
        assert process.stdout is not None
        process.stdout.close()
        return code

    def close(self) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)


class Unit:
    """Publishes as a unit does and collects the receipts it is sent."""

    def __init__(self, port: int, unit: str = "shelf-1") -> None:
        self.unit = unit
        self.receipts: list[Receipt] = []
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"unit-{unit}")
        self._client.max_inflight_messages_set(200)
        self._client.on_connect = lambda client, *_: client.subscribe(self._topic("cmd/ack"), 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(DEADLINE_S)

    def send(self, payload: bytes, leaf: str = "counts", retain: bool = False) -> None:
        self._client.publish(self._topic(leaf), payload, qos=1, retain=retain)

    def sent(self, payloads: Sequence[bytes]) -> None:
        """Publish and wait until the broker has them all."""
        infos = [
            self._client.publish(self._topic("counts"), payload, qos=1) for payload in payloads
        ]
        for info in infos:
            info.wait_for_publish(DEADLINE_S)
            assert info.is_published()

    def receipted(self, boot: str, last: int) -> Receipt:
        def found() -> Receipt | None:
            return next((r for r in self.receipts if r.boot == boot and r.covers(last)), None)

        return until(found, f"a receipt for row {last} of {boot}")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _topic(self, leaf: str) -> str:
        return topic("demo", "store-1", self.unit, leaf)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.receipts.append(decode_receipt(message.payload))
