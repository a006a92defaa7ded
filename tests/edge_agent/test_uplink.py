"""The uplink with a real broker: what the sink has is what vision stored, come what may."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from outbox_world import BOOT, NEXT_BOOT, UNIT, child, window
from uplink_world import Mosquitto, Sink, drained, eventually, fill, free_port, running, site

from edge_agent import health
from edge_agent.clock import SystemClock
from edge_agent.config import Broker, Site
from edge_agent.outbox import Outbox, OutboxReader, Stage, read_ledger, set_aside
from edge_agent.records import Counts, Health, Quality, Receipt, Trouble, encode
from edge_agent.services import uplink

BOTH = pytest.mark.parametrize("protocol", [5, 3])


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Health is reported ten times a second, so that tests see it."""
    monkeypatch.setattr(uplink, "HEALTH_S", 0.1)


@pytest.fixture
def broker(mosquitto: str, tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(mosquitto, tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
def sink(broker: Mosquitto) -> Iterator[Sink]:
    sink = Sink(broker.port, site(1).unit)
    yield sink
    sink.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def left(state: Path) -> int:
    reader = OutboxReader(state / "outbox.db")
    try:
        return reader.count()
    finally:
        reader.close()


def told(state: Path) -> Health:
    """What the uplink says of itself."""
    (own,) = health.read_all(state)
    return own


def by_key(stored: list[Counts]) -> dict[tuple[str, int], Counts]:
    return {(counts.boot, counts.seq): counts for counts in stored}


@BOTH
def test_birth_rows_receipts_purge_and_a_clean_goodbye(
    broker: Mosquitto, sink: Sink, state: Path, protocol: int
) -> None:
    broker.start()
    sink.ready()
    stored = fill(state, 150) + fill(state, 3, NEXT_BOOT)
    with running(site(broker.port, protocol=protocol), state):
        eventually(lambda: len(sink.rows) == 153, "all rows at the sink")
        eventually(lambda: sink.states, "the birth")
        # Purged in batches while it runs: fewer than a batch are left.
        eventually(lambda: left(state) < 64, "the purge")
        eventually(lambda: told(state).waiting == 0, "all receipts")
    assert left(state) == 0
    assert sink.rows == by_key(stored)
    assert sink.seen == list(by_key(stored))
    eventually(lambda: len(sink.states) == 2, "the goodbye")
    birth, goodbye = sink.states
    assert (birth["online"], goodbye["online"]) == (True, False)
    assert birth["session"] == goodbye["session"]


UPLINK = """
import sys, threading
from pathlib import Path
from uplink_world import site
from edge_agent.services import uplink
uplink.main(site(int(sys.argv[1]), protocol=int(sys.argv[2])), Path(sys.argv[3]), threading.Event())
"""


@BOTH
def test_a_killed_uplink_leaves_its_will_and_the_next_birth_outranks_it(
    broker: Mosquitto, sink: Sink, state: Path, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    broker.start()
    sink.ready()
    sink.receipting = False
    stored = fill(state, 30)
    with child("-c", UPLINK, str(broker.port), str(protocol), str(state)) as process:
        eventually(lambda: len(sink.rows) == 30, "all rows at the sink")
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: len(sink.states) == 2, "the will")
    sink.receipting = True
    assert drained(site(broker.port, protocol=protocol), state) == 0
    eventually(lambda: len(sink.states) == 4, f"the goodbye {sink.states}")
    assert [each["online"] for each in sink.states] == [True, False, True, False]
    sessions = [each["session"] for each in sink.states]
    assert sessions[0] == sessions[1] < sessions[2] == sessions[3]
    assert sink.rows == by_key(stored)
    assert len(sink.seen) == 60  # without a receipt all are sent again


def test_what_the_broker_took_and_the_sink_did_not_is_sent_again(
    broker: Mosquitto, sink: Sink, state: Path
) -> None:
    broker.start()
    sink.ready()
    sink.receipting = False
    stored = fill(state, 5)
    with running(site(broker.port, receipt_s=0.3), state):
        eventually(lambda: sink.seen.count((BOOT, 1)) >= 3, "the first row for the third time")
        assert left(state) == 5
        eventually(
            lambda: Trouble.RECEIPTS_LATE in health.read_all(state)[0].troubles, "the trouble"
        )
        sink.receipting = True
        eventually(lambda: told(state).troubles == (), "the end of the trouble")
        eventually(lambda: told(state).waiting == 0, "all receipts")
    assert left(state) == 0
    assert sink.rows == by_key(stored)


def test_no_more_than_max_unreceipted_rows_are_out(
    broker: Mosquitto, sink: Sink, state: Path
) -> None:
    broker.start()
    sink.ready()
    sink.receipting = False
    fill(state, 100)
    with running(site(broker.port, max_inflight=7, max_unreceipted=25, receipt_s=0.3), state):
        eventually(lambda: sink.seen.count((BOOT, 1)) >= 2, "the first row again")
        assert len(sink.rows) == 25
        sink.receipting = True
        eventually(lambda: len(sink.rows) == 100, "all rows at the sink")


def test_a_broker_that_comes_later_gets_everything_and_is_told_of_once(
    broker: Mosquitto, sink: Sink, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "shelflight.uplink")
    stored = fill(state, 12)
    with running(site(broker.port, backoff_s=0.05, receipt_s=0.5), state):
        eventually(
            lambda: any(Trouble.BROKER_ABSENT in each.troubles for each in health.read_all(state)),
            "the trouble",
        )
        # Sixty-four numbers are noted ahead: the file changes again after as many attempts.
        noted = (state / "uplink.session").read_text()
        eventually(lambda: (state / "uplink.session").read_text() != noted, "many attempts")
        broker.start()
        sink.ready()
        eventually(lambda: len(sink.rows) == 12, "all rows at the sink")
    assert sink.rows == by_key(stored)
    told = [record.getMessage() for record in caplog.records]
    assert len([line for line in told if "is away" in line]) == 1
    assert "12 rows now" in told[0]
    assert "Connection refused" in told[0]
    assert len([line for line in told if "is there" in line]) == 1
    assert all(record.exc_info is None for record in caplog.records)


def test_a_broker_killed_again_and_again_loses_and_doubles_nothing(
    broker: Mosquitto, sink: Sink, state: Path
) -> None:
    broker.start()
    sink.ready()
    stored = fill(state, 1)
    at = site(broker.port, backoff_s=0.1, receipt_s=1, max_unreceipted=40)
    with running(at, state):
        for cycle in range(4):
            stored += fill(state, 60, first=len(stored))
            eventually(lambda goal=70 * cycle + 30: len(sink.rows) >= goal, "half of them")
            broker.kill()
            stored += fill(state, 10, first=len(stored))
            broker.start()
        eventually(lambda: len(sink.rows) == len(stored), "all rows at the sink")
    eventually(lambda: drained(at, state) == 0, "an empty outbox")
    assert sink.rows == by_key(stored)


def test_who_comes_late_is_told_whether_the_unit_is_there(
    broker: Mosquitto, sink: Sink, state: Path
) -> None:
    broker.start()
    sink.ready()
    with running(site(broker.port), state):
        eventually(lambda: sink.states, "the birth")
        with closing(Sink(broker.port, site(1).unit)) as late:
            eventually(lambda: late.states, "the retained birth")
    with closing(Sink(broker.port, site(1).unit)) as later:
        eventually(lambda: later.states, "the retained goodbye")
    assert late.states[0] == sink.states[0]
    assert later.states == [{**sink.states[0], "online": False}]


def test_garbage_and_foreign_receipts_do_no_harm(
    broker: Mosquitto, sink: Sink, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker.start()
    sink.ready()
    sink.receipting = False
    fill(state, 3)
    with running(site(broker.port), state):
        eventually(lambda: len(sink.rows) == 3, "all rows at the sink")
        for payload in (
            b"",
            b"\xff\xfe",
            b"[" * 60_000,
            b'{"v":1,"boot":"00000000000000aa","seq":"3"}',
            b'{"v":1,"boot":"00000000000000aa","seq":1,"have":[[1e999,2]]}',
            b'{"v":1,"boot":["00000000000000aa"],"seq":3}',
            b'{"v":2,"boot":"00000000000000aa","seq":3}',
            encode(Receipt(NEXT_BOOT, 3)),
            encode(Receipt(BOOT, 0, ((4, 900),))),
            b"the last of eight",
        ):
            sink.send(payload)
        eventually(lambda: "8 so far" in caplog.text, "all of them read")
        fill(state, 1, first=3)
        eventually(lambda: len(sink.rows) == 4, "the next row")
    # Receipts for what was never sent purge nothing; row 4 was not out when its span came.
    assert left(state) == 4
    assert "no receipt, passed over" in caplog.text


@BOTH
def test_a_row_that_the_broker_will_never_take_does_not_hold_up_the_others(
    mosquitto: str, tmp_path: Path, state: Path, protocol: int, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Mosquitto(mosquitto, tmp_path, "max_packet_size 3000") as broker,
        closing(Sink(broker.port, site(1).unit)) as sink,
    ):
        sink.ready()
        fill(state, 4)
        outbox = Outbox.open(state / "outbox.db", UNIT, BOOT, 100_000)
        outbox.append(tuple(window(4, f"zone-{i}") for i in range(30)))
        outbox.close()
        fill(state, 6, first=5)
        assert drained(site(broker.port, protocol=protocol, backoff_s=0.05), state) == 1
        assert sorted(seq for _, seq in sink.rows) == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert left(state) == 1
    assert "breaks the connection over boot 00000000000000aa seq 5" in caplog.text


def test_a_row_that_is_no_counts_stays_on_the_unit_and_holds_nobody_up(
    broker: Mosquitto, sink: Sink, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker.start()
    sink.ready()
    stored = fill(state, 3)
    planted = [
        b"\xff\xd8\xff\xe0 a picture",
        encode(stored[0]).replace(b'"seq"', b'"box":[0.1,0.2,0.3,0.4],"seq"'),
        encode(stored[0]),  # sound, and under another row's number
    ]
    with closing(sqlite3.connect(state / "outbox.db")) as database, database:
        for number, payload in enumerate(planted):
            database.execute(
                "INSERT INTO rows (position, boot, seq, payload) VALUES (?, ?, ?, ?)",
                (100 + number, NEXT_BOOT, 1 + number, payload),
            )
    assert drained(site(broker.port), state) == 1
    assert sink.rows == by_key(stored)
    assert sink.seen == list(by_key(stored))  # and of the others nothing came
    assert left(state) == 0
    stages = [row.stage for row in read_ledger(state / "outbox.db").entries]
    assert stages == [Stage.LEFT] * 3 + [Stage.BARRED] * 3
    assert "boot 00000000000000bb seq 1 stays on the unit" in caplog.text


def test_a_health_that_says_too_much_stays_on_the_unit(
    broker: Mosquitto, sink: Sink, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker.start()
    sink.ready()
    fill(state, 1)
    told = Health(UNIT, time.time(), 5.0, Quality.SYNCED, BOOT, 99, 4.9)
    with running(site(broker.port), state):
        eventually(lambda: sink.healths, "the health")
        too_much = replace(told, fps=5e4, troubles=(Trouble.CAMERA_DARK,))
        health.write(state / "vision.health.json", too_much)
        eventually(lambda: "health stays on the unit" in caplog.text, "the complaint")
        known = len(sink.healths)
        health.write(state / "vision.health.json", replace(told, troubles=(Trouble.DISK_FULL,)))
        eventually(lambda: len(sink.healths) > known, "the sound health")
    assert all(each["fps"] != 5e4 for each in sink.healths)
    assert sink.healths[known]["troubles"] == ["disk_full"]


def test_health_of_all_services_is_published_and_again_when_a_trouble_comes(
    broker: Mosquitto, sink: Sink, state: Path
) -> None:
    broker.start()
    sink.ready()
    fill(state, 2)

    def vision(*troubles: Trouble) -> None:
        told = Health(UNIT, time.time(), 5.0, Quality.SYNCED, BOOT, 99, 4.9, troubles=troubles)
        health.write(state / "vision.health.json", told)

    vision()
    with running(site(broker.port), state):
        first = eventually(lambda: sink.healths, "the health")[0]
        assert (first["unit"], first["boot"], first["fps"], first["troubles"]) == (
            UNIT, BOOT, 4.9, [],
        )  # fmt: skip
        vision(Trouble.CAMERA_STALLED)
        eventually(lambda: sink.healths[-1]["troubles"] == ["camera_stalled"], "the trouble")
        vision()
        eventually(lambda: sink.healths[-1]["troubles"] == [], "its end")
        assert len(sink.healths) == 3


def test_the_health_files_may_lie_in_a_folder_of_their_own(
    broker: Mosquitto, sink: Sink, state: Path, tmp_path: Path
) -> None:
    broker.start()
    sink.ready()
    fill(state, 2)
    run = tmp_path / "run"
    with running(site(broker.port), state, run=run):
        eventually(lambda: (run / "uplink.health.json").exists(), "the health file")
    assert not (state / "uplink.health.json").exists()


def test_systemd_hears_that_the_uplink_works_also_without_a_broker(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(state, 2)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(20)
        with running(site(9), state):
            assert [ear.recv(99) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        heard = b""
        while heard != b"STOPPING=1":
            heard = ear.recv(99)


def test_rows_of_a_new_file_are_sent_when_vision_set_the_damaged_one_aside(
    broker: Mosquitto, sink: Sink, state: Path
) -> None:
    broker.start()
    sink.ready()
    sink.receipting = False
    fill(state, 4)
    with running(site(broker.port, max_unreceipted=4), state):
        eventually(lambda: len(sink.rows) == 4, "the old file's rows")
        sink.receipting = True  # but never for the rows that went with the old file
        set_aside(state / "outbox.db", 1)
        fill(state, 6, NEXT_BOOT)
        eventually(lambda: len(sink.rows) == 10, "the new file's rows")
        eventually(lambda: told(state).waiting == 0, "all receipts")
    assert left(state) == 0


def test_a_damaged_file_is_said_once_and_waited_for(
    state: Path, broker: Mosquitto, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    broker.start()
    sink.ready()
    state.mkdir()
    (state / "outbox.db").write_bytes(os.urandom(20_000))

    class Hasty(SystemClock):
        def monotonic(self) -> float:
            return 50 * super().monotonic()

    with running(site(broker.port), state, clock=Hasty()):
        eventually(lambda: "outbox.db" in caplog.text, "the complaint")
        set_aside(state / "outbox.db", 1)
        fill(state, 2)
        eventually(lambda: len(sink.rows) == 2, "the new file's rows")
    assert len([r for r in caplog.records if "outbox.db" in r.getMessage()]) == 1


def test_an_empty_outbox_needs_no_broker_to_be_drained(state: Path) -> None:
    assert drained(site(free_port()), state) == 0
    fill(state, 0)
    assert drained(site(free_port()), state) == 0


def answering(reply: bytes) -> tuple[int, Callable[[], None]]:
    """A server that says the same to everyone, and how to end it."""
    server = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            kept.append(peer)
            peer.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()

    def end() -> None:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)
        for peer in kept:
            peer.close()

    return server.getsockname()[1], end


@BOTH
def test_the_broker_is_told_how_long_a_silence_may_be(state: Path, protocol: int) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            peer, _ = server.accept()
            with peer:
                heard.append(peer.recv(4096))

        listener = threading.Thread(target=listen)
        listener.start()
        port = server.getsockname()[1]
        with running(site(port, protocol=protocol, keepalive_s=7), state):
            eventually(lambda: heard, "CONNECT")
        listener.join(5)
    after_name = heard[0].index(b"MQTT") + len("MQTT")
    version, _flags, silence = struct.unpack_from(">BBH", heard[0], after_name)
    assert (version, silence) == (protocol if protocol == 5 else 4, 7)


class Hurried(SystemClock):
    """Twenty seconds pass in one."""

    def monotonic(self) -> float:
        return 20 * super().monotonic()


@BOTH
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "is away", id="a web server"),
        pytest.param(b"\x20\x02\x00", "no answer within 10 s", id="half an answer"),
        pytest.param(b"\x20\x00", "is away", id="an empty answer"),
        pytest.param(b"\x20\x03\x00\x00\x05", "is away", id="properties cut off"),
        pytest.param(b"\x20\xff\xff\xff\xff\xff", "is away", id="a length without end"),
        pytest.param(b"", "no answer within 10 s", id="silence"),
    ],
)
def test_what_is_no_broker_is_told_as_absent_without_a_traceback(
    state: Path, protocol: int, reply: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    port, end = answering(reply)
    fill(state, 2)
    try:
        with running(site(port, protocol=protocol), state, clock=Hurried()):
            eventually(lambda: reason in caplog.text, "the complaint")
    finally:
        end()
    assert all(record.exc_info is None for record in caplog.records)
    assert left(state) == 2


@BOTH
def test_a_broker_that_refuses_the_unit_is_told_with_its_reason(
    mosquitto: str, tmp_path: Path, state: Path, protocol: int, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Mosquitto(mosquitto, tmp_path, "allow_anonymous false") as broker,
        running(site(broker.port, protocol=protocol), state),
    ):
        eventually(lambda: "Not authorized" in caplog.text, "the reason")


def certificates(folder: Path) -> dict[str, Path]:
    """An authority, a broker's and a unit's certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("apt-get install openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=store",
        "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    for name in ("broker", "unit"):
        run("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE",
        )  # fmt: skip
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o600)
    return {name: folder / name for name in ("ca.pem", "broker.pem", "broker.key", "unit.pem")}


def test_with_tls_both_sides_show_a_certificate(
    mosquitto: str, tmp_path: Path, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    files = certificates(keys)
    broker = Mosquitto(
        mosquitto, tmp_path, f"cafile {files['ca.pem']}", f"certfile {files['broker.pem']}",
        f"keyfile {files['broker.key']}", "require_certificate true",
    )  # fmt: skip
    fill(state, 2)

    def secure(**known: Path) -> Site:
        return site(0, broker=Broker("127.0.0.1", broker.port, tls=True), **known)

    with broker:
        with running(secure(), state):
            eventually(lambda: "certificate verify failed" in caplog.text, "the complaint")
        full = secure(ca=files["ca.pem"], cert=files["unit.pem"], key=keys / "unit.key")
        with running(full, state):
            eventually(lambda: told(state).troubles == (), "the connection")
        with running(secure(ca=keys / "absent.pem"), state):
            eventually(lambda: "No such file" in caplog.text, "the complaint")


def test_the_uplink_never_loads_numpy_or_opencv() -> None:
    source = (
        "import sys, json, edge_agent.services.uplink\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    with child("-c", source) as process:
        out, _ = process.communicate(timeout=30)
    loaded = set(json.loads(out))
    assert "paho" in loaded
    assert not loaded & {"numpy", "cv2", "onnxruntime"}
