"""The models command: see which models there are, fetch them, check them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_agent.errors import ModelError, ShelflightError
from edge_agent.manifest import Manifest, ModelEntry, load, model_path, models_directory, verify
from models.listing import as_json, as_table
from models.progress import progress_bar
from models.pull import Outcome, pull

_EPILOG = """\
Models lie in the folder $SHELFLIGHT_MODELS, else in ~/.cache/shelflight/models.

examples:
  python -m models list                       what there is and what is here
  python -m models pull yolox-nano            fetch one model from its upstream address
  python -m models pull --from DIR NAME...    take them from a folder, without a network
  python -m models verify yolox-nano          exit 0 if the file is here and right, else 1
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
        0; 1 where a model could not be fetched or is not right; 2 where the call is wrong.
    """
    arguments = _parser().parse_args(argv)
    try:
        manifest = load()
        return int(arguments.run(manifest, arguments))
    except ShelflightError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; pull again to go on where it broke off", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models",
        description="Fetch and check the models that a shelf unit runs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="show every model and whether it is here")
    listing.add_argument("--json", action="store_true", help="print one JSON object instead")
    listing.set_defaults(run=_list)

    pulling = commands.add_parser("pull", help="fetch models and check that they are right")
    pulling.add_argument("names", nargs="+", metavar="NAME", help="a model's name, see list")
    pulling.add_argument(
        "--from",
        dest="mirror",
        type=Path,
        metavar="DIR",
        help="take the files from this folder instead of the network",
    )
    pulling.set_defaults(run=_pull)

    checking = commands.add_parser("verify", help="check one model: exit 0 if it is right, else 1")
    checking.add_argument("name", metavar="NAME", help="a model's name, see list")
    checking.set_defaults(run=_verify)
    return parser


def _list(manifest: Manifest, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print(json.dumps(as_json(manifest, models_directory())))
    else:
        as_table(manifest, models_directory())
    return 0


def _pull(manifest: Manifest, arguments: argparse.Namespace) -> int:
    # A misspelt name is told before anything is fetched.
    for entry in [manifest.get(name) for name in dict.fromkeys(arguments.names)]:
        _pull_one(entry, arguments.mirror)
    return 0


def _pull_one(entry: ModelEntry, mirror: Path | None) -> None:
    directory = models_directory()
    with progress_bar(entry) as report:
        outcome = pull(entry, directory, mirror, report)
    said = "is already here" if outcome is Outcome.PRESENT else "is here now"
    print(f"{entry.name} {said} and right: {model_path(entry, directory)}")


def _verify(manifest: Manifest, arguments: argparse.Namespace) -> int:
    entry = manifest.get(arguments.name)
    path = model_path(entry, models_directory())
    try:
        verify(entry, path)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{entry.name} is right: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
