"""What left this unit, in plain words or raw: `python -m edge_agent ledger`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from edge_agent.errors import StorageDamaged
from edge_agent.outbox import Checkpoint, Entry, Ledger, Stage, read_ledger
from edge_agent.records import Quality, Window, carrying, digest

# How a count is called, one and many, in the order in which it is told.
_WORDS = {
    "pass_bys": ("visit", "visits"),
    "stops": ("stop", "stops"),
    "engaged": ("engaged", "engaged"),
    "reaches": ("reach", "reaches"),
    "picks": ("pick", "picks"),
    "put_backs": ("put-back", "put-backs"),
}
_STAGES = {
    Stage.LEFT: "received",
    Stage.WAITING: "waiting or on its way",
    Stage.HELD: "held until the time is known",
    Stage.BARRED: "may not leave",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description = (
        "What left this unit, oldest first: counts, never who. Each message says the SHA-256 of "
        "the one before it, so that none can be taken out or slipped in."
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get("STATE_DIRECTORY", ".run")),
        help="folder of outbox.db (default: $STATE_DIRECTORY, else .run)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="raw, one JSON object a line: digest, stage, payload"
    )
    form.add_argument(
        "--verify", action="store_true", help="only check the chain: exit 0, or 1 where it is cut"
    )


def main(args: argparse.Namespace) -> int:
    """Print it; 0, or 1 where the chain is cut."""
    ledger = read_ledger(args.state / "outbox.db")
    broken = ledger.broken()
    try:
        for line in _raw(ledger) if args.json else [] if args.verify else _plain(ledger):
            print(line)
        print(_verdict(ledger, broken), file=sys.stderr if args.json else sys.stdout)
    except BrokenPipeError:
        # The reader has had enough (`| head`); keep Python from saying so at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    for row in broken:
        print(
            f"boot {row.boot} seq {row.seq} does not follow what stands before it: a message was "
            "changed, taken out or slipped in",
            file=sys.stderr,
        )
    return 1 if broken else 0


def _raw(ledger: Ledger) -> Iterator[str]:
    for point in ledger.checkpoints:
        yield json.dumps(
            {
                "folded": point.messages,
                "start": point.start,
                "end": point.end,
                "boot": point.boot,
                "seq": point.seq,
                "digest": point.digest,
            }
        )
    for row in ledger.entries:
        top = json.dumps({"digest": digest(row.payload), "stage": row.stage.name.lower()})
        readable = row.payload.startswith(b"{")
        yield f'{top[:-1]}, "payload": {row.payload.decode() if readable else "null"}}}'


def _plain(ledger: Ledger) -> Iterator[str]:
    for point in ledger.checkpoints:
        yield _folded(point)
    for row in ledger.entries:
        yield from _entry(row)
    for window in ledger.carried:
        k = window.definitions.k
        yield f"{_span(window)}  {window.zone}: fewer than {k} visitors, carried on, not told yet"


def _folded(point: Checkpoint) -> str:
    start, end = (datetime.fromtimestamp(t).astimezone() for t in (point.start, point.end))
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}  {point.messages} messages, folded away"


def _entry(row: Entry) -> Iterator[str]:
    try:
        windows = row.counts.windows
    except StorageDamaged:
        yield f"boot {row.boot} seq {row.seq}: cannot be read any more  [{_STAGES[row.stage]}]"
        return
    for window in windows:
        yield f"{_span(window)}  {window.zone}: {_counts(window)}  [{_STAGES[row.stage]}]"


def _counts(window: Window) -> str:
    if not window.observed_s:
        return "nothing was seen"
    known = [(getattr(window, name), words) for name, words in _WORDS.items()]
    told = [f"{number} {words[number != 1]}" for number, words in known if number]
    return ", ".join(told) or "nobody"


def _span(window: Window) -> str:
    if window.clock is Quality.RECORDING:
        return f"second {window.start:g} to {window.end:g} of the recording"
    start, end = (datetime.fromtimestamp(t).astimezone() for t in (window.start, window.end))
    unsure = " (clock not set)" if window.clock is Quality.UNSYNCED else ""
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to {until}{unsure}"


def _verdict(ledger: Ledger, broken: list[Entry]) -> str:
    folded = sum(point.messages for point in ledger.checkpoints)
    total = folded + len(ledger.entries)
    zones = carrying(ledger.carried)
    waits = f"; carried on: {', '.join(zones)}" if zones else ""
    if not ledger.entries:
        return f"nothing was told yet{waits}"
    last = ledger.entries[-1]
    chain = f"CUT in {len(broken)} places" if broken else "whole"
    return (
        f"{total} messages, the chain is {chain}; the newest is boot {last.boot} seq {last.seq}, "
        f"SHA-256 {digest(last.payload)}{waits}"
    )
