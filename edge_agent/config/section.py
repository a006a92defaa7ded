"""Reading one mapping of a YAML file, noting every mistake instead of stopping at the first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from edge_agent.geometry import Polygon
from edge_agent.records import is_name

E = TypeVar("E", bound=Enum)
_NAME_RULE = "letters, digits, '_', '-' and '.', at most 64, the first a letter or digit"

# What stands before the @ of an address may be a password, and what is shown may be logged.
_CREDENTIALS = re.compile(r"(?<=:).*@", re.DOTALL)


class Section:
    """One mapping under inspection.

    Each read marks its key as known; `close` then reports the keys that nobody asked for, with
    the nearest known one. A wrong value is noted and the default goes on in its place, so that
    one look at a file finds all its mistakes.
    """

    def __init__(self, value: Any, path: str, mistakes: list[str]) -> None:
        self._path = path
        self._mistakes = mistakes
        self._known: list[str] = []
        if not isinstance(value, dict):
            self.mistake(None, f"is {_show(value)}; a mapping of keys is allowed")
            value = {}
        self._values: dict[Any, Any] = value

    def mistake(self, key: str | None, text: str) -> None:
        """Note one mistake of this section (key None) or of one of its keys."""
        self._mistakes.append(f"{self._at(key)}: {text}")

    def given(self, key: str) -> bool:
        """Whether the file sets the key (null counts as left out)."""
        return self._take(key) is not None

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number within low..high."""
        value = self._take(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.mistake(key, f"is {_show(value)}; a number {low:g}..{high:g} is allowed")
        elif not low <= value <= high:  # also catches nan
            self.mistake(key, f"is {value:g}; {low:g}..{high:g} is allowed")
        else:
            return float(value)
        return default

    def optional_number(self, key: str, low: float, high: float) -> float | None:
        """A number within low..high, or None where it is left out."""
        return self.number(key, low, low, high) if self.given(key) else None

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within low..high."""
        value = self._take(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.mistake(key, f"is {_show(value)}; a whole number {low}..{high} is allowed")
            return default
        return value

    def optional_whole(self, key: str, low: int, high: int) -> int | None:
        """A whole number within low..high, or None where it is left out."""
        return self.whole(key, low, low, high) if self.given(key) else None

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.mistake(key, f"is {_show(value)}; allowed: true | false")
            return default
        return value

    def text(self, key: str) -> str | None:
        """Any non-empty text."""
        value = self._take(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            self.mistake(key, f"is {_show(value)}; a text is allowed")
            return None
        return value

    def name(self, key: str, default: str | None) -> str:
        """A name fit for an MQTT topic; required where default is None."""
        value = self._take(key)
        if value is None and default is not None:
            return default
        if value is None:
            self.mistake(key, f"is missing; {_NAME_RULE}")
        elif not isinstance(value, str) or not is_name(value):
            self.mistake(key, f"is {_show(value)}; allowed are {_NAME_RULE}")
        else:
            return value
        return default or "unnamed"

    def optional_name(self, key: str) -> str | None:
        """A name as above, or None where it is left out."""
        return self.name(key, None) if self.given(key) else None

    def choice(self, key: str, default: E) -> E:
        """One of an Enum's values."""
        value = self._take(key)
        if value is None:
            return default
        try:
            return type(default)(value)
        except ValueError:
            allowed = " | ".join(str(member.value) for member in type(default))
            self.mistake(key, f"is {_show(value)}; allowed: {allowed}")
            return default

    def file(self, key: str, base: Path) -> Path | None:
        """A path; a relative one is taken from the site file's folder."""
        value = self.text(key)
        return None if value is None else (base / Path(value).expanduser())

    def polygon(self, key: str) -> Polygon | None:
        """A polygon, or None where it is left out or wrong."""
        value = self._take(key)
        if value is None:
            return None
        try:
            return Polygon(tuple((_coordinate(x), _coordinate(y)) for x, y in value))
        except TypeError:
            problem = f"is {_show(value)}; a list of [x, y], fractions of the frame, is allowed"
        except ValueError as error:
            problem = str(error)
        self.mistake(key, problem)
        return None

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.mistake(key, f"is {_show(value)}; a list of texts is allowed")
            return ()
        return tuple(value)

    def section(self, key: str) -> Section:
        """A mapping within this one; empty where it is left out."""
        value = self._take(key)
        return Section({} if value is None else value, self._at(key), self._mistakes)

    def named(self, key: str) -> Iterator[tuple[str, Section]]:
        """A mapping within this one whose keys are names and whose values are mappings."""
        names = self.section(key)
        for name in names._values:
            yield str(name), names.section(name)

    def sections(self, key: str) -> Iterator[Section]:
        """A list of mappings within this one."""
        value = self._take(key)
        if value is not None and not isinstance(value, list):
            self.mistake(key, f"is {_show(value)}; a list is allowed")
        elif value is not None:
            for i, item in enumerate(value):
                yield Section(item, f"{self._at(key)}[{i}]", self._mistakes)

    def parsed(self, key: str, default: E | Any, parse: Callable[[str], Any]) -> Any:
        """A text that `parse` understands; its ValueError says what is allowed."""
        value = self._take(key)
        if value is None:
            return default
        try:
            return parse(str(value))
        except ValueError as error:
            self.mistake(key, f"is {_show(value)}; {error}")
            return default

    def close(self) -> None:
        """Report the keys that nobody asked for."""
        for key in self._values:
            if key not in self._known:
                near = get_close_matches(str(key), self._known, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                self.mistake(
                    str(key), f"unknown key; {hint}allowed: {', '.join(sorted(self._known))}"
                )

    def _take(self, key: str) -> Any:
        if key not in self._known:
            self._known.append(key)
        return self._values.get(key)

    def _at(self, key: str | None) -> str:
        return ".".join(part for part in (self._path, key) if part) or "the file"


def _coordinate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return float(value)


def _show(value: Any) -> str:
    text = "empty" if value is None else _CREDENTIALS.sub("…@", repr(value))
    return text if len(text) <= 60 else text[:57] + "..."
