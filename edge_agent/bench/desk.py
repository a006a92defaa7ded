"""A unit on a desk: its services as child processes. On a shelf systemd does this."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from edge_agent.clock import SystemClock
from edge_agent.config import load_site
from edge_agent.errors import ShelflightError

# Longest wait for a child to end after it was asked to; vision commits a window, the sink a batch.
STOP_S = 15.0
DRAIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Program:
    """One child process.

    Args:
        name: what it is called in messages and its log.
        words: its command line after the interpreter.
    """

    name: str
    words: tuple[str, ...]


def services(site: Path, state: Path, records: Path | None = None) -> tuple[Program, ...]:
    """The services of a unit, in the order of starting."""
    common = ("--site", str(site), "--state", str(state))
    wanted = () if records is None else ("--records", str(records))
    return (
        Program("uplink", ("-m", "edge_agent", "uplink", *common)),
        Program("vision", ("-m", "edge_agent", "vision", *common, *wanted)),
    )


class Desk:
    """Starts programs, sees when one ends, and ends them all, last first.

    Args:
        logs: folder for what each writes to standard error; None = let it through.
    """

    def __init__(self, logs: Path | None = None) -> None:
        self._logs = logs
        self._running: list[tuple[Program, subprocess.Popen[str]]] = []

    def start(self, program: Program, piped: bool = False) -> subprocess.Popen[str]:
        """Start one; piped keeps its standard output for the caller to read."""
        with self._log(program) as log:
            child = subprocess.Popen(
                (sys.executable, *program.words),
                stdout=subprocess.PIPE if piped else None,
                stderr=log,
                text=True,
                # An interrupt from the keyboard is ours to pass on, in order.
                start_new_session=True,
            )
        self._running.append((program, child))
        return child

    def ended(self) -> tuple[Program, int] | None:
        """The first program that is over, with its exit code."""
        for program, child in self._running:
            code = child.poll()
            if code is not None:
                return program, code
        return None

    def run_to_end(self, program: Program, timeout_s: float) -> int:
        """Start one and wait for its end.

        Raises:
            ShelflightError: it did not end in time.
        """
        child = self.start(program)
        try:
            code = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ShelflightError(f"{program.name} did not end within {timeout_s:g} s") from None
        self._running = [(p, c) for p, c in self._running if c is not child]
        return code

    def stop(self, name: str | None = None) -> None:
        """End the named program, or all, last started first."""
        for program, child in reversed(self._running):
            if name in (None, program.name) and child.poll() is None:
                child.terminate()
                try:
                    child.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        self._running = [(p, c) for p, c in self._running if name not in (None, p.name)]

    def tail(self, name: str) -> str:
        """The last lines of a program's log."""
        if self._logs is None:
            return ""
        lines = (self._logs / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-5:])

    def _log(self, program: Program) -> contextlib.AbstractContextManager[IO[str] | None]:
        if self._logs is None:
            return contextlib.nullcontext()
        return (self._logs / f"{program.name}.log").open("a")


@contextlib.contextmanager
def desk(logs: Path | None = None) -> Iterator[Desk]:
    """A desk that is cleared at the end, whatever happens; being terminated is an interrupt."""
    table = Desk(logs)
    # Ctrl-C too: a script that starts us in the background leaves it ignored.
    before = {n: signal.signal(n, _interrupt) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield table
    finally:
        table.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of `run`."""
    parser.add_argument("--site", type=Path, required=True, help="the unit's site.yaml")
    parser.add_argument("--records", type=Path, help="write what is published here too")
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get("STATE_DIRECTORY", ".run")),
        help="folder of outbox.db and health files (default: $STATE_DIRECTORY, else .run)",
    )


def main(args: argparse.Namespace) -> int:
    """Run a unit until interrupted, or until its recording is over and everything is sent."""
    load_site(args.site)
    args.state.mkdir(parents=True, exist_ok=True)
    with desk() as table, contextlib.suppress(KeyboardInterrupt):
        for program in services(args.site, args.state, args.records):
            table.start(program)
        return until_over(table, args.site, args.state, SystemClock().sleep)
    return 0


def until_over(table: Desk, site: Path, state: Path, wait: Callable[[float], object]) -> int:
    """Wait for vision's end, then let the uplink empty the outbox.

    Args:
        table: where both run.
        site: the unit's site file.
        state: the folder of its outbox.
        wait: waits so many seconds between two looks.

    Returns:
        0, or the exit code of what ended too early.
    """
    while (over := table.ended()) is None:
        wait(0.2)
    program, code = over
    if program.name != "vision" or code != 0:
        print(f"{program.name} ended with {code}\n{table.tail(program.name)}", file=sys.stderr)
        return code or 1
    table.stop("uplink")
    uplink = services(site, state)[0]
    return table.run_to_end(Program("uplink", (*uplink.words, "--drain")), DRAIN_S)
