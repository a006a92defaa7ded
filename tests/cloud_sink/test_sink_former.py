"""Files and units of a former release: both go on working."""

import json
import sqlite3

import pytest
from former_store import FORMER
from sink_world import BOOT, TELLING, counts, window

from cloud_sink import counts as answers
from cloud_sink.ingest import Arrival
from cloud_sink.questions import By, Question
from cloud_sink.schema import checks
from cloud_sink.store import Store
from cloud_sink.tables import reading
from edge_agent.records import Receipt, topic

CHECKS = checks()


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "sink.db", CHECKS)
    yield store
    store.close()


def commit(store, *payloads):
    where = topic("demo", "store-1", "shelf-1", "counts")
    return store.commit([Arrival(where, payload, 1.0) for payload in payloads])


def look(store, statement):
    with reading(store.path) as db:
        return db.execute(statement).fetchall()


def older_unit(payload):
    """The same message from a unit that told no more than the first release did."""
    message = json.loads(payload)
    for one in message["windows"]:
        for name in ("reached", "empty_handed", "abstained", *PARTS):
            del one[name]
    return json.dumps(message, separators=(",", ":")).encode()


PARTS = ("staff", "histograms", "facings", "estimates")


@pytest.fixture
def former(tmp_path):
    """A file as the first version of the store left it, with one message in it."""
    path = tmp_path / "former.db"
    payload = older_unit(counts(1))
    db = sqlite3.connect(path)
    db.executescript(FORMER)
    row = ("demo", "store-1", "shelf-1", BOOT, 1)
    db.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, 1.0, ?)", (*row, payload))
    db.execute(
        "INSERT INTO windows VALUES (NULL, ?, ?, ?, ?, ?, 'table', 60.0, 60.0, 60.0, 'synced',"
        " 3, 2, 1, NULL, NULL, NULL, 31.5, 0.0, 0, 0.0, 1, 5.0, 15.0, 2.0, 1, 2)",
        row,
    )
    db.execute("INSERT INTO boots VALUES (NULL, ?, ?, ?, ?, 1.0, '[[1, 1]]')", row[:4])
    db.commit()
    db.close()
    return path


def test_a_file_of_the_former_sink_is_read_as_it_is_and_not_changed(former):
    before = former.read_bytes()
    with reading(former) as db:
        (row,) = answers.ask(db, Question({})).rows
        (total,) = answers.ask(db, Question({}, by=By.TOTAL)).rows
    assert (row["pass_bys"], row["definitions_version"], row["staff_pass_bys"]) == (3, 2, None)
    assert (row["facings"], row["seq"]) == (None, 1)
    assert (total["dwell_s"], total["reach_rate"], total["picks_low"]) == (31.5, None, None)
    assert former.read_bytes() == before


def test_a_file_of_the_former_sink_goes_on_where_it_was(former):
    store = Store(former, CHECKS)
    known, new = older_unit(counts(1)), counts(2, "shelf-1", BOOT, window(**TELLING))
    done = commit(store, known, new)
    assert done.outcomes == {("duplicate", ""): 1, ("accepted", ""): 1}
    assert [receipt for _, receipt in done.receipts] == [Receipt(BOOT, 2)]
    assert look(store, "SELECT seq, pass_bys, staff_pass_bys FROM windows ORDER BY seq") == [
        (1, 3, None),
        (2, 3, 1),
    ]
    store.close()
    again = Store(former, CHECKS)
    assert look(again, "SELECT count(*) FROM windows") == [(2,)]
    again.close()


def test_a_new_file_and_one_brought_up_are_alike(former, store):
    Store(former, CHECKS).close()
    statement = "SELECT name, type FROM pragma_table_info('windows')"
    with reading(former) as db:
        assert db.execute(statement).fetchall() == look(store, statement)


def test_a_unit_of_the_first_release_is_understood(store):
    done = commit(store, older_unit(counts(1)))
    assert done.outcomes == {("accepted", ""): 1}
    assert look(store, "SELECT reached, staff_stops, picks_best, facings FROM windows") == [
        (None, None, None, None)
    ]
