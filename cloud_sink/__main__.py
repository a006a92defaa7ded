"""The sink's command line."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cloud_sink.errors import SinkError
from cloud_sink.tables import database_path

_SERVE = """\
Takes in what units publish (shelflight/v1/TENANT/STORE/UNIT/{counts,state,health}), stores every
counts message exactly once, and answers over HTTP:

  GET /v1/counts       windows or sums. All parameters are optional: tenant, store, unit, zone;
                       from, to (seconds since 1970 UTC, or ISO 8601 with an offset; a window
                       belongs where its start lies, from <= start < to);
                       by=window (default) | hour (of UTC) | total; limit (1000, at most 10000);
                       cursor (the `next` of the page before); format=json | csv.
                       Sums keep clocks and counting rules apart; null = never measured.
  GET /v1/units        each unit: online or not, last seen, latest health
  GET /v1/dead-letters how many messages were put aside, by reason
  GET /healthz         200 while subscribed and storing, else 503 and what is wrong
  GET /metrics         for Prometheus

A message is acknowledged to the broker only when it is on the disk. While the sink is away the
broker keeps its session for seven days (mosquitto: `persistence true`, and raise
`max_inflight_messages` and `max_queued_messages` for many units). The HTTP interface knows no
passwords: bind it to localhost or put a proxy before it.
"""
_EXPORT = """\
Writes all that is stored; `serve` may go on meanwhile.

  csv    one row a window, ordered by tenant, store, unit, zone and start; empty = never measured
  jsonl  the counts messages as they were published, one a line, ordered by tenant, store, unit,
         the boots' first arrival and seq: the same as the unit's own records.jsonl
"""
_ACCESS = """\
Writes mosquitto.conf and access.acl for the broker, so that a unit may publish its own counts,
state and health and read its own cmd/#, a sink may read everybody's counts, state and health and
publish cmd/ack, and nobody may do anything else.

The list has one unit a line, TENANT/STORE/UNIT, as in the units' site files; # begins a comment.
Names are letters, digits, '_', '-' and '.', at most 64, the first a letter or digit.
Certificates name their holder in the subject: O=TENANT, OU=STORE, CN=UNIT for a unit, CN=NAME alone
for a sink (--sink NAME). There are no passwords, and there is no listener without TLS.

After a change of the list, of the certificates or of the CRL run it again and send mosquitto a
SIGHUP: nobody is disconnected. To shut a unit out, do both: take it off the list (what is connected
loses its rights at once) and add its certificate to the CRL (it cannot connect again). The CRL must
be renewed before its own end, or nobody can connect. --listen and --state need a restart.
"""
_LEDGER = """\
Checks each unit's messages against its ledger: every message says the SHA-256 of the one before it,
and the unit's health says that of its newest. A line a unit; exit 0 where both sides hold the same,
else 1. `serve` may go on meanwhile.

  same     the sink holds what the unit says it sent, all the way back
  missing  the unit's newest message is not here: this store lost it, or was begun anew
  differs  other bytes stand under the same number: one side was changed
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code: 0, 1 (trouble) or 2 (unusable arguments)."""
    args = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    try:
        return _run(args)
    except SinkError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader has had enough (`| head`); keep Python from saying so at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _run(args: argparse.Namespace) -> int:
    # Only what was asked for is loaded.
    if args.command == "access":
        from cloud_sink import access

        files = access.Files(args.ca, args.cert, args.key, args.crl)
        units = access.read_units(args.units)
        access.write(units, args.sink or ["sink"], files, args.listen, args.state, args.out)
        return 0
    path = database_path(args.db)
    if args.command == "export":
        from cloud_sink.export import export

        export(path, args.format, args.out)
        return 0
    if args.command == "ledger":
        from cloud_sink.ledger import told

        return told(path, as_json=args.json)
    from cloud_sink.broker import parse_broker
    from cloud_sink.serve import serve

    broker = parse_broker(args.broker, args.protocol, args.ca, args.cert, args.key)
    serve(broker, path, args.http, args.name)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cloud_sink", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = _on_database(commands, "serve", "store what units publish and answer over HTTP", _SERVE)
    serve.add_argument(
        "--broker", required=True, metavar="URL", help="mqtt://HOST[:1883] or mqtts://HOST[:8883]"
    )
    serve.add_argument(
        "--http", default="127.0.0.1:8080", metavar="HOST:PORT",
        help="where to answer; port 0 takes any and prints it (default: %(default)s)",
    )  # fmt: skip
    serve.add_argument(
        "--name", help="client id at the broker (default: one that the database carries)"
    )
    serve.add_argument(
        "--protocol", type=int, choices=(5, 3), default=5, help="MQTT 5, or 3 for 3.1.1"
    )
    serve.add_argument("--ca", type=Path, metavar="PEM", help="authorities (default: the system's)")
    serve.add_argument("--cert", type=Path, metavar="PEM", help="our certificate, for mqtts")
    serve.add_argument("--key", type=Path, metavar="PEM", help="its key")
    export = _on_database(
        commands, "export", "write all that is stored as CSV or JSON lines", _EXPORT
    )
    export.add_argument("--format", required=True, choices=("csv", "jsonl"))
    export.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    ledger = _on_database(
        commands, "ledger", "check units' messages against their ledgers", _LEDGER
    )
    ledger.add_argument("--json", action="store_true", help="one JSON object a unit")
    _add_access(_command(commands, "access", "write the broker's configuration", _ACCESS))
    return parser


def _add_access(access: argparse.ArgumentParser) -> None:
    for name, file, text in (
        ("units", "FILE", "who may connect: TENANT/STORE/UNIT a line"),
        ("ca", "PEM", "the authority that signs units' and sinks' certificates"),
        ("cert", "PEM", "the broker's certificate, for the name that units connect to"),
        ("key", "PEM", "its key; others must not be able to read it"),
        ("out", "DIR", "where mosquitto.conf and access.acl are written"),
    ):
        access.add_argument(f"--{name}", required=True, type=Path, metavar=file, help=text)
    access.add_argument("--crl", type=Path, metavar="PEM", help="certificates that are revoked")
    access.add_argument(
        "--sink", action="append", metavar="NAME",
        help="CN of a sink's certificate; may stand more than once (default: sink)",
    )  # fmt: skip
    access.add_argument(
        "--listen", default="8883", metavar="[HOST:]PORT", help="default: %(default)s"
    )
    access.add_argument(
        "--state", type=Path, default=Path("/var/lib/mosquitto"), metavar="DIR",
        help="where the broker keeps its sessions (default: %(default)s)",
    )  # fmt: skip


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    short: str,
    long: str,
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=short, description=long, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def _on_database(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    short: str,
    long: str,
) -> argparse.ArgumentParser:
    command = _command(commands, name, short, long)
    command.add_argument(
        "--db", required=True, metavar="FILE", help="the SQLite file; `serve` makes it"
    )
    return command


if __name__ == "__main__":
    sys.exit(main())
