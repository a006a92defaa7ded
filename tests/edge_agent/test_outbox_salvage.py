"""A damaged outbox: what can still be read of it reaches the sink all the same."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest
from outbox_world import BOOT, NEXT_BOOT, UNIT, window

from edge_agent.errors import StorageFull
from edge_agent.journal import Journal, Terms
from edge_agent.outbox import Outbox, OutboxReader, Wreck, read_ledger
from edge_agent.records import VisitCounts

ROWS = 400


@pytest.fixture
def path(tmp_path):
    """An outbox of many rows; the first hundred have left."""
    path = tmp_path / "outbox.db"
    with closing(Outbox.open(path, UNIT, BOOT, 10_000, k=5)) as outbox:
        for minute in range(ROWS):
            outbox.append((window(minute, pass_bys=7, staff=VisitCounts()),))
        outbox.append((window(ROWS, "quiet", pass_bys=2, staff=VisitCounts()),))
        with closing(OutboxReader(path)) as reader:
            reader.forget([row.key for row in reader.rows_after(None, 100)])
    return path


def counted_on(path):
    """Vision finds the damage, and goes on counting."""
    with Journal(path, Terms(UNIT, 10_000, k=5), lambda: 7.0) as journal:
        journal.write((window(ROWS + 1, pass_bys=9, staff=VisitCounts()),))
        assert journal.resets == 1
    with closing(OutboxReader(path)) as reader:
        return reader.rows_after(None, 10_000)


def spoil(path, at, size=4096):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(size))


def leaf(path, seq):
    """Where in the file the row's own page lies."""
    with closing(sqlite3.connect(path)) as db:
        (payload,) = db.execute("SELECT payload FROM rows WHERE seq = ?", (seq,)).fetchone()
    return path.read_bytes().index(payload) // 4096 * 4096


def test_rows_before_and_behind_a_spoilt_page_are_taken_over(path):
    spoil(path, leaf(path, 250))
    found = counted_on(path)
    old = [row.key.seq for row in found if row.key.boot == BOOT]
    assert len(old) >= 0.95 * (ROWS - 100)
    assert {101, 102, ROWS} <= set(old)
    assert old == sorted(set(old))
    assert 250 not in old
    assert found[-1].key.boot != BOOT, "counting went on"


def test_a_torn_end_costs_only_what_was_in_it(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3 * 4096)
    found = counted_on(path)
    assert len([row for row in found if row.key.boot == BOOT]) >= 0.85 * (ROWS - 100)


def test_what_waited_for_more_visitors_waits_on(path):
    spoil(path, leaf(path, 250))
    counted_on(path)
    (quiet,) = read_ledger(path).carried
    assert (quiet.zone, quiet.pass_bys) == ("quiet", 2)


def test_the_ledger_tells_where_something_is_missing_and_nowhere_else(path):
    spoil(path, leaf(path, 250))
    counted_on(path)
    ledger = read_ledger(path)
    assert len(ledger.broken()) == 1
    assert ledger.broken()[0].seq > 250


def test_of_garbage_nothing_is_taken_over(path):
    path.write_bytes(os.urandom(50_000))
    (row,) = counted_on(path)
    assert row.key.boot != BOOT


def test_a_row_that_says_other_than_its_place_is_left_out(path, tmp_path):
    with closing(sqlite3.connect(path)) as vandal:
        vandal.execute("UPDATE rows SET boot = ? WHERE seq = 300", (NEXT_BOOT,))
        vandal.execute("UPDATE rows SET payload = x'7b7d' WHERE seq = 301")
        vandal.commit()
    with Wreck(path) as wreck:
        assert len(list(wreck.rows())) == ROWS - 100 - 2


def test_what_could_not_be_taken_over_at_once_is_at_the_next_start(path, monkeypatch):
    spoil(path, leaf(path, 250))

    def full(_outbox, _wreck):
        raise StorageFull("no room")

    with monkeypatch.context() as tight:
        tight.setattr(Outbox, "adopt", full)
        assert [row.key.boot for row in counted_on(path)] != []
    with Journal(path, Terms(UNIT, 10_000, k=5), lambda: 8.0) as journal:
        journal.write((window(ROWS + 2, pass_bys=9, staff=VisitCounts()),))
    with closing(OutboxReader(path)) as reader:
        found = reader.rows_after(None, 10_000)
    old = [row.key.seq for row in found if row.key.boot == BOOT]
    assert len(old) >= 0.8 * (ROWS - 100)
    with Journal(path, Terms(UNIT, 10_000, k=5), lambda: 9.0) as journal:
        journal.write((window(ROWS + 3, pass_bys=9, staff=VisitCounts()),))
    with closing(OutboxReader(path)) as reader:
        again = [row.key.seq for row in reader.rows_after(None, 10_000) if row.key.boot == BOOT]
    assert again == old, "and once only"


def test_an_outbox_of_the_last_release_is_salvaged_too(path, tmp_path):
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            "DELETE FROM rows WHERE stage = 2; DROP VIEW waiting; DROP INDEX rows_waiting;"
            "ALTER TABLE rows DROP COLUMN stage"
        )
    with Wreck(path) as wreck:
        assert len(list(wreck.rows())) == ROWS - 100
