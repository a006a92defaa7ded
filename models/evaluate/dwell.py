"""`models evaluate dwell`: recordings with known visits through the shipping pipeline."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from edge_agent.bench.score import pair
from edge_agent.config import Site
from edge_agent.errors import InputError
from edge_agent.manifest import load
from edge_agent.observations import Censored, Visit
from models.evaluate.picture import spans
from models.evaluate.recording import Truth, load_truth, play, site_for, with_models
from models.evaluate.report import Figure, Row, tell

EPILOG = """\
Visits found are paired with true ones of the same zone that they share time with, so that the
shared time is greatest. Dwell error is of pairs that neither end of the recording cuts off.

examples:
  python -m models evaluate dwell shelflight-nano yolox-nano+movenet-lightning-int8 --truth SCENE
  python -m models evaluate dwell yolox-nano --truth table-visits.truth.json --picture visits.png
"""
_FIGURES = (
    Figure("visits", "visits", "d"),
    Figure("matched", "matched", "d"),
    Figure("missed", "missed", "d"),
    Figure("extra", "extra", "d"),
    Figure("dwell_error_s", "dwell error, s", ".2f"),
    Figure("dwell_error", "of dwell", ".1%"),
    Figure("dwell_bias_s", "bias, s", "+.2f"),
    Figure("pass_bys_error", "pass-bys off", "+d"),
    Figure("stops", "stops", "d"),
    Figure("stops_error", "stops off", "+d"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="DETECTOR or DETECTOR+POSE; side by side"
    )
    parser.add_argument(
        "--truth", type=Path, nargs="+", required=True, metavar="FILE",
        help="truth.json beside its clip, or a folder that `models scene` wrote",
    )  # fmt: skip
    parser.add_argument(
        "--site", type=Path,
        help="the unit's site.yaml (default: the one beside the truth, else made of its zones)",
    )  # fmt: skip
    parser.add_argument("--fps", type=float, help="analysed frames a second (default: the site's)")
    parser.add_argument("--threads", type=int, default=1, help="of one inference (default 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE.png", help="draw the visits (needs matplotlib)"
    )
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    manifest, truths = load(), [load_truth(path) for path in args.truth]
    rows, drawn = [], {"truth": [_span(visit) for visit in truths[0].visits]}
    for truth in truths:
        if "visits" not in truth.values:
            raise InputError(f"{truth.source}: tells no visits; there is no dwell to judge")
    sites = [site_for(truth, args.site) for truth in truths]
    for name in dict.fromkeys(args.names):
        found = [
            _visits(with_models(site, name, manifest, args.threads), truth, args.fps)
            for site, truth in zip(sites, truths, strict=True)
        ]
        rows.append({"name": name, **score(list(zip(found, truths, sites, strict=True)))})
        drawn[name] = [_span(visit) for visit in found[0]]
    clips = "1 recording" if len(truths) == 1 else f"{len(truths)} recordings"
    tell(f"visits against the truth of {clips}", rows, _FIGURES, args.json)
    if args.picture:
        spans(args.picture, f"visits of {truths[0].clip.name}", drawn)
    return 0


def score(found: Sequence[tuple[Sequence[Visit], Truth, Site]]) -> Row:
    """Compare visits with the truth, all recordings together."""
    errors: list[tuple[float, float]] = []
    visits = matched = extra = stops = stops_found = 0
    for some, truth, site in found:
        pairs = pair_visits(some, truth.visits)
        visits, matched = visits + len(truth.visits), matched + len(pairs)
        extra += len(some) - len(pairs)
        errors += [
            (some[i].dwell_s - truth.visits[j].dwell_s, truth.visits[j].dwell_s)
            for i, j in pairs
            if some[i].censored is truth.visits[j].censored is Censored.NONE
        ]
        stop_s = {zone.name: zone.thresholds.stop_s for zone in site.zones}
        stops += _stops(truth.visits, stop_s)
        stops_found += _stops(some, stop_s)
    off = np.array([error for error, _ in errors])
    dwell = sum(length for _, length in errors)
    return {
        "visits": visits,
        "matched": matched,
        "missed": visits - matched,
        "extra": extra,
        "judged": len(errors),
        "dwell_error_s": float(np.abs(off).mean()) if errors else None,
        "dwell_error": float(np.abs(off).sum() / dwell) if dwell else None,
        "dwell_bias_s": float(off.mean()) if errors else None,
        "pass_bys_error": matched + extra - visits,
        "stops": stops,
        "stops_error": stops_found - stops,
    }


def pair_visits(found: Sequence[Visit], true: Sequence[Visit]) -> list[tuple[int, int]]:
    """One-to-one pairs (index of found, of true) of one zone that share time."""
    if not found or not true:
        return []
    shared = np.array([[_shared_s(a, b) for b in true] for a in found])
    return [(i, j) for i, j in pair(shared) if shared[i, j] > 0]


def _shared_s(a: Visit, b: Visit) -> float:
    if a.zone != b.zone:
        return 0.0
    return max(0.0, min(a.leave_s, b.leave_s) - max(a.enter_s, b.enter_s))


def _stops(visits: Iterable[Visit], stop_s: dict[str, float]) -> int:
    return sum(visit.dwell_s >= stop_s.get(visit.zone, 0.0) for visit in visits)


def _visits(site: Site, truth: Truth, fps: float | None) -> list[Visit]:
    return [event for event in play(site, truth.clip, fps) if isinstance(event, Visit)]


def _span(visit: Visit) -> tuple[float, float]:
    return visit.enter_s, visit.leave_s
