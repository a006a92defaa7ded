"""A recipe: all that was decided about a model's int8 file. With it no pictures are needed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.errors import ModelError
from models.quantize.prune import Solved

_FORMAT = 1
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Clamp:
    """What stands in for x * sigmoid(x) behind a convolution: max(scale * x + shift, floor).

    A convolution takes the scale and the shift into its weights, and a runtime does the rest
    while it writes its output, or, in int8, for nothing: values below the range saturate.
    """

    scale: float
    shift: float
    floor: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to do with a float model.

    Args:
        source: name of the float model.
        source_sha256: hash of its file.
        pictures: how many it was calibrated on.
        pictures_sha256: hash over their files, in order of name.
        rows: columns of YOLOX's output rows that are kept: 4 of the box, objectness, classes.
        clamps: what replaces SiLU, by the convolution's output.
        int8: convolutions that run in int8, by their output; all others stay in float.
        calibration: how the ranges were taken from what was seen.
        ranges: smallest and largest value of each tensor that is quantized.
        dropped: channels that are left out, by the convolution's output.
        solved: weights that make up for them, by convolution.
    """

    source: str
    source_sha256: str
    pictures: int
    pictures_sha256: str
    rows: int | None
    clamps: Mapping[str, Clamp]
    int8: tuple[str, ...]
    calibration: str
    ranges: Mapping[str, tuple[float, float]]
    dropped: Mapping[str, tuple[int, ...]]
    solved: Mapping[str, Solved]


def empty_recipe(
    source: str, source_sha256: str, pictures: int, pictures_sha256: str, rows: int | None
) -> Recipe:
    """A recipe that changes nothing yet."""
    return Recipe(source, source_sha256, pictures, pictures_sha256, rows, {}, (), "", {}, {}, {})


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write it beside its place, then rename: one line per entry, so that changes can be read."""
    document = {
        "format": _FORMAT,
        **{field.name: getattr(recipe, field.name) for field in fields(recipe)},
        "clamps": {name: asdict(one) for name, one in recipe.clamps.items()},
        "solved": {name: _as_json(one) for name, one in recipe.solved.items()},
    }
    part = path.with_name(path.name + ".part")
    part.write_text(_dump(document), encoding="utf-8")
    part.replace(path)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ModelError: it is missing, broken, or of another format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.pop("format") != _FORMAT:
            raise ValueError("another format than this version's")
        return Recipe(
            source=str(document.pop("source")),
            source_sha256=str(document.pop("source_sha256")),
            pictures=int(document.pop("pictures")),
            pictures_sha256=str(document.pop("pictures_sha256")),
            rows=document.pop("rows"),
            clamps={name: Clamp(**one) for name, one in document.pop("clamps").items()},
            int8=tuple(document.pop("int8")),
            calibration=str(document.pop("calibration")),
            ranges={name: (low, high) for name, (low, high) in document.pop("ranges").items()},
            dropped=_tuples(document.pop("dropped")),
            solved={name: _solved(one) for name, one in document.pop("solved").items()},
        )
    except FileNotFoundError:
        raise ModelError(
            f"{path}: there is no recipe; make one: models quantize NAME --images DIR"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: is no recipe ({error!r}); make a new one with --images DIR"
        ) from error


def _short(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _solved(found: dict[str, Any]) -> Solved:
    bias = np.array(found["bias"], np.float32)
    weights = np.frombuffer(base64.b64decode(found["weights"], validate=True), "<f2")
    return Solved(weights.reshape(len(bias), -1), bias)


def _as_json(solved: Solved) -> dict[str, Any]:
    raw = solved.weights.astype("<f2").tobytes()
    return {
        "bias": [round(float(one), _DIGITS) for one in solved.bias],
        "weights": base64.b64encode(raw).decode("ascii"),
    }


def _tuples(found: dict[str, list[int]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(int(one) for one in values) for name, values in found.items()}


def _dump(document: Mapping[str, Any]) -> str:
    lines = []
    for key, value in document.items():
        if isinstance(value, dict):
            inner = ",\n".join(f"  {json.dumps(k)}: {_short(v)}" for k, v in value.items())
            lines.append(
                f"{json.dumps(key)}: {{\n{inner}\n }}" if inner else f"{json.dumps(key)}: {{}}"
            )
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n " + ",\n ".join(lines) + "\n}\n"
