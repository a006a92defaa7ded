"""The store: each message exactly once, every refusal kept with its reason."""

import json
import sqlite3

import pytest
from sink_world import BOOT, TELLING, counts, window

from cloud_sink import counts as answers
from cloud_sink.errors import StoreError, UsageError
from cloud_sink.ingest import Arrival
from cloud_sink.questions import By, Question
from cloud_sink.schema import checks
from cloud_sink.store import Store
from cloud_sink.tables import reading
from edge_agent.records import (
    MAX_PAYLOAD_BYTES,
    Health,
    Quality,
    Receipt,
    State,
    encode,
    topic,
)

CHECKS = checks()


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "sink.db", CHECKS)
    yield store
    store.close()


def at(payload, leaf="counts", unit="shelf-1", store="store-1", when=1.0, retained=False):
    return Arrival(topic("demo", store, unit, leaf), payload, when, retained)


def commit(store, *payloads):
    return store.commit([at(payload) for payload in payloads])


def look(store, statement):
    with reading(store.path) as db:
        return db.execute(statement).fetchall()


def dead(store):
    return look(store, "SELECT reason, seq FROM dead_letters ORDER BY id")


def changed(payload, **values):
    return json.dumps({**json.loads(payload), **values}, separators=(",", ":")).encode()


def test_a_message_is_stored_byte_for_byte_with_its_windows(store):
    payload = counts(1, "shelf-1", BOOT, window("a"), window("b", reaches=0))
    done = commit(store, payload)
    assert done.outcomes == {("accepted", ""): 1}
    assert done.windows == 2
    assert [receipt for _, receipt in done.receipts] == [Receipt(BOOT, 1)]
    assert look(store, "SELECT payload FROM messages") == [(payload,)]
    assert look(store, "SELECT zone, pass_bys, reaches, stop_s FROM windows ORDER BY zone") == [
        ("a", 3, None, 5.0),
        ("b", 3, 0, 5.0),
    ]


def test_a_duplicate_is_not_stored_again_but_receipted_again(store):
    commit(store, counts(1), counts(2), counts(1))
    done = commit(store, counts(2), counts(2))
    assert done.outcomes == {("duplicate", ""): 2}
    assert [receipt for _, receipt in done.receipts] == [Receipt(BOOT, 2)]
    assert look(store, "SELECT count(*) FROM windows") == [(2,)]


def test_of_two_contents_of_one_row_the_first_stays_and_the_second_is_a_conflict(store):
    first, second = counts(1), counts(1, "shelf-1", BOOT, window(pass_bys=9))
    done = commit(store, first, second, second)
    assert done.outcomes == {("accepted", ""): 1, ("dead", "conflict"): 1, ("duplicate", ""): 1}
    assert look(store, "SELECT payload FROM messages") == [(first,)]
    assert dead(store) == [("conflict", 1)]


def test_units_of_one_name_in_two_shops_do_not_take_each_others_rows(store):
    done = store.commit([at(counts(1)), at(counts(1, "shelf-1", BOOT, window("b")), store="two")])
    assert done.outcomes == {("accepted", ""): 2}
    assert len(done.receipts) == 2


REFUSED = {
    "not_json": b"\x00garbage",
    "oversized": counts(7) + b" " * MAX_PAYLOAD_BYTES,
    "version": changed(counts(7), v=0),
    "schema": changed(counts(7), shopper=12),
    "identity": counts(7, "shelf-2"),
}
HELD = ("version", "schema")


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refused_message_is_put_aside_and_the_next_one_counts(store, reason):
    done = commit(store, REFUSED[reason], counts(1))
    assert done.outcomes == {("dead", reason): 1, ("accepted", ""): 1}
    ((kept, size),) = look(store, "SELECT payload, size FROM dead_letters")
    assert kept == REFUSED[reason][:MAX_PAYLOAD_BYTES]
    assert size == len(REFUSED[reason])
    assert dead(store) == [(reason, 7 if reason in HELD else None)]


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_put_aside_whole_is_receipted_and_nothing_else(store, reason):
    done = commit(store, counts(1), REFUSED[reason])
    assert [receipt for _, receipt in done.receipts] == [
        Receipt(BOOT, 1, ((7, 7),) if reason in HELD else ())
    ]


