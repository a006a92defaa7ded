"""Read the manifest's file: every mistake in one message."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from edge_agent.errors import ModelError
from edge_agent.manifest.entry import (
    DEFAULT_IOU,
    Axes,
    Colour,
    Decoder,
    Dtype,
    InputSpec,
    Limits,
    Manifest,
    ModelEntry,
    Task,
)
from edge_agent.manifest.files import PACKAGE

_INSTALLED = PACKAGE / "manifest.yaml"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(r"\S.*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.(onnx|tflite)")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_RECIPE = re.compile(r"recipes/[a-z0-9][a-z0-9_.-]*\.json")
_ADDRESS = re.compile(r"https?://\S+")
_KEYS = {
    *("task", "file", "bytes", "sha256", "licence", "origin", "url"),
    *("input", "decoder", "thresholds"),
    *("made_from", "recipe", "built_in", "macs"),
}
# Keys that say where a file comes from, and those that each way has no use for.
_NOT_WITH = {
    "built_in": ("url", "made_from", "recipe"),
    "made_from": ("url", "bytes", "sha256"),
}
_INPUT_KEYS = {"name", "shape", "layout", "dtype", "colour", "range", "pad"}

_T = TypeVar("_T")
_E = TypeVar("_E", bound=Enum)


def load(path: Path | None = None) -> Manifest:
    """Read the manifest.

    Args:
        path: another file than the one that is installed.

    Raises:
        ModelError: it cannot be read, or every mistake in it with its key and what is allowed.
    """
    source = path or _INSTALLED
    try:
        document = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"{source}: the manifest cannot be read: {error}") from error
    mistakes: list[str] = []
    models = _Section("", document, {"models"}, mistakes).mapping("models")
    entries = [_entry(str(name), value, mistakes) for name, value in models.items()]
    names = {entry.name for entry in entries}
    for entry in entries:
        if entry.made_from is not None and entry.made_from not in names - {entry.name}:
            mistakes.append(
                f"models.{entry.name}.made_from: {entry.made_from!r}; needs another model's name"
            )
    if mistakes:
        lines = "\n".join(f"  {line}" for line in mistakes)
        raise ModelError(f"{source}: mistakes in the manifest\n{lines}")
    return Manifest(tuple(entries))


def _entry(name: str, value: object, mistakes: list[str]) -> ModelEntry:
    model = _Section(f"models.{name}.", value, _KEYS, mistakes)
    if not _NAME.fullmatch(name):
        mistakes.append(f"models.{name}: a name is lower-case letters, digits, '.', '_' and '-'")
    limits = _Section(
        f"models.{name}.thresholds.", model.mapping("thresholds"), {"score", "iou"}, mistakes
    )
    built_in = model.flag("built_in")
    made = not built_in and model.has("made_from")
    pulled = not built_in and not made
    for key in ("built_in", "made_from"):
        if model.has(key):
            model.refuse(_NOT_WITH[key], f"a model with {key} has none")
    if not model.has("made_from"):
        model.refuse(("recipe",), "only a model with made_from has one")
    task, decoder = model.member("task", Task), model.member("decoder", Decoder)
    taken = _input(name, model.mapping("input"), mistakes)
    if (task is Task.REACH) != (decoder is Decoder.REACH):
        mistakes.append(f"models.{name}.decoder: {decoder.value!r}; reach goes with task reach")
    if taken.channels != (_DRAWN if task is Task.REACH else _COLOURS):
        mistakes.append(
            f"models.{name}.input.shape: {taken.channels} channels; {_COLOURS} are allowed, and "
            f"{_DRAWN} with task reach"
        )
    return ModelEntry(
        name=name,
        task=task,
        file=model.text("file", _FILE, "a plain file name that ends in .onnx or .tflite"),
        size=None if made else model.whole("bytes", 1, 1 << 40),
        sha256=(
            None if made else model.text("sha256", _SHA256, "64 lower-case hexadecimal digits")
        ),
        licence=model.text("licence"),
        origin=model.text("origin"),
        url=model.text("url", _ADDRESS, "an http or https address") if pulled else None,
        input=taken,
        decoder=decoder,
        limits=Limits(limits.fraction("score"), limits.fraction("iou", default=DEFAULT_IOU)),
        made_from=model.text("made_from", _NAME, "a model's name") if made else None,
        recipe=model.text("recipe", _RECIPE, "recipes/NAME.json") if made else None,
        built_in=built_in,
        macs=model.whole("macs", 1, 1 << 50) if model.has("macs") else None,
    )


def _input(name: str, value: object, mistakes: list[str]) -> InputSpec:
    section = _Section(f"models.{name}.input.", value, _INPUT_KEYS, mistakes)
    axes = section.member("layout", Axes)
    dtype = section.member("dtype", Dtype)
    low, high = section.take("range", _range, (0.0, 255.0), "[low, high] with low < high")
    if dtype is Dtype.UINT8 and (low, high) != (0.0, 255.0):
        mistakes.append(f"models.{name}.input.range: uint8 takes pixels as they are: [0, 255]")
    return InputSpec(
        name=section.text("name"),
        shape=section.take(
            "shape",
            lambda found: _shape(found, axes),
            (1, 3, 1, 1),
            "batch 1, 3 channels (a close look: 6), height and width in the order that layout says",
        ),
        axes=axes,
        dtype=dtype,
        colour=section.member("colour", Colour),
        low=low,
        high=high,
        pad=section.whole("pad", 0, 255),
    )


class _Section:
    """One mapping of the file; what is wrong in it is added to ``mistakes``.

    A value with a mistake is replaced by a stand-in: nothing is used once there is a mistake.
    """

    def __init__(self, at: str, value: object, allowed: set[str], mistakes: list[str]) -> None:
        self._at = at
        self._mistakes = mistakes
        self._values: dict[Any, Any] = value if isinstance(value, dict) else {}
        self._is_mapping = isinstance(value, dict)
        if not self._is_mapping:
            mistakes.append(f"{at.rstrip('.') or 'the file'}: must be a mapping of keys to values")
        for key in self._values:
            if key not in allowed:
                near = difflib.get_close_matches(str(key), allowed) or sorted(allowed)
                mistakes.append(f"{at}{key}: unknown key; allowed: {', '.join(near)}")

    def take(self, key: str, read: Callable[[Any], _T], stand_in: _T, allowed: str) -> _T:
        """The value of key as ``read`` makes it; ValueError or TypeError from it is a mistake."""
        if key not in self._values:
            if self._is_mapping:
                self._mistakes.append(f"{self._at}{key}: is missing; needs {allowed}")
            return stand_in
        try:
            return read(self._values[key])
        except (TypeError, ValueError):
            self._mistakes.append(f"{self._at}{key}: {self._values[key]!r}; needs {allowed}")
            return stand_in

    def has(self, key: str) -> bool:
        return key in self._values

    def refuse(self, keys: tuple[str, ...], why: str) -> None:
        self._mistakes.extend(f"{self._at}{key}: {why}" for key in keys if key in self._values)

    def flag(self, key: str) -> bool:
        return key in self._values and self.take(key, _flag, False, "true or false")

    def mapping(self, key: str) -> dict[str, object]:
        return self.take(key, _mapping, {}, "a mapping of keys to values")

    def member(self, key: str, kind: type[_E]) -> _E:
        members = list(kind)
        return self.take(key, kind, members[0], " or ".join(str(one.value) for one in members))

    def text(
        self, key: str, form: re.Pattern[str] = _LINE, allowed: str = "one line of text"
    ) -> str:
        return self.take(key, lambda value: _text(value, form), "", allowed)

    def whole(self, key: str, low: int, high: int) -> int:
        allowed = f"a whole number, {low}..{high}"
        return self.take(key, lambda value: _whole(value, low, high), low, allowed)

    def fraction(self, key: str, default: float | None = None) -> float:
        if default is not None and key not in self._values:
            return default
        return self.take(key, _fraction, 0.0, "a number, 0..1")


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(value)
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _text(value: object, form: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise ValueError(value)
    return value


def _whole(value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(value)
    return value


def _fraction(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError(value)
    return number


def _shape(value: object, axes: Axes) -> tuple[int, int, int, int]:
    if not isinstance(value, list) or not all(type(size) is int and size > 0 for size in value):
        raise ValueError(value)
    batch, first, second, third = value
    if batch != 1 or (first if axes is Axes.NCHW else third) not in (_COLOURS, _DRAWN):
        raise ValueError(value)
    return batch, first, second, third


# Channels of a picture, and of a close look, which has shelf, floor and body drawn beside.
_COLOURS, _DRAWN = 3, 6


def _range(value: object) -> tuple[float, float]:
    if not isinstance(value, list):
        raise ValueError(value)
    low, high = (_number(bound) for bound in value)
    if not low < high:
        raise ValueError(value)
    return low, high


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    return float(value)
