"""What may not change in a schema within a version: the gate between a release and the next.

What was valid stays valid, and whoever reads it finds what was there. New fields may come, as long
as nobody must send them and nothing but numbers, enums and names fits into them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]

_SILENT = frozenset({"$schema", "$id", "$defs", "title", "description"})
_KNOWN = _SILENT | {
    "additionalProperties", "anyOf", "const", "enum", "exclusiveMaximum", "exclusiveMinimum",
    "items", "maxItems", "maximum", "minItems", "minimum", "pattern", "prefixItems", "properties",
    "required", "type", "uniqueItems", "$ref",
}  # fmt: skip
# Words of fields that no unit may send, whatever their type.
FORBIDDEN = frozenset({
    "bbox", "blob", "box", "boxes", "coordinate", "coordinates", "embedding", "face", "frame",
    "image", "images", "jpeg", "jpg", "keypoint", "keypoints", "landmarks", "lat", "lon", "mask",
    "mac", "person", "persons", "picture", "pictures", "png", "polygon", "pose", "text",
    "thumbnail", "track", "tracks", "trajectory", "video", "x", "y", "z",
})  # fmt: skip
# What no text field may take: free text, addresses, pictures as text, coordinates.
SPEECH = (
    "", "a man in a red coat", "table\n", "data:image/jpeg;base64,/9j/4AAQ", "/9j/4AAQSkZJRgABAQ",
    "0.25,0.5,0.25,0.5", "http://a/b", "#7", "a" * 65, "A" * 4096, "Jos\u00e9",
)  # fmt: skip
# A list of numbers is no longer than the longest histogram, or it could be a picture.
MAX_NUMBERS = 16


@dataclass(frozen=True, slots=True)
class _Place:
    """A node of a schema, with the document it stands in.

    Args:
        root: of the document.
        node: with its reference followed.
        path: of the value that it describes.
    """

    root: Node
    node: Node
    path: str

    @classmethod
    def of(cls, root: Node, node: Node, path: str) -> _Place:
        while "$ref" in node:
            node = root["$defs"][node["$ref"].removeprefix("#/$defs/")]
        return cls(root, node, path)

    def inner(self, node: Node, step: str) -> _Place:
        return _Place.of(self.root, node, f"{self.path}/{step}")

    def kinds(self) -> dict[str, _Place]:
        """What fits, by its type: each type stands once."""
        found: dict[str, _Place] = {}
        for each in self.node.get("anyOf", [self.node]):
            place = _Place.of(self.root, each, self.path)
            for kind in _types(place.node):
                if kind in found:
                    raise ValueError(f"{self.path}: {kind} stands twice")
                found[kind] = place
        return found


def breaking(old: Node, new: Node) -> list[str]:
    """Why a schema may not follow another within a version; empty = it may."""
    pair = _Place.of(old, old, ""), _Place.of(new, new, "")
    return [*_node(*pair), *unsound(new)]


def unsound(schema: Node) -> list[str]:
    """Where a schema would let more out than numbers, enums and names."""
    return list(_sound(_Place.of(schema, schema, "")))


def _types(node: Node) -> list[str]:
    if "const" in node or "enum" in node:
        return ["enum"]
    told = node.get("type", [])
    return [told] if isinstance(told, str) else list(told)


def _node(old: _Place, new: _Place) -> Iterator[str]:
    before, after = old.kinds(), new.kinds()
    for kind in sorted(before.keys() - after.keys()):
        yield f"{old.path}: {kind} fits no more"
    for kind in sorted(after.keys() - before.keys() - {"null"}):
        yield f"{old.path}: {kind} fits as well: no reader expects it"
    for kind in sorted(before.keys() & after.keys()):
        yield from _RULES.get(kind, _nothing)(before[kind], after[kind])


def _nothing(_old: _Place, _new: _Place) -> Iterator[str]:
    return iter(())


def _enum(old: _Place, new: _Place) -> Iterator[str]:
    before, after = (place.node.get("enum", [place.node.get("const")]) for place in (old, new))
    for value in before:
        if value not in after:
            yield f"{old.path}: {value!r} fits no more"
    if "const" in old.node and len(after) > 1:
        yield f"{old.path}: is no longer always {old.node['const']!r}"


def _range(old: _Place, new: _Place) -> Iterator[str]:
    ends = (("minimum", 1), ("exclusiveMinimum", 1), ("maximum", -1), ("exclusiveMaximum", -1))
    for word, sign in ends:
        before, after = old.node.get(word), new.node.get(word)
        if after is not None and (before is None or sign * after > sign * before):
            loosened = "exclusive" not in word and _excluded(old.node, word, after, sign)
            if not loosened:
                yield f"{old.path}: {word} {after} is narrower than {before}"


def _excluded(node: Node, word: str, after: float, sign: int) -> bool:
    """Whether an open end became a closed one at the same place."""
    open_end = node.get(f"exclusive{word[0].upper()}{word[1:]}")
    return open_end is not None and sign * after <= sign * open_end


def _string(old: _Place, new: _Place) -> Iterator[str]:
    before, after = old.node.get("pattern"), new.node.get("pattern")
    if before != after:
        yield f"{old.path}: pattern {after} is not {before}"


def _array(old: _Place, new: _Place) -> Iterator[str]:
    least, most = (
        [place.node.get(word, default) for place in (old, new)]
        for word, default in (("minItems", 0), ("maxItems", float("inf")))
    )
    if least[1] > least[0] or most[1] < most[0]:
        spans = [f"{low} to {high}" for low, high in zip(least, most, strict=True)]
        yield f"{old.path}: a list of {spans[1]} is narrower than {spans[0]}"
    if new.node.get("uniqueItems") and not old.node.get("uniqueItems"):
        yield f"{old.path}: nothing may stand twice any more"
    first, second = (place.node.get("prefixItems", []) for place in (old, new))
    if len(first) != len(second):
        yield f"{old.path}: {len(second)} of a kind of their own, not {len(first)}"
    for number, pair in enumerate(zip(first, second, strict=False)):
        yield from _node(*(p.inner(n, str(number)) for p, n in zip((old, new), pair, strict=True)))
    yield from _items(old, new)


def _items(old: _Place, new: _Place) -> Iterator[str]:
    before, after = old.node.get("items"), new.node.get("items")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _node(old.inner(before, "*"), new.inner(after, "*"))
    elif before != after:
        yield f"{old.path}: its items are told another way"


def _object(old: _Place, new: _Place) -> Iterator[str]:
    before, after = old.node["properties"], new.node["properties"]
    for name in before:
        if name not in after:
            yield f"{old.path}/{name}: is gone"
        else:
            yield from _node(old.inner(before[name], name), new.inner(after[name], name))
    was, must = (set(place.node.get("required", ())) for place in (old, new))
    for name in sorted(must - was):
        yield f"{old.path}/{name}: must be there now"
    for name in sorted(was - must):
        yield f"{old.path}/{name}: need not be there any more"


_RULES = {
    "array": _array,
    "enum": _enum,
    "integer": _range,
    "number": _range,
    "object": _object,
    "string": _string,
}


def _sound(place: _Place) -> Iterator[str]:
    for word in sorted(place.node.keys() - _KNOWN):
        yield f"{place.path}: {word}: this gate knows no such rule"
    kinds = place.kinds()
    if not kinds:
        yield f"{place.path}: anything fits"
    for kind, each in kinds.items():
        yield from _CLOSED.get(kind, _nothing_open)(each)


def _nothing_open(_place: _Place) -> Iterator[str]:
    return iter(())


def _closed_object(place: _Place) -> Iterator[str]:
    if place.node.get("additionalProperties") is not False:
        yield f"{place.path}: is open to other fields"
    for name, node in place.node.get("properties", {}).items():
        if FORBIDDEN & set(name.lower().split("_")):
            yield f"{place.path}/{name}: no unit may send such a thing"
        yield from _sound(place.inner(node, name))


def _closed_array(place: _Place) -> Iterator[str]:
    node = place.node
    items = node.get("items")
    most = len(node.get("prefixItems", ())) if items is False else node.get("maxItems")
    if most is None or items is None:
        yield f"{place.path}: a list without an end"
        return
    if not isinstance(items, Mapping):
        return
    inner = place.inner(items, "*")
    if {"number", "integer"} & inner.kinds().keys() and most > MAX_NUMBERS:
        yield f"{place.path}: {most} numbers in a row could be a picture"
    yield from _sound(inner)


def _bounded(place: _Place) -> Iterator[str]:
    low = {"minimum", "exclusiveMinimum"} & place.node.keys()
    if not low or not {"maximum", "exclusiveMaximum"} & place.node.keys():
        yield f"{place.path}: a number without an end"


def _patterned(place: _Place) -> Iterator[str]:
    pattern = place.node.get("pattern", "")
    if not (pattern.startswith("^") and pattern.endswith("$")):
        yield f"{place.path}: a text without a pattern from end to end"
        return
    spoken = [text for text in SPEECH if re.fullmatch(pattern[1:-1], text, re.ASCII)]
    if spoken:
        yield f"{place.path}: {spoken[0]!r:.40} fits"


def _drawn(place: _Place) -> Iterator[str]:
    for value in place.node.get("enum", ()):
        if isinstance(value, str) and not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", value):
            yield f"{place.path}: {value!r} is no word"


_CLOSED = {
    "array": _closed_array,
    "enum": _drawn,
    "integer": _bounded,
    "number": _bounded,
    "object": _closed_object,
    "string": _patterned,
}
