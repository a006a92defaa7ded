"""The scene command: render a shop from a seed, with all that is true of it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edge_agent.errors import InputError
from models.scene.clip import FPS, SECONDS, WORKERS, Order, make
from models.scene.contact import contact_sheet
from models.scene.story import Traffic

_EPILOG = """\
Everything follows from the seed: the same call gives the same frames and the same truth, with
any number of workers. DIR gets clip.mp4, site.yaml, truth.json (visits, reaches, picks, stock)
and labels.npz (boxes and keypoints of every person in every frame).

examples:
  python -m models scene --seed 7 --out shop7                    a minute of a shop
  python -m models scene --seed 7 --seconds 900 --out long7      some 150 visits
  python -m models scene --seed 7 --busy 0.2 --out quiet7        in view a fifth of the time only
  python -m models scene --contact-sheet scene.jpg --seeds 1-12  one frame of each of twelve shops
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("--seed", type=int, help="number that the shop follows from, 0 or more")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length (default 60)")
    parser.add_argument("--fps", type=float, default=FPS, help="frames a second (default 10)")
    parser.add_argument("--size", default="640x360", metavar="WxH", help="default 640x360")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes (default 2)")
    parser.add_argument(
        "--visit-every",
        type=float,
        default=6.0,
        metavar="S",
        help="seconds from one visit to the next, on average (default 6)",
    )
    parser.add_argument(
        "--busy",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="share of the time in which somebody is in view (default 1: no pauses are made)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder that gets the files")
    parser.add_argument("--json", action="store_true", help="last line: a summary as JSON")
    parser.add_argument(
        "--contact-sheet", type=Path, metavar="FILE", help="only draw a frame of each of --seeds"
    )
    parser.add_argument("--seeds", default="1-12", metavar="A-B", help="of the contact sheet")


def main(args: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        InputError: an option makes no sense.
        StorageError: the files cannot be written.
    """
    if args.contact_sheet is not None:
        path: Path = args.contact_sheet
        contact_sheet(path, _seeds(args.seeds))
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
        return 0
    order = _order(args)
    summary = make(order, args.out)
    if args.json:
        print(json.dumps(summary))
    else:
        print(
            f"{args.out}: {summary['frames']} frames, {summary['visits']} visits, "
            f"{summary['reaches']} reaches, {summary['events']} picks and put-backs"
        )
    return 0


def _order(args: argparse.Namespace) -> Order:
    if args.seed is None or args.out is None:
        raise InputError("give --seed N and --out DIR (or --contact-sheet FILE)")
    allowed = (
        ("--seed", args.seed, 0, 2**32 - 1),
        ("--seconds", args.seconds, 0.5, 24 * 3600),
        ("--fps", args.fps, 1, 60),
        ("--workers", args.workers, 1, 64),
        ("--visit-every", args.visit_every, 1, 3600),
        ("--busy", args.busy, 0.01, 1),
    )
    for name, value, least, most in allowed:
        if not least <= value <= most:
            raise InputError(f"{name} is {value}; {least} to {most} is allowed")
    traffic = Traffic(args.visit_every, args.busy)
    return Order(args.seed, args.seconds, args.fps, _size(args.size), args.workers, traffic)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if width.isdigit() and height.isdigit():
        size = int(width), int(height)
        if all(64 <= side <= 1920 and side % 2 == 0 for side in size):
            return size
    raise InputError(f"--size is {text!r}; WxH of even numbers from 64 to 1920 is allowed")


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    if first.isdigit() and (last or first).isdigit():
        seeds = list(range(int(first), int(last or first) + 1))
        if 1 <= len(seeds) <= 64:
            return seeds
    raise InputError(f"--seeds is {text!r}; A-B with 1 to 64 seeds is allowed, e.g. 1-12")
