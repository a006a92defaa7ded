"""Every model of the manifest and whether its file is here."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edge_agent.manifest import (
    Manifest,
    ModelEntry,
    Supply,
    digest,
    expected_digest,
    model_path,
)

_MEGABYTE = 1e6


class State(Enum):
    """What lies at a model's place."""

    HERE = "here"
    BUILT_IN = "built in"
    MISSING = "missing"
    WRONG_HASH = "wrong hash"


_COLOURS = {
    State.HERE: "green",
    State.BUILT_IN: "green",
    State.MISSING: "yellow",
    State.WRONG_HASH: "red",
}


def state_of(entry: ModelEntry, directory: Path) -> State:
    """Look at the file, hash included."""
    path = model_path(entry, directory)
    if not path.is_file():
        return State.MISSING
    if digest(path) != expected_digest(entry, path):
        return State.WRONG_HASH
    return State.BUILT_IN if entry.supply is Supply.BUILT_IN else State.HERE


def _size(entry: ModelEntry, directory: Path) -> int | None:
    """Bytes: the manifest's figure, else the file's; None for what is not made yet."""
    if entry.size is not None:
        return entry.size
    path = model_path(entry, directory)
    return path.stat().st_size if path.is_file() else None


def as_json(manifest: Manifest, directory: Path) -> dict[str, Any]:
    """The list for programs."""
    return {
        "directory": str(directory),
        "models": [
            {
                "name": entry.name,
                "task": entry.task.value,
                "file": entry.file,
                "bytes": _size(entry, directory),
                "sha256": expected_digest(entry, model_path(entry, directory)),
                "licence": entry.licence,
                "origin": entry.origin,
                "url": entry.url,
                "made_from": entry.made_from,
                "macs": entry.macs,
                "state": state_of(entry, directory).value,
            }
            for entry in manifest.entries
        ],
    }


def as_table(manifest: Manifest, directory: Path) -> None:
    """Print the list for people."""
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "task", "size", "licence", "state"):
        table.add_column(heading, justify="right" if heading == "size" else "left", no_wrap=True)
    for entry in manifest.entries:
        state = state_of(entry, directory)
        found = _size(entry, directory)
        size = "" if found is None else f"{found / _MEGABYTE:.1f} MB"
        colour = _COLOURS[state]
        table.add_row(
            entry.name, entry.task.value, size, entry.licence, f"[{colour}]{state.value}[/]"
        )
    console = Console()
    console.print(table)
    console.print(f"in {directory}", soft_wrap=True, highlight=False)