def test_a_dead_letter_sent_again_is_a_duplicate(store):
    commit(store, REFUSED["version"])
    done = commit(store, REFUSED["version"])
    assert done.outcomes == {("duplicate", ""): 1}
    assert [receipt for _, receipt in done.receipts] == [Receipt(BOOT, 0, ((7, 7),))]
    assert dead(store) == [("version", 7)]


def test_a_row_put_aside_can_still_come_in_its_good_form(store):
    commit(store, REFUSED["version"])
    assert commit(store, counts(7)).outcomes == {("accepted", ""): 1}


IMPOSSIBLE = [
    {"stops": 9},
    {"pass_bys": 3.5},
    {"pass_bys": 2**70},
    {"pass_bys": 3.0},
    {"observed_s": 61.0},
    {"zone": "a b"},
    {"clock": "sundial"},
    {"start": None},
]


@pytest.mark.parametrize("wrong", IMPOSSIBLE, ids=str)
def test_windows_that_cannot_be_are_refused(store, wrong):
    message = json.loads(counts(1))
    message["windows"][0].update(wrong)
    done = commit(store, json.dumps(message).encode())
    assert done.outcomes == {("dead", "schema"): 1}


@pytest.mark.parametrize("seq", [0, -1, 1.5, 2**63, "1", None, True])
def test_a_row_number_that_cannot_be_is_refused_and_not_receipted(store, seq):
    done = commit(store, changed(counts(1), seq=seq))
    assert done.outcomes == {("dead", "schema"): 1}
    assert done.receipts == ()


@pytest.mark.parametrize(
    "name", ["shelflight/v1/demo/store-1/counts", "shelflight/v1/a b/s/shelf-1/counts", ""]
)
def test_a_topic_that_names_no_unit_is_a_matter_of_identity(store, name):
    done = store.commit([Arrival(name, counts(1), 1.0)])
    assert done.outcomes == {("dead", "identity"): 1}


def test_dead_letters_are_bounded_and_their_number_is_never_forgotten(tmp_path):
    store = Store(tmp_path / "sink.db", CHECKS, max_dead_letters=3)
    for number in range(5):
        commit(store, b"garbage %d" % number, b"more %d" % number)
    with reading(store.path) as db:
        told = answers.dead_letters(db)
    assert told == {"reasons": {"not_json": 10}, "total": 10, "kept": 3}
    store.close()


def test_a_late_will_of_an_older_session_does_not_override_a_newer_birth(store):
    for session, online in ((1, True), (2, True), (1, False)):
        store.commit([at(encode(State("shelf-1", session, online)), "state")])
    with reading(store.path) as db:
        (unit,) = answers.units(db)
    assert (unit["session"], unit["online"]) == (2, True)
    store.commit([at(encode(State("shelf-1", 2, False)), "state")])
    with reading(store.path) as db:
        (unit,) = answers.units(db)
    assert unit["online"] is False


def test_health_is_kept_and_only_what_the_unit_says_now_makes_it_seen(store):
    health = Health("shelf-1", at=5.0, uptime_s=1.0, clock=Quality.SYNCED)
    store.commit([at(encode(State("shelf-1", 1, True)), "state", when=10.0, retained=True)])
    with reading(store.path) as db:
        assert answers.units(db)[0]["last_seen"] is None
    store.commit([at(encode(health), "health", when=20.0)])
    store.commit([at(encode(State("shelf-1", 1, False)), "state", when=30.0)])
    with reading(store.path) as db:
        (unit,) = answers.units(db)
    assert unit["last_seen"] == 20.0
    assert unit["health"]["uptime_s"] == 1.0


def test_spans_are_found_again_after_a_restart(tmp_path):
    store = Store(tmp_path / "sink.db", CHECKS)
    commit(store, counts(1), counts(4))
    name = store.name()
    store.close()
    store = Store(tmp_path / "sink.db", CHECKS)
    assert store.name() == name
    done = commit(store, counts(2))
    assert [receipt for _, receipt in done.receipts] == [Receipt(BOOT, 2, ((4, 4),))]
    store.close()


