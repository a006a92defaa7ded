"""Progress bars on standard error; nothing is drawn where that is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from edge_agent.manifest import ModelEntry


def counting() -> Progress:
    """A bar for things that are counted: so many of so many, and how long it will take."""
    return _quiet_where_piped(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )


@contextmanager
def progress_bar(entry: ModelEntry) -> Iterator[Callable[[int], None]]:
    """Show how much of a model is there; yields what to tell the bytes so far to."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with _quiet_where_piped(*columns) as progress:
        task = progress.add_task(entry.name, total=entry.size)
        yield lambda done: progress.update(task, completed=done)


def _quiet_where_piped(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal)
