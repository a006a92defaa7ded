"""Runs the proofs: `make prove`, `make prove PARTS=ledger,time`, `SHORT=1`, `BREAK=chain`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.prove import breaks
from tests.prove.parts import LONGEST, PARTS, load
from tests.prove.row import Row, Scale


@dataclass(frozen=True, slots=True)
class Proof:
    """What one part came to."""

    name: str
    rows: tuple[Row, ...]
    seconds: float

    @property
    def held(self) -> bool:
        """Whether all of its claims hold."""
        return all(row.met for row in self.rows)


def main() -> int:
    """Run; 0 when every claim holds, 1 when one does not, 2 when a name is unknown."""
    args = _arguments()
    if args.broken:
        return breaks.run(args.broken, args.parts)
    alone = len(args.parts) == 1
    with ThreadPoolExecutor(1 if alone else args.jobs) as pool:
        proofs = list(
            pool.map(lambda name: _one(name, args.short, alone), _longest_first(args.parts))
        )
    if args.again:
        proofs = [proof if proof.held else _again(proof, args.short) for proof in proofs]
    proofs.sort(key=lambda proof: args.parts.index(proof.name))
    missed = [row.check for proof in proofs for row in proof.rows if not row.met]
    if args.write:
        args.write.write_text(_page(proofs, args.short), encoding="utf-8")
    if args.json:
        print(json.dumps([asdict(proof) for proof in proofs]))
    count = sum(len(proof.rows) for proof in proofs)
    caught = f": {', '.join(missed)}" if missed else ""
    print(f"{count - len(missed)} of {count} claims hold{caught}", file=sys.stderr)
    return 1 if missed else 0


def _again(proof: Proof, short: bool) -> Proof:
    """A part that missed once more, with nothing beside it: what is wrong misses again."""
    print(f"{PARTS[proof.name][0]} missed; once more, alone", file=sys.stderr)
    again = _apart(proof.name, short)
    _tell(again)
    return again


def _longest_first(names: Iterable[str]) -> list[str]:
    """What takes longest begins first, so that the others run beside it."""
    return sorted(names, key=lambda name: name != LONGEST)


def _one(name: str, short: bool, here: bool) -> Proof:
    """Prove one part, in a process of its own where others run beside it."""
    print(f"{PARTS[name][0]} …", file=sys.stderr, flush=True)
    proof = _prove(name, Scale(short)) if here else _apart(name, short)
    _tell(proof)
    return proof


def _apart(name: str, short: bool) -> Proof:
    words = ("-m", "tests.prove", "--json", "--parts", name, *(["--short"] if short else []))
    done = subprocess.run((sys.executable, *words), capture_output=True, text=True)
    try:
        (known,) = json.loads(done.stdout)
        return Proof(name, tuple(Row(**row) for row in known["rows"]), known["seconds"])
    except (KeyError, TypeError, ValueError):
        why = f"no: exit {done.returncode}: {done.stderr[-300:]}"
        return Proof(name, (Row(name, "this part runs to its end", "yes", why, False),), 0.0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make prove", description=__doc__)
    parser.add_argument("--parts", default="", help=f"some of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--short", action="store_true", help="fewer tries, as CI has time for")
    parser.add_argument(
        "--again", action="store_true", help="prove what missed once more, alone (busy machines)"
    )
    parser.add_argument("--write", type=Path, help="write the table here, as Markdown")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument(
        "--jobs", type=int, default=2, help="parts that run side by side (default: %(default)s)"
    )
    parser.add_argument(
        "--break",
        dest="broken",
        choices=list(breaks.BREAKS),
        help="prove a copy that is broken on purpose: it must fail",
    )
    args = parser.parse_args()
    args.parts = args.parts.split(",") if args.parts else list(PARTS)
    unknown = [name for name in args.parts if name not in PARTS]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return args


def _prove(name: str, scale: Scale) -> Proof:
    started = time.monotonic()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix=f"prove-{name}-", ignore_cleanup_errors=True) as folder:
        try:
            rows.extend(load(name)(scale, Path(folder)))
        except Exception as error:  # noqa: BLE001 - a part that cannot run proves nothing
            rows.append(Row(name, "this part runs to its end", "yes", f"no: {error!r}", False))
    return Proof(name, tuple(rows), time.monotonic() - started)


def _tell(proof: Proof) -> None:
    print(f"{PARTS[proof.name][0]}: {proof.seconds:.0f} s", file=sys.stderr)
    for row in proof.rows:
        verdict = "held  " if row.met else "MISSED"
        print(
            f"  {verdict} {row.check}: {row.claim}: {row.figure} (goal {row.goal})", file=sys.stderr
        )
    sys.stderr.flush()


def _page(proofs: Iterable[Proof], short: bool) -> str:
    more = " SHORT=1" if short else ""
    proofs = list(proofs)
    rows = [row for proof in proofs for row in proof.rows]
    held = sum(row.met for row in rows)
    lines = [
        "# What is promised, and what was found",
        "",
        f"`make prove{more}` wrote this: {held} of {len(rows)} claims hold.",
    ]
    for proof in proofs:
        command = f"`make prove PARTS={proof.name}{more}`"
        lines += ["", f"## {PARTS[proof.name][0]} ({proof.seconds:.0f} s)", ""]
        lines += ["| check | claim | goal | figure | held | command |", "|---|---|---|---|---|---|"]
        for row in proof.rows:
            cells = (row.check, row.claim, row.goal, row.figure, "yes" if row.met else "**no**")
            lines.append("| " + " | ".join([*map(_cell, cells), command]) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
