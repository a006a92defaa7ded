"""`python -m edge_agent ledger`: what left, for somebody in the shop and for a machine."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from outbox_world import BOOT, UNIT, window

from edge_agent.__main__ import main
from edge_agent.outbox import Outbox, OutboxReader
from edge_agent.records import Quality, VisitCounts, digest


@pytest.fixture
def state(tmp_path):
    with closing(Outbox.open(tmp_path / "outbox.db", UNIT, BOOT, 1000, k=5)) as outbox:
        outbox.append((window(0, pass_bys=7, stops=1, reaches=2, staff=VisitCounts()),))
        outbox.append((window(1, pass_bys=0, staff=VisitCounts()),))
        outbox.append((window(2, "quiet", pass_bys=2, staff=VisitCounts()),))
    with closing(OutboxReader(tmp_path / "outbox.db")) as reader:
        reader.forget([reader.rows_after(None, 1)[0].key])
    return tmp_path


def run(capsys, *words):
    code = main(["ledger", *map(str, words)])
    return code, capsys.readouterr()


def test_in_plain_words(state, capsys):
    code, said = run(capsys, "--state", state)
    first, second, third, verdict = said.out.splitlines()
    assert code == 0
    assert "table: 7 visits, 1 stop, 2 reaches  [received]" in first
    assert "table: nobody  [waiting or on its way]" in second
    assert third.endswith("quiet: fewer than 5 visitors, carried on, not told yet")
    assert "2 messages, the chain is whole" in verdict
    assert verdict.endswith("carried on: quiet")


def test_raw_as_it_left(state, capsys):
    code, said = run(capsys, "--state", state, "--json")
    entries = [json.loads(line) for line in said.out.splitlines()]
    assert code == 0
    assert [entry["stage"] for entry in entries] == ["left", "waiting"]
    raw = json.dumps(entries[0]["payload"], separators=(",", ":")).encode()
    assert entries[0]["digest"] == digest(raw) == entries[1]["payload"]["prev"]
    assert "chain is whole" in said.err


def test_a_cut_chain_is_named_and_told_by_the_exit_code(state, capsys):
    with closing(sqlite3.connect(state / "outbox.db")) as vandal:
        vandal.execute("DELETE FROM rows WHERE seq = 1")
        vandal.commit()
    code, said = run(capsys, "--state", state, "--verify")
    assert code == 1
    assert "CUT in 1 places" in said.out
    assert "seq 2 does not follow" in said.err


def test_nothing_was_told_yet(tmp_path, capsys):
    Outbox.open(tmp_path / "outbox.db", UNIT, BOOT, 1000).close()
    code, said = run(capsys, "--state", tmp_path, "--verify")
    assert (code, said.out) == (0, "nothing was told yet\n")


def test_no_outbox_there_is_told_with_what_to_do(tmp_path, capsys):
    code, said = run(capsys, "--state", tmp_path)
    assert code == 1
    assert "--state" in said.err


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"clock": Quality.UNSYNCED}, "(clock not set)"),
        ({"clock": Quality.RECORDING, "start": 60.0}, "second 60 to 120 of the recording"),
        ({"observed_s": 0.0}, "nothing was seen"),
    ],
)
def test_what_is_not_sure_is_said(tmp_path, capsys, known, text):
    with closing(Outbox.open(tmp_path / "outbox.db", UNIT, BOOT, 1000)) as outbox:
        outbox.append((window(0, pass_bys=0, **known),))
    _, said = run(capsys, "--state", tmp_path)
    assert text in said.out
