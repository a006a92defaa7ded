"""The sink at work, with a real broker, real processes and real trouble."""

import json
import resource
import signal
import sqlite3
import threading

import pytest
from sink_world import BOOT, DEADLINE_S, Mosquitto, Sink, Unit, counts, until

from edge_agent.records import MAX_PAYLOAD_BYTES, Receipt, State, encode


@pytest.fixture
def broker(mosquitto, tmp_path):
    broker = Mosquitto(mosquitto, tmp_path, "allow_anonymous true")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def sink(broker, tmp_path):
    sink = Sink(broker.url, tmp_path)
    sink.start()
    sink.healthy()
    yield sink
    sink.close()


@pytest.fixture
def unit(broker):
    unit = Unit(broker.port)
    yield unit
    unit.close()


def test_every_message_is_stored_once_receipted_and_exported_as_it_was_published(sink, unit):
    payloads = [counts(seq) for seq in range(1, 201)]
    unit.sent([payload for payload in payloads for _ in range(2)])
    unit.sent(payloads)
    unit.receipted(BOOT, 200)
    until(lambda: sink.metric("shelflight_sink_messages_total") == 600, "all are judged")
    assert sink.exported() == payloads
    accepted = 'shelflight_sink_messages_total{outcome="accepted"'
    assert sink.metric(accepted) == 200
    assert unit.receipts[-1] == Receipt(BOOT, 200)
    windows = sink.get("/v1/counts", unit="shelf-1", zone="table", limit=200).json()["windows"]
    assert [window["seq"] for window in windows] == list(range(1, 201))


def test_receipts_name_the_gap_and_a_row_put_aside_does_not_hold_up_the_rest(sink, unit):
    unit.sent([counts(1), counts(2), counts(5)])
    assert unit.receipted(BOOT, 5) == Receipt(BOOT, 2, ((5, 5),))
    older = json.dumps({**json.loads(counts(3)), "v": 0}).encode()
    unit.sent([older])
    assert unit.receipted(BOOT, 3) == Receipt(BOOT, 3, ((5, 5),))
    unit.sent([counts(4)])
    assert unit.receipted(BOOT, 4) == Receipt(BOOT, 5)
    assert len(sink.exported()) == 4


def test_garbage_is_put_aside_with_a_reason_and_the_good_message_after_it_counts(sink, unit):
    good = counts(1)
    schema = json.dumps({**json.loads(counts(8)), "track": [1, 2]}).encode()
    older = json.dumps({**json.loads(counts(9)), "v": 0}).encode()
    wrong = [
        b"\xff\xfe", good + b" " * MAX_PAYLOAD_BYTES, older, schema, counts(1, "shelf-2"), b"",
    ]  # fmt: skip
    unit.sent([*wrong, good])
    unit.receipted(BOOT, 1)
    assert sink.get("/v1/dead-letters").json() == {
        "reasons": {"identity": 1, "not_json": 2, "oversized": 1, "schema": 1, "version": 1},
        "total": 6,
        "kept": 6,
    }
    assert sink.exported() == [good]
    assert sink.get("/healthz").status_code == 200
    assert "track" not in sink.log.read_text()


