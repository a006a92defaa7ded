"""The unit's command line: `python -m edge_agent COMMAND`, also installed as shelflight-agent."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path
from types import FrameType

from edge_agent.config import Site, Source, key_mistakes, load_site
from edge_agent.errors import ConfigError, ShelflightError
from edge_agent.retention import Retention, seal

# Command -> (module, what it does). Only the module of the command that was asked for is imported:
# the uplink never loads numpy, and `check` starts in a blink.
COMMANDS = {
    "ledger": ("edge_agent.ledger", "what left this unit, in plain words, raw, or checked"),
    "run": ("edge_agent.bench.desk", "start vision and uplink together, on a desk"),
    "demo": ("edge_agent.bench.demo", "a unit, a broker and the sink in one go (make run)"),
    "replay": ("edge_agent.bench.replay", "play a recording through the pipeline"),
    "golden": (
        "edge_agent.bench.golden",
        "play what was once seen again and compare (make replay)",
    ),
    "track": ("edge_agent.bench.track", "track people in MOTChallenge detections"),
    "bench": ("edge_agent.bench.bench", "measure what the pipeline adds to its models"),
    "budget": ("edge_agent.bench.budget", "measure what gate, rate and input in place save"),
    "footprint": ("edge_agent.bench.footprint", "measure size and start-up of the services"),
    "rivals": ("edge_agent.bench.rivals", "measure the tracker beside other trackers"),
}
SERVICES = {
    "vision": "camera to outbox: counts visits until stopped",
    "uplink": "outbox to broker: sends what is counted until stopped",
}
CHECK = "check a site file: exit 0, or every mistake with its key, exit 2"


def main(argv: list[str] | None = None) -> int:
    """Run one command; errors meant for the reader become one message and an exit code."""
    words = sys.argv[1:] if argv is None else argv
    name = words[0] if words else "--help"
    try:
        if name in SERVICES:
            return _service(name, words[1:])
        if name == "check":
            return _check(words[1:])
        if name in COMMANDS:
            return _command(name, words[1:])
    except ShelflightError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    _overview().parse_args(words or ["--help"])
    return 2


def _overview() -> argparse.ArgumentParser:
    commands = {"check": CHECK, **SERVICES, **{name: text for name, (_, text) in COMMANDS.items()}}
    parser = argparse.ArgumentParser(
        prog="python -m edge_agent",
        description="Shelflight on the unit: counts visits at shelves; only counts leave.",
        epilog="COMMAND --help tells more of each.",
    )
    actions = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, text in commands.items():
        actions.add_parser(name, help=text)
    return parser


def _parser(name: str, text: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"python -m edge_agent {name}", description=text)


def _command(name: str, words: list[str]) -> int:
    module_name, text = COMMANDS[name]
    module = import_module(module_name)
    parser = _parser(name, text)
    module.add_arguments(parser)
    args = parser.parse_args(words)
    _log_to_stderr(logging.WARNING)
    code: int = module.main(args)
    return code


def _check(words: list[str]) -> int:
    parser = _parser("check", CHECK)
    parser.add_argument("--site", type=Path, required=True, help="the unit's site.yaml")
    source = parser.parse_args(words).site
    site = load_site(source)
    _check_models(site, str(source))
    _check_keys(site, str(source))
    zones = ", ".join(zone.name for zone in site.zones)
    print(f"unit {site.unit.id} is sound: camera {site.camera.source.value}, zones {zones}")
    if site.privacy.k > 1:
        print(f"small counts: fewer than {site.privacy.k} visits at a zone wait for the next ones")
    else:
        print("small counts: told as they are (privacy.k is 1)")
    return 0


def _check_models(site: Site, source: str) -> None:
    from edge_agent.manifest import load

    models, known = site.models, load().names
    named = {"models.detector": models.detector, "models.pose": models.pose}
    if models.reach != models.NOTHING:
        named["models.reach"] = models.reach
    mistakes = [
        f"{key}: is {name!r}; allowed: {' | '.join(known)}"
        for key, name in named.items()
        if name is not None and name not in known
    ]
    if mistakes:
        raise ConfigError(source, mistakes)


def _check_keys(site: Site, source: str) -> None:
    mistakes = key_mistakes(site.uplink)
    if mistakes:
        raise ConfigError(source, mistakes)


def _service(name: str, words: list[str]) -> int:
    parser = _parser(name, SERVICES[name])
    parser.add_argument("--site", type=Path, required=True, help="the unit's site.yaml")
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get("STATE_DIRECTORY", ".run")),
        help="folder of outbox.db (default: $STATE_DIRECTORY, else .run)",
    )
    parser.add_argument(
        "--run",
        type=Path,
        default=os.environ.get("RUNTIME_DIRECTORY"),
        help="folder of the health files, in RAM (default: $RUNTIME_DIRECTORY, else that of state)",
    )
    if name == "vision":
        parser.add_argument("--records", type=Path, help="write what is published here too")
    else:
        parser.add_argument(
            "--drain", action="store_true", help="end as soon as the sink has everything"
        )
    args = parser.parse_args(words)
    _log_to_stderr(logging.INFO)
    stop = _stop_on_signal()
    site = load_site(args.site)
    run = args.run or args.state
    # A temporary folder that was named for it is the service's own; the usual one is everybody's.
    own = [args.state, run, *map(Path, filter(None, [os.environ.get("TMPDIR")]))]
    seal(run)
    if name == "vision":
        from edge_agent.services import vision

        retention = _retention(site, own)
        return vision.main(
            site, args.state, stop, records=args.records, run=args.run, retention=retention
        )
    from edge_agent.services import uplink

    _check_keys(site, str(args.site))
    return uplink.main(site, args.state, stop, drain=args.drain, run=args.run)


def _retention(site: Site, own: list[Path]) -> Retention:
    """Looks that vision keeps no picture, the recording that it plays excepted."""
    played = site.camera.path if site.camera.source is Source.FILE else None
    return Retention(own, () if played is None else (played,))


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def ask(_number: int, _frame: FrameType | None) -> None:
        # Once is enough: a second one inside the Event's own lock would wait for itself.
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        stop.set()

    for number in numbers:
        signal.signal(number, ask)
    return stop


def _log_to_stderr(level: int) -> None:
    # No time of its own: systemd's journal stamps each line.
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


if __name__ == "__main__":
    sys.exit(main())
