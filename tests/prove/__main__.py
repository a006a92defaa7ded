"""Runs the proofs: `make prove`, `make prove PARTS=ledger,time`, `SHORT=1`, `BREAK=chain`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.prove import breaks
from tests.prove.parts import PARTS, load
from tests.prove.row import Row, Scale


@dataclass(frozen=True, slots=True)
class Proof:
    """What one part came to."""

    name: str
    rows: tuple[Row, ...]
    seconds: float


def main() -> int:
    """Run; 0 when every claim holds, 1 when one does not, 2 when a name is unknown."""
    args = _arguments()
    if args.broken:
        return breaks.run(args.broken, args.parts)
    proofs = []
    for name in args.parts:
        print(f"{PARTS[name][0]} …", file=sys.stderr, flush=True)
        proofs.append(_prove(name, Scale(args.short)))
        _tell(proofs[-1])
    missed = [row.check for proof in proofs for row in proof.rows if not row.met]
    if args.write:
        args.write.write_text(_page(proofs, args.short), encoding="utf-8")
    if args.json:
        print(json.dumps({proof.name: [asdict(row) for row in proof.rows] for proof in proofs}))
    count = sum(len(proof.rows) for proof in proofs)
    caught = f": {', '.join(missed)}" if missed else ""
    print(f"{count - len(missed)} of {count} claims hold{caught}", file=sys.stderr)
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make prove", description=__doc__)
    parser.add_argument("--parts", default="", help=f"some of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--short", action="store_true", help="fewer tries, as CI has time for")
    parser.add_argument("--write", type=Path, help="write the table here, as Markdown")
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON object")
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
    for row in proof.rows:
        verdict = "held  " if row.met else "MISSED"
        print(
            f"  {verdict} {row.check}: {row.claim}: {row.figure} (goal {row.goal})", file=sys.stderr
        )
    print(f"  {proof.seconds:.0f} s", file=sys.stderr, flush=True)


def _page(proofs: Iterable[Proof], short: bool) -> str:
    form = "the short form" if short else "the full form"
    lines = [
        "# What is promised, and what was found",
        "",
        f"Written by `make prove{' SHORT=1' if short else ''}` ({form}).",
    ]
    for proof in proofs:
        lines += ["", f"## {PARTS[proof.name][0]}", ""]
        lines += [f"`make prove PARTS={proof.name}`, {proof.seconds:.0f} s", ""]
        lines += ["| check | claim | goal | figure | held |", "|---|---|---|---|---|"]
        lines += [
            f"| {row.check} | {row.claim} | {row.goal} | {row.figure} | "
            f"{'yes' if row.met else '**no**'} |"
            for row in proof.rows
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