def test_killed_between_arrival_and_commit_the_broker_delivers_again(sink, unit):
    unit.sent([counts(1)])
    unit.receipted(BOOT, 1)
    blocker = sqlite3.connect(sink.db, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    payloads = [counts(seq) for seq in range(2, 31)]
    unit.sent(payloads)
    sink.end(signal.SIGKILL)
    assert blocker.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    blocker.execute("ROLLBACK")
    blocker.close()
    sink.start()
    unit.receipted(BOOT, 30)
    assert sink.exported() == [counts(1), *payloads]


def test_killed_again_and_again_nothing_is_lost_and_nothing_doubled(sink, unit):
    payloads = [counts(seq) for seq in range(1, 1501)]
    sender = threading.Thread(target=unit.sent, args=(payloads,))
    sender.start()
    for last in (100, 500, 900):
        unit.receipted(BOOT, last)
        sink.end(signal.SIGKILL)
        sink.start()
    sender.join(DEADLINE_S)
    unit.receipted(BOOT, 1500)
    until(lambda: unit.receipts[-1] == Receipt(BOOT, 1500), "all is held without a gap")
    assert sink.exported() == payloads


def test_a_broker_that_is_absent_is_waited_for_said_once_and_found_again(mosquitto, tmp_path):
    broker = Mosquitto(mosquitto, tmp_path, "allow_anonymous true")
    sink = Sink(broker.url, tmp_path)
    sink.start()
    try:
        until(lambda: "trying again" in sink.log.read_text(), "the absence is said")
        answer = sink.get("/healthz")
        assert (answer.status_code, answer.json()["broker"]["ok"]) == (503, False)
        broker.start()
        sink.healthy()
        broker.kill()
        until(lambda: sink.get("/healthz").status_code == 503, "the loss is noticed")
        broker.start()
        sink.healthy()
        unit = Unit(broker.port)
        unit.sent([counts(1)])
        unit.receipted(BOOT, 1)
        unit.close()
        assert sink.log.read_text().count("trying again") == 2
        assert sink.metric("shelflight_sink_connected") == 1
    finally:
        sink.close()
        broker.kill()


def test_on_sigterm_the_sink_leaves_in_order_and_its_session_stays(sink, unit):
    assert sink.end(signal.SIGTERM) == 0
    payloads = [counts(seq) for seq in range(1, 51)]
    unit.sent(payloads)
    sink.start()
    unit.receipted(BOOT, 50)
    assert sink.exported() == payloads
    assert sink.end(signal.SIGINT) == 0


def test_mqtt_3_1_1_keeps_its_session_too(broker, tmp_path, unit):
    sink = Sink(broker.url, tmp_path, "--protocol", "3", "--name", "old-sink")
    try:
        sink.start()
        sink.healthy()
        assert sink.end() == 0
        unit.sent([counts(1)])
        sink.start()
        unit.receipted(BOOT, 1)
    finally:
        sink.close()


def test_a_full_disk_holds_messages_at_the_broker_and_says_so(sink, unit):
    unit.sent([counts(1)])
    unit.receipted(BOOT, 1)
    soft, hard = resource.prlimit(sink.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(sink.pid, resource.RLIMIT_FSIZE, (4096, hard))
    unit.sent([counts(2)])
    answer = until(lambda: _unwell(sink), "the store's trouble is told")
    assert answer["store"]["ok"] is False
    assert not any(receipt.covers(2) for receipt in unit.receipts)
    assert sink.metric("shelflight_sink_commit_failures_total") == 1
    resource.prlimit(sink.pid, resource.RLIMIT_FSIZE, (soft, hard))
    unit.receipted(BOOT, 2)
    sink.healthy()
    assert sink.exported() == [counts(1), counts(2)]


def _unwell(sink):
    answer = sink.get("/healthz").json()
    return None if answer["store"]["ok"] else answer


def test_the_state_of_units_is_told_and_a_late_will_does_not_win(sink, unit):
    for session, online in ((1, True), (2, True), (1, False)):
        unit.send(encode(State("shelf-1", session, online)), "state", retain=True)
    unit.sent([counts(1)])
    unit.receipted(BOOT, 1)
    (told,) = sink.get("/v1/units").json()["units"]
    assert (told["unit"], told["session"], told["online"]) == ("shelf-1", 2, True)


def test_a_broker_that_refuses_us_is_said(mosquitto, tmp_path):
    broker = Mosquitto(mosquitto, tmp_path, "allow_anonymous false")
    broker.start()
    sink = Sink(broker.url, tmp_path)
    sink.start()
    try:
        until(lambda: "refused: Not authorized" in sink.log.read_text(), "the refusal is said")
        assert "Not authorized" in sink.get("/healthz").json()["broker"]["trouble"]
    finally:
        sink.close()
        broker.kill()
