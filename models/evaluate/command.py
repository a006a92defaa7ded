"""`models evaluate KIND`: one module a kind of score, imported only when asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

KINDS = {
    "agreement": ("models.evaluate.agreement", "person boxes beside another model's, and time"),
    "detection": ("models.evaluate.detection", "average precision of person boxes"),
    "keypoints": ("models.evaluate.keypoints", "PCK and OKS of joints"),
    "accuracy": ("models.evaluate.accuracy", "all that a unit says, of rendered shops and clips"),
    "robustness": ("models.evaluate.robustness", "reaches where skeletons are bad"),
    "dwell": ("models.evaluate.dwell", "visits of recordings, through the whole pipeline"),
    "dwell-tracking": ("models.evaluate.dwell_tracking", "dwell from poor boxes, beside ByteTrack"),
}
_EPILOG = "\n".join(f"  {name:16}{text}" for name, (_, text) in KINDS.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line; what follows the kind is the kind's own."""
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help="what to score, see below")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="...", help="KIND --help")
    parser.epilog = f"kinds (each has its own --help):\n{_EPILOG}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(args: argparse.Namespace) -> int:
    """Run the kind's own command."""
    module_name, text = KINDS[args.kind]
    return run(module_name, f"python -m models evaluate {args.kind}", text, args.words)


def run(module_name: str, program: str, text: str, words: Sequence[str]) -> int:
    """Import a module, parse its words and run it."""
    module = import_module(module_name)
    parser = argparse.ArgumentParser(prog=program, description=text)
    module.add_arguments(parser)
    code: int = module.main(parser.parse_args(words))
    return code


if __name__ == "__main__":
    sys.exit(main(argparse.Namespace(kind=sys.argv[1], words=sys.argv[2:])))
