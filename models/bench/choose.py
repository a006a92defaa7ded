"""The best way of running each model, and the file in which a unit finds it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from edge_agent.config.device import (
    Choice,
    Device,
    DeviceConfig,
    difference,
    load_device,
    values_of,
)
from edge_agent.errors import ConfigError, InputError
from models.bench.measure import Result

# The bar for a quantized model: people found and people right, each at least this share.
KEEP = 0.97
# Two times that differ by less are one: the spread of medians on a board that does other things.
_EQUAL = 1.05
_HEAD = """\
# Written by `python -m models bench --write`; read where site.yaml leaves `runtime` out.
# Not to be edited: set `runtime` in site.yaml, or delete this file to go back to the defaults.
"""


def best(results: Iterable[Result], keep: float = KEEP) -> Result | None:
    """The fastest of those that keep accuracy; of equally fast ones the one with least processor.

    Args:
        results: of one family, or of one model.
        keep: the least agreement with the reference, 0..1.

    Returns:
        None where none could be run or none keeps it.
    """
    sound = [one for one in results if one.accuracy is not None and one.accuracy >= keep]
    if not sound:
        return None
    fastest = min(one.ms for one in sound)
    return min(
        (one for one in sound if one.ms <= fastest * _EQUAL), key=lambda one: (one.cpu_ms, one.ms)
    )


def choices(root: str, results: Sequence[Result], keep: float = KEEP) -> dict[str, Choice]:
    """How to run each model of a family.

    The root may be run as what is made from it; a model that is named itself is run itself.

    Args:
        root: the name of the family's root.
        results: of all its trials.
        keep: see `best`.
    """
    found = {}
    for name in dict.fromkeys([root, *(one.trial.model for one in results)]):
        own = [one for one in results if name in (root, one.trial.model)]
        winner = best(own, keep)
        if winner is not None:
            found[name] = Choice(winner.trial.model, winner.trial.runtime)
    return found


def write(path: Path, here: Device, found: dict[str, Choice]) -> None:
    """Put choices into the file; those of other models stay if they were made on this device.

    Raises:
        InputError: it cannot be written; what was there is still there.
    """
    try:
        before = load_device(path)
    except ConfigError:
        before = None  # Broken: what this command writes replaces it.
    kept = {} if before is None or difference(before.device, here) else dict(before.models)
    values = values_of(DeviceConfig(here, {**kept, **found}))
    aside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(
            _HEAD + yaml.safe_dump(values, sort_keys=False, default_flow_style=False),
            encoding="utf-8",
        )
        aside.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; run as the unit's user, or set "
            "SHELFLIGHT_MODELS to a folder that can be written"
        ) from error
