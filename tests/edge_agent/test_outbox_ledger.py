"""The outbox as a ledger: rows stay when they have left, as a chain; old ones are folded away."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from outbox_world import BOOT, NEXT_BOOT, RULES, UNIT, window

from edge_agent.errors import StorageDamaged, StorageError
from edge_agent.outbox import Correction, Outbox, OutboxReader, Stage, ledger, read_ledger
from edge_agent.records import Counts, Quality, VisitCounts, decode_counts, digest, encode

CORRECTION = Correction(by_s=3600.0, bound_s=1.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.db"


def opened(path, boot=BOOT, max_rows=1000, **terms):
    return closing(Outbox.open(path, UNIT, boot, max_rows, **terms))


def leave(path, count):
    """As the uplink does when receipts have come."""
    with closing(OutboxReader(path)) as reader:
        reader.forget([row.key for row in reader.rows_after(None, count)])


def few(minute, pass_bys, **known):
    return window(minute, pass_bys=pass_bys, staff=VisitCounts(), **known)


def test_each_row_says_what_stands_before_it_over_restarts_too(path):
    payloads = []
    for boot in (BOOT, NEXT_BOOT):
        with opened(path, boot) as outbox:
            payloads += [encode(outbox.append((window(minute),))) for minute in range(2)]
    links = [decode_counts(payload).prev for payload in payloads]
    assert links == [None, *map(digest, payloads[:-1])]
    assert read_ledger(path).broken() == []


def test_what_left_stays_as_an_entry_and_is_not_sent_again(path):
    with opened(path) as outbox:
        for minute in range(3):
            outbox.append((window(minute),))
        leave(path, 2)
    found = read_ledger(path)
    assert [row.stage for row in found.entries] == [Stage.LEFT, Stage.LEFT, Stage.WAITING]
    with closing(OutboxReader(path)) as reader:
        assert [row.key.seq for row in reader.rows_after(None, 9)] == [3]
        assert reader.count() == 1


def test_the_head_is_the_newest_that_left_with_all_before_it(path):
    with opened(path) as outbox:
        payloads = [encode(outbox.append((window(minute),))) for minute in range(4)]
    with closing(OutboxReader(path)) as reader:
        assert reader.head() is None
        rows = reader.rows_after(None, 9)
        reader.forget([rows[0].key, rows[1].key, rows[3].key])
        head = reader.head()
        assert (head.boot, head.seq, head.digest) == (BOOT, 2, digest(payloads[1]))
        reader.forget([rows[2].key])
        assert reader.head().digest == digest(payloads[3])


def test_an_entry_that_was_changed_shows_in_the_one_after_it(path):
    with opened(path) as outbox:
        for minute in range(4):
            outbox.append((window(minute),))
    changed = encode(Counts(UNIT, BOOT, 2, (window(1, pass_bys=9),)))
    with closing(sqlite3.connect(path)) as vandal:
        vandal.execute("UPDATE rows SET payload = ? WHERE seq = 2", (changed,))
        vandal.commit()
    assert [row.seq for row in read_ledger(path).broken()] == [2, 3]


def test_a_row_that_should_say_what_stands_before_it_and_does_not_is_a_cut(path):
    with opened(path) as outbox:
        for minute in range(3):
            outbox.append((window(minute),))
    silent = encode(Counts(UNIT, BOOT, 3, (window(2),), None))
    with closing(sqlite3.connect(path)) as vandal:
        vandal.execute("UPDATE rows SET payload = ? WHERE seq = 3", (silent,))
        vandal.commit()
    assert [row.seq for row in read_ledger(path).broken()] == [3]


def test_old_entries_are_folded_and_the_chain_goes_on_from_there(path, monkeypatch):
    monkeypatch.setattr(ledger, "ENTRIES", 20)
    monkeypatch.setattr(ledger, "FOLDED", 8)
    with opened(path) as outbox:
        for minute in range(60):
            outbox.append((window(minute),))
            leave(path, 1)
    found = read_ledger(path)
    assert len(found.entries) <= 29
    assert found.broken() == []
    assert sum(point.messages for point in found.checkpoints) + len(found.entries) == 60
    assert found.checkpoints[0].start == window(0).start
    assert found.checkpoints[-1].end == found.entries[0].counts.windows[0].start


def test_checkpoints_become_one_where_there_are_many(path, monkeypatch):
    monkeypatch.setattr(ledger, "ENTRIES", 4)
    monkeypatch.setattr(ledger, "FOLDED", 2)
    monkeypatch.setattr(ledger, "_CHECKPOINTS", 3)
    with opened(path) as outbox:
        for minute in range(60):
            outbox.append((window(minute),))
            leave(path, 1)
    found = read_ledger(path)
    assert len(found.checkpoints) <= 6
    assert sum(point.messages for point in found.checkpoints) + len(found.entries) == 60
    assert found.broken() == []


def test_what_waits_for_its_receipt_stays_and_holds_no_folding_up(path, monkeypatch):
    monkeypatch.setattr(ledger, "ENTRIES", 4)
    monkeypatch.setattr(ledger, "FOLDED", 2)
    with opened(path) as outbox:
        for minute in range(60):
            outbox.append((window(minute),))
            with closing(OutboxReader(path)) as reader:
                reader.forget([row.key for row in reader.rows_after(None, 9) if row.key.seq != 3])
    found = read_ledger(path)
    assert [row.seq for row in found.entries if row.stage is Stage.WAITING] == [3]
    assert len(found.entries) < 10
    assert found.broken() == []


def test_a_row_that_may_not_leave_stays_and_is_looked_at_again_by_the_next_boot(path):
    with opened(path) as outbox, closing(OutboxReader(path)) as reader:
        for minute in range(3):
            outbox.append((window(minute),))
        reader.bar(reader.rows_after(None, 9)[1].key)
        assert [row.key.seq for row in reader.rows_after(None, 9)] == [1, 3]
        reader.forget([row.key for row in reader.rows_after(None, 9)])
        assert reader.head().seq == 3
    with opened(path, NEXT_BOOT), closing(OutboxReader(path)) as reader:
        assert [row.key.seq for row in reader.rows_after(None, 9)] == [2]


def test_an_entry_that_cannot_be_read_any_more_stops_nothing(path, monkeypatch):
    monkeypatch.setattr(ledger, "ENTRIES", 10)
    monkeypatch.setattr(ledger, "FOLDED", 4)
    with opened(path) as outbox:
        for minute in range(40):
            outbox.append((window(minute),))
            if minute == 5:
                with closing(sqlite3.connect(path)) as vandal:
                    vandal.execute("UPDATE rows SET payload = x'00' WHERE seq IN (2, 4)")
                    vandal.commit()
            leave(path, 1)
    found = read_ledger(path)
    assert len(found.entries) <= 15
    assert sum(point.messages for point in found.checkpoints) + len(found.entries) == 40


def test_an_outbox_of_the_last_release_is_brought_up_and_loses_nothing(path):
    """Rows without a chain and a file without stages: as release 0.1.0 left them."""
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            "CREATE TABLE rows (position INTEGER PRIMARY KEY, boot TEXT NOT NULL,"
            " seq INTEGER NOT NULL, payload BLOB NOT NULL);"
            "CREATE TABLE writer (one INTEGER PRIMARY KEY CHECK (one = 1), boot TEXT NOT NULL,"
            " base INTEGER NOT NULL, seq INTEGER NOT NULL);"
            f"INSERT INTO writer VALUES (1, '{BOOT}', 0, 2); PRAGMA user_version = 1;"
        )
        for seq in (1, 2):
            payload = encode(Counts(UNIT, BOOT, seq, (window(seq),)))
            bare = payload.replace(b',"prev":null', b"").replace(b',"bound_s":null', b"")
            old.execute("INSERT INTO rows VALUES (?, ?, ?, ?)", (seq, BOOT, seq, bare))
        old.commit()
    with opened(path, NEXT_BOOT) as outbox:
        assert outbox.append((window(3),)).prev is not None
    found = read_ledger(path)
    assert [(row.boot, row.seq) for row in found.entries] == [(BOOT, 1), (BOOT, 2), (NEXT_BOOT, 1)]
    assert found.broken() == []


def test_there_must_be_an_outbox_to_read(path):
    with pytest.raises(StorageError, match="--state"):
        read_ledger(path)
    path.write_bytes(b"nothing of ours" * 100)
    with pytest.raises(StorageDamaged):
        read_ledger(path)


def test_small_counts_wait_in_the_file_and_go_on_after_a_restart(path):
    with opened(path, k=5) as outbox:
        assert outbox.append((few(0, 3),)) is None
        assert outbox.carrying == ("table",)
    with opened(path, NEXT_BOOT, k=5) as outbox:
        assert outbox.carrying == ("table",)
        counts = outbox.append((few(9, 2),))
        assert outbox.carrying == ()
    assert (counts.boot, counts.seq, counts.windows[0].pass_bys) == (NEXT_BOOT, 1, 5)


def test_a_window_that_was_not_stored_waits_once(path, monkeypatch):
    with opened(path, k=5) as outbox:
        outbox.append((few(0, 3),))
        monkeypatch.setattr(
            outbox, "_carry", lambda _: (_ for _ in ()).throw(sqlite3.OperationalError)
        )
        with pytest.raises(sqlite3.OperationalError):
            outbox.append((few(1, 1),))
        monkeypatch.undo()
        outbox.append((few(1, 1),))
    assert [one.pass_bys for one in read_ledger(path).carried] == [4]


def unsure(minute, **known):
    return few(minute, 1, clock=Quality.UNSYNCED, **known)


def test_rows_are_held_back_while_nobody_knows_the_time(path):
    with opened(path) as outbox, closing(OutboxReader(path)) as reader:
        outbox.holding = True
        outbox.append((unsure(0),))
        assert reader.rows_after(None, 9) == []
        outbox.let_go()
        outbox.append((unsure(1),))
        assert [row.key.seq for row in reader.rows_after(None, 9)] == [1, 2]


def test_held_rows_are_timed_anew_and_let_go_as_a_chain(path):
    with opened(path) as outbox, closing(OutboxReader(path)) as reader:
        outbox.holding = True
        for minute in range(3):
            outbox.append((unsure(minute),))
        outbox.correct(CORRECTION)
        rows = [decode_counts(row.payload) for row in reader.rows_after(None, 9)]
        outbox.append((few(3, 1),))
    assert [row.seq for row in rows] == [1, 2, 3]
    windows = [row.windows[0] for row in rows]
    assert [one.start for one in windows] == [window(minute + 60).start for minute in range(3)]
    assert {(one.clock, one.bound_s) for one in windows} == {(Quality.SYNCED, 1.0)}
    assert read_ledger(path).broken() == []


def test_what_waits_is_timed_anew_too(path):
    with opened(path, k=5) as outbox:
        outbox.holding = True
        outbox.append((unsure(0),))
        outbox.correct(CORRECTION)
        (waits,) = read_ledger(path).carried
        assert (waits.clock, waits.start) == (Quality.SYNCED, window(60).start)


@pytest.mark.parametrize("when", [-100, 0, 100])
def test_what_another_boot_left_stays_unsure(path, when):
    with opened(path, k=5) as outbox:
        outbox.append((unsure(when),))
    with opened(path, NEXT_BOOT, k=5) as outbox:
        outbox.holding = True
        outbox.append((unsure(0, zone="shelf"),))
        outbox.correct(CORRECTION)
    clocks = {one.zone: one.clock for one in read_ledger(path).carried}
    assert clocks == {"table": Quality.UNSYNCED, "shelf": Quality.SYNCED}


def test_what_holds_some_of_another_boots_stays_unsure_when_it_is_told(path):
    with opened(path, k=2) as outbox:
        outbox.append((unsure(0),))
    with opened(path, NEXT_BOOT, k=2) as outbox, closing(OutboxReader(path)) as reader:
        outbox.holding = True
        outbox.append((unsure(10),))
        outbox.append((unsure(11),))
        outbox.append((unsure(12),))
        outbox.correct(CORRECTION)
        told = [decode_counts(row.payload).windows[0].clock for row in reader.rows_after(None, 9)]
    assert told == [Quality.UNSYNCED, Quality.SYNCED]


def test_a_smaller_uplink_may_still_have_published_as_many_rows_as_the_one_before(path):
    with opened(path, max_rows=20, published=10) as outbox:
        before = [encode(outbox.append((window(minute),))) for minute in range(15)]
    with opened(path, max_rows=12, published=2) as outbox:
        outbox.append((window(15),))
    assert [row.payload for row in read_ledger(path).entries[:10]] == before[:10]


def test_windows_of_old_rules_that_a_smaller_k_frees_beside_a_full_house_take_two_rows(path):
    def house(minute, **known):
        return tuple(
            replace(few(minute, 2, **known), zone=f"zone-{i}-{'x' * 50}") for i in range(200)
        )

    with opened(path, k=5) as outbox:
        outbox.append(house(0, definitions=replace(RULES, stop_s=8)))
    with opened(path, NEXT_BOOT, k=1) as outbox:
        outbox.append(house(1))
    found = read_ledger(path)
    assert [row.seq for row in found.entries] == [1, 2]
    assert sum(w.pass_bys for row in found.entries for w in row.counts.windows) == 800
    assert found.carried == ()


def test_what_another_boot_held_back_goes_as_it_is(path):
    with opened(path) as outbox:
        outbox.holding = True
        outbox.append((unsure(0),))
    with opened(path, NEXT_BOOT), closing(OutboxReader(path)) as reader:
        assert len(reader.rows_after(None, 9)) == 1


def test_rows_that_left_are_never_touched_by_a_merge(path):
    with opened(path, max_rows=4) as outbox:
        before = [encode(outbox.append((window(minute),))) for minute in range(3)]
        leave(path, 3)
        for minute in range(3, 20):
            outbox.append((window(minute),))
    found = read_ledger(path)
    assert [row.payload for row in found.entries[:3]] == before
    assert found.broken() == []
    assert sum(w.pass_bys for row in found.entries for w in row.counts.windows) == 20


def test_rules_are_told_with_the_k_that_they_were_released_by(path):
    with opened(path, k=3) as outbox:
        (one,) = outbox.append((few(0, 3),)).windows
    assert one.definitions == replace(RULES, k=3)
