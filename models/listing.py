"""Every model of the manifest and whether its file is here."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edge_agent.manifest import Manifest, ModelEntry, digest, model_path

_MEGABYTE = 1e6


class State(Enum):
    """What lies at a model's place."""

    HERE = "here"
    MISSING = "missing"
    WRONG_HASH = "wrong hash"


_COLOURS = {State.HERE: "green", State.MISSING: "yellow", State.WRONG_HASH: "red"}


def state_of(entry: ModelEntry, directory: Path) -> State:
    """Look at the file, hash included."""
    path = model_path(entry, directory)
    if not path.is_file():
        return State.MISSING
    return State.HERE if digest(path) == entry.sha256 else State.WRONG_HASH


def as_json(manifest: Manifest, directory: Path) -> dict[str, Any]:
    """The list for programs."""
    return {
        "directory": str(directory),
        "models": [
            {
                "name": entry.name,
                "task": entry.task.value,
                "file": entry.file,
                "bytes": entry.size,
                "sha256": entry.sha256,
                "licence": entry.licence,
                "origin": entry.origin,
                "url": entry.url,
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
        size = f"{entry.size / _MEGABYTE:.1f} MB"
        colour = _COLOURS[state]
        table.add_row(
            entry.name, entry.task.value, size, entry.licence, f"[{colour}]{state.value}[/]"
        )
    console = Console()
    console.print(table)
    console.print(f"in {directory}", soft_wrap=True, highlight=False)
