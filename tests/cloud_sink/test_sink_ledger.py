"""Whether the sink holds what a unit's ledger says."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from cloud_sink.__main__ import main
from cloud_sink.ingest import Arrival
from cloud_sink.ledger import Verdict, accounts
from cloud_sink.schema import checks
from cloud_sink.store import Store
from edge_agent.records import (
    Counts,
    Definitions,
    Head,
    Health,
    Quality,
    Window,
    digest,
    encode,
    topic,
)

BOOT, NEXT = "00000000000000aa", "00000000000000bb"


def messages(count, boot=BOOT, prev=None):
    """Counts messages of one boot, chained."""
    made = []
    for seq in range(1, count + 1):
        window = Window("a", 60.0 * seq, 60.0, 60.0, Quality.SYNCED, Definitions(5, 15, 2))
        made.append(encode(Counts("unit-1", boot, seq, (window,), prev)))
        prev = digest(made[-1])
    return made


def health(payload, boot=BOOT, seq=3):
    head = None if payload is None else Head(boot, seq, digest(payload))
    return encode(Health("unit-1", 1.7e9, 5.0, Quality.SYNCED, ledger=head))


@pytest.fixture
def stored(tmp_path):
    """Stores messages in a new database and gives its path."""

    def store(counts, state=None):
        sink = Store(tmp_path / "sink.db", checks())
        arrivals = [Arrival(topic("t", "s", "unit-1", "counts"), each, 1.7e9) for each in counts]
        if state is not None:
            arrivals.append(Arrival(topic("t", "s", "unit-1", "health"), state, 1.7e9))
        committed = sink.commit(arrivals)
        sink.close()
        assert "dead" not in {kind for kind, _ in committed.outcomes}
        return tmp_path / "sink.db"

    return store


def test_both_sides_hold_the_same(stored):
    made = messages(3)
    (account,) = accounts(stored(made, health(made[2])))
    assert account.sound
    assert (account.verdict, account.messages, account.broken) == (Verdict.SAME, 3, ())
    assert account.head == (BOOT, 3, digest(made[2]))


def test_the_chain_goes_over_a_restart_of_the_unit(stored):
    first = messages(2)
    second = messages(2, NEXT, digest(first[1]))
    (account,) = accounts(stored([*first, *second], health(second[1], NEXT, 2)))
    assert account.sound


def test_a_message_that_is_missing_shows_in_the_next_one(stored):
    made = messages(3)
    (account,) = accounts(stored([made[0], made[2]], health(made[2])))
    assert (account.verdict, account.broken) == (Verdict.SAME, ((BOOT, 3),))
    assert not account.sound


def test_a_head_that_is_not_here_is_missing(stored):
    made = messages(3)
    (account,) = accounts(stored(made[:2], health(made[2])))
    assert account.verdict is Verdict.MISSING


def test_other_bytes_under_the_same_number_differ(stored):
    made = messages(3)
    path = stored(made, health(made[2]))
    with closing(sqlite3.connect(path)) as vandal:
        vandal.execute("UPDATE messages SET payload = ? WHERE seq = 3", (made[2] + b" ",))
        vandal.commit()
    (account,) = accounts(path)
    assert account.verdict is Verdict.DIFFERS


def test_a_message_that_says_nothing_of_the_one_before_is_a_cut(stored):
    made = messages(2)
    (account,) = accounts(stored([made[0], messages(2, prev=None)[0], made[1]]))
    assert account.sound, "the first of an outbox follows none"
    window = Window("a", 180.0, 60.0, 60.0, Quality.SYNCED, Definitions(5, 15, 2))
    silent = encode(Counts("unit-1", BOOT, 3, (window,), None))
    (account,) = accounts(stored([silent]))
    assert account.broken == ((BOOT, 3),)


def test_older_units_know_no_chain_and_are_not_blamed(stored):
    bare = [each.replace(b',"prev":null', b"") for each in messages(1)]
    (account,) = accounts(stored(bare, health(None)))
    assert account.sound
    assert account.verdict is None


def test_the_command_says_a_line_a_unit_and_exits_by_what_it_found(stored, capsys):
    made = messages(3)
    path = stored(made, health(made[2]))
    assert main(["ledger", "--db", str(path)]) == 0
    assert capsys.readouterr().out == "t/s/unit-1: 3 messages, head same\n"
    with closing(sqlite3.connect(path)) as vandal:
        vandal.execute("DELETE FROM messages WHERE seq = 2")
        vandal.commit()
    assert main(["ledger", "--db", str(path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["broken"], told["verdict"], told["sound"]) == ([[BOOT, 3]], "same", False)