def test_a_commit_that_fails_stores_nothing_and_no_later_receipt_claims_it(store, tmp_path):
    commit(store, counts(1))
    other = sqlite3.connect(tmp_path / "sink.db", isolation_level=None)
    store._db.execute("PRAGMA busy_timeout = 1")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"sink\.db: database is locked"):
        commit(store, counts(2), counts(3))
    with pytest.raises(StoreError):
        store.probe()
    other.execute("ROLLBACK")
    other.close()
    store.probe()
    done = commit(store, counts(4))
    assert [receipt for _, receipt in done.receipts] == [Receipt(BOOT, 1, ((4, 4),))]


def test_a_batch_that_fails_at_its_last_write_is_forgotten_as_a_whole(store, tmp_path):
    commit(store, counts(1))
    other = sqlite3.connect(tmp_path / "sink.db", isolation_level=None)
    other.execute("ALTER TABLE units RENAME TO away")
    with pytest.raises(StoreError, match="units"):
        commit(store, counts(2), counts(3))
    other.execute("ALTER TABLE away RENAME TO units")
    other.close()
    done = commit(store, counts(4))
    assert [receipt for _, receipt in done.receipts] == [Receipt(BOOT, 1, ((4, 4),))]


def test_a_full_disk_undoes_the_whole_batch(store):
    commit(store, counts(1))
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"):
        commit(store, *(counts(seq) for seq in range(2, 200)))
    store._db.execute("PRAGMA max_page_count = 100000")
    done = commit(store, counts(3))
    assert [receipt for _, receipt in done.receipts] == [Receipt(BOOT, 1, ((3, 3),))]
    assert look(store, "SELECT seq FROM messages ORDER BY seq") == [(1,), (3,)]


def test_only_one_sink_writes_to_a_file(store):
    with pytest.raises(UsageError, match="another sink"):
        Store(store.path, CHECKS)


def test_a_file_that_is_something_else_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(UsageError, match="not a database of this sink"):
        Store(path, CHECKS)
    path.write_bytes(b"no database at all, and long enough to be looked at" * 40)
    with pytest.raises(UsageError, match="not a database"):
        Store(path, CHECKS)


def test_a_newer_store_is_refused(tmp_path):
    store = Store(tmp_path / "sink.db", CHECKS)
    store._db.execute("PRAGMA user_version = 4")
    store.close()
    with pytest.raises(UsageError, match="store version 4"):
        Store(tmp_path / "sink.db", CHECKS)


@pytest.mark.parametrize(
    "path",
    [
        ("reached",),
        ("staff", "stops"),
        ("histograms", "reaches", 2),
        ("facings", 0, "picks"),
    ],
)
def test_a_count_that_is_no_whole_number_is_put_aside(store, path):
    message = json.loads(counts(1, "shelf-1", BOOT, window(**TELLING)))
    place = message["windows"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = 1.0
    assert commit(store, json.dumps(message).encode()).outcomes == {("dead", "schema"): 1}


def test_numbers_that_contradict_each_other_are_put_aside(store):
    message = json.loads(counts(1, "shelf-1", BOOT, window(**TELLING)))
    message["windows"][0]["estimates"]["picks"]["low"] = 9.0
    assert commit(store, json.dumps(message).encode()).outcomes == {("dead", "schema"): 1}


def test_never_measured_stays_apart_from_zero_in_sums(store):
    never = counts(1, "shelf-1", BOOT, window("a"), window("b", reaches=0), window("c"))
    measured = counts(2, "shelf-1", BOOT, window("c", reaches=4))
    commit(store, never, measured)
    with reading(store.path) as db:
        found = answers.ask(db, Question({}, by=By.TOTAL))
    assert {row["zone"]: row["reaches"] for row in found.rows} == {"a": None, "b": 0, "c": 4}


@pytest.mark.parametrize("probed", [True, False])
def test_a_deleted_database_is_made_anew_and_old_rows_are_not_receipted(store, probed):
    commit(store, counts(1), counts(2))
    for part in store.path.parent.glob(store.path.name + "*"):
        if not part.name.endswith(".lock"):
            part.unlink()
    if probed:
        store.probe()
    receipt = commit(store, counts(3)).receipts[0][1]
    assert (receipt.seq, receipt.have) == (0, ((3, 3),))
    assert store.path.exists()
    assert look(store, "SELECT seq FROM messages") == [(3,)]
