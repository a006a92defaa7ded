"""The models command: see, fetch, check, quantize, score, measure and train models."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from edge_agent.errors import ModelError, ShelflightError
from edge_agent.manifest import ModelEntry, load, model_path, models_directory, verify
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
  python -m models quantize yolox-nano        make yolox-nano-int8 of it
  python -m models bench --write              choose what is fastest on this device

COMMAND --help tells more of each.
"""
# Command -> (module, what it does). A module is imported when its command is asked for: scoring
# and training need packages that a unit does without.
COMMANDS = {
    "quantize": (
        "models.quantize.command",
        "make a model's int8 file, checked against its float one",
    ),
    "evaluate": ("models.evaluate.command", "score models against truth or against each other"),
    "bench": ("models.bench.command", "measure runtimes, threads and models on this device"),
    "scene": ("models.scene.command", "render a shop with shoppers, and the truth about them"),
    "train": ("models.train.command", "train the built-in model"),
    "train-closeup": ("models.train.closeup_command", "train what looks closely at hands"),
    "fit-hands": ("models.train.hands_command", "fit what tells hands past a shelf's plane"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
        0; 1 where a model could not be fetched or is not right; 2 where the call is wrong.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    arguments = _parser(words[0] if words else "").parse_args(words)
    try:
        return int(arguments.run(arguments))
    except ShelflightError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; the same command again goes on where it broke off", file=sys.stderr)
        return 130


def _parser(asked: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models",
        description="Fetch, check, quantize, score and train the models that a shelf unit runs.",
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

    for name, (module_name, text) in COMMANDS.items():
        if name != asked:
            commands.add_parser(name, help=text)
            continue
        module = import_module(module_name)
        command = commands.add_parser(
            name,
            help=text,
            description=module.__doc__,
            epilog=getattr(module, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.main)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    manifest = load()
    if arguments.json:
        print(json.dumps(as_json(manifest, models_directory())))
    else:
        as_table(manifest, models_directory())
    return 0


def _pull(arguments: argparse.Namespace) -> int:
    manifest = load()
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


def _verify(arguments: argparse.Namespace) -> int:
    entry = load().get(arguments.name)
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
