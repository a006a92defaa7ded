"""What was said to the broker and by it, read from the captured segments as MQTT 3.1.1 or 5."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import jsonschema_rs

from edge_agent.config import UnitConfig, UplinkConfig
from edge_agent.records import MAX_PAYLOAD_BYTES, topic
from tests.prove.capture import Segment

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    1, 2, 3, 4, 8, 9, 12, 13, 14,
)  # fmt: skip
# Clean start, a will of QoS 1 that is retained; neither user nor password.
_CONNECT_FLAGS = 0x2E
_MAXIMUM_PACKET_SIZE = 0x27
_LIMIT = bytes((_MAXIMUM_PACKET_SIZE,)) + struct.pack("!I", MAX_PAYLOAD_BYTES + 1024)
# Leaf of a unit's topics: the first byte of its PUBLISH, but for DUP.
_HOW = {"counts": 0x32, "state": 0x33, "health": 0x30}
_MODULUS = 2**32
# As a site file that does not say otherwise asks for.
_KEEPALIVE_S = UplinkConfig().keepalive_s


@dataclass(slots=True)
class Verdict:
    """What was read.

    Args:
        connections: how many began.
        payloads: by leaf, wills as ``will``, receipts as ``ack``.
        invalid: payloads that do not fit their schema, for a reader.
        control: MQTT packets without a payload.
        carrying: those that carry what they need not, for a reader.
    """

    connections: int = 0
    payloads: Counter[str] = field(default_factory=Counter)
    invalid: list[str] = field(default_factory=list)
    control: int = 0
    carrying: list[str] = field(default_factory=list)


def read(segments: Iterable[Segment], unit: UnitConfig) -> Verdict:
    """Put the streams together and read each."""
    verdict = Verdict()
    reader = _Reader(unit, verdict)
    for asked, answered in _conversations(segments):
        verdict.connections += 1
        reader.conversation(_whole(asked), _whole(answered))
    return verdict


def _conversations(segments: Iterable[Segment]) -> list[tuple[list[Segment], list[Segment]]]:
    """Segments by connection, the unit's and the broker's; a SYN of another number begins anew."""
    found: list[tuple[list[Segment], list[Segment]]] = []
    current: dict[int, tuple[list[Segment], list[Segment]]] = {}
    for segment in segments:
        pair = current.get(segment.port)
        begins = segment.out and segment.syn
        if pair is None or (begins and pair[0] and pair[0][0].seq != segment.seq):
            pair = current[segment.port] = ([], [])
            found.append(pair)
        pair[not segment.out].append(segment)
    return found


def _whole(segments: list[Segment]) -> bytes:
    """The stream of one direction; what is sent again is taken once.

    Raises:
        ValueError: a piece is missing, or what was sent again says something else.
    """
    if not any(segment.data for segment in segments):
        return b""  # refused, for nobody listens
    first = segments[0]
    if not first.syn:
        raise ValueError(f"port {first.port}: the beginning of a connection was not captured")
    pieces = [((s.seq - first.seq - 1) % _MODULUS, s.data) for s in segments if s.data]
    stream = bytearray()
    for at, data in sorted(pieces):
        if at > len(stream):
            raise ValueError(f"port {first.port}: bytes {len(stream)} to {at} were not captured")
        known = stream[at : at + len(data)]
        if known != data[: len(known)]:
            raise ValueError(f"port {first.port}: byte {at} was sent again as something else")
        stream += data[len(known) :]
    return bytes(stream)


class _Reader:
    """Reads conversations of one unit into a verdict."""

    def __init__(self, unit: UnitConfig, verdict: Verdict) -> None:
        self._unit = unit
        self._verdict = verdict
        self._five = False
        self._topics = {
            topic(unit.tenant, unit.store, unit.id, leaf): leaf for leaf in (*_HOW, "cmd/ack")
        }
        self._checks = {leaf: _check(leaf) for leaf in (*_HOW, "ack")}
        self._sent: dict[int, Callable[[int, bytes], None]] = {
            CONNECT: self._connect,
            PUBLISH: self._publish,
            PUBACK: self._puback,
            SUBSCRIBE: self._subscribe,
            PINGREQ: self._empty,
            DISCONNECT: self._disconnect,
        }

    def conversation(self, asked: bytes, answered: bytes) -> None:
        """Both streams of one connection."""
        self._five = False
        for number, (head, body) in enumerate(self._packets(asked, "the unit")):
            if (number == 0) != (head >> 4 == CONNECT):
                self._carries(f"packet {head >> 4} as number {number}")
                continue
            self._attempt(self._sent.get(head >> 4, self._unknown), head, body)
        for head, body in self._packets(answered, "the broker"):
            if head >> 4 == PUBLISH:
                self._attempt(self._receipt, head, body)
            elif head >> 4 not in (CONNACK, SUBACK, PUBACK, PINGRESP, DISCONNECT):
                self._carries(f"the broker says packet {head >> 4}")

    def _attempt(self, handle: Callable[[int, bytes], None], head: int, body: bytes) -> None:
        try:
            handle(head, body)
        except (IndexError, ValueError, struct.error) as error:
            self._carries(f"packet {head >> 4} cannot be read: {error}")

    def _packets(self, stream: bytes, whose: str) -> list[tuple[int, bytes]]:
        found, at = [], 0
        while at < len(stream):
            size, begin = _variable(stream, at + 1)
            end = None if size is None else begin + size
            if end is None or end > len(stream):
                self._carries(f"{len(stream) - at} bytes of {whose} are no whole packet")
                break
            found.append((stream[at], stream[begin:end]))
            at = end
        return found

    def _connect(self, head: int, body: bytes) -> None:
        self._verdict.control += 1
        fields = _Fields(body)
        name, level = fields.text(), fields.byte()
        self._five = level == 5
        flags, keepalive = fields.byte(), fields.pair()
        limits = fields.properties() if self._five else b""
        client = fields.text()
        expected = f"shelflight-{self._unit.tenant}-{self._unit.store}-{self._unit.id}"
        plain = (
            (head, name, flags, keepalive) == (0x10, "MQTT", _CONNECT_FLAGS, _KEEPALIVE_S)
            and level in (4, 5)
            and limits == (_LIMIT if self._five else b"")
            and client == expected
        )
        if not plain:
            self._carries(f"CONNECT of client {client!r:.80} with flags {flags:#x}")
            return
        inherited = fields.properties() if self._five else b""
        will, payload = fields.text(), fields.block()
        if self._topics.get(will) != "state" or inherited or fields.rest:
            self._carries(f"a will for {will!r:.80} with more than a state")
        self._payload("will", "state", payload)

    def _publish(self, head: int, body: bytes) -> None:
        fields = _Fields(body)
        where = fields.text()
        if head & 0x06:
            fields.pair()
        properties = fields.properties() if self._five else b""
        leaf = self._topics.get(where)
        if leaf not in _HOW or head & ~0x08 != _HOW[leaf]:
            self._carries(f"PUBLISH {head:#x} to {where!r:.80}")
        if properties:
            self._carries(f"PUBLISH with {len(properties)} bytes of properties")
        self._payload(leaf or where, leaf if leaf in _HOW else None, fields.rest)

    def _receipt(self, head: int, body: bytes) -> None:
        fields = _Fields(body)
        where = fields.text()
        if head & 0x06:
            fields.pair()
        if self._five:
            fields.properties()
        if self._topics.get(where) != "cmd/ack":
            self._carries(f"the broker says PUBLISH to {where!r:.80}")
        self._payload("ack", "ack", fields.rest)

    def _puback(self, head: int, body: bytes) -> None:
        self._verdict.control += 1
        if head != 0x40 or body[2:] not in (b"", b"\0", b"\0\0"):
            self._carries(f"PUBACK with {len(body)} bytes")

    def _subscribe(self, head: int, body: bytes) -> None:
        self._verdict.control += 1
        fields = _Fields(body)
        fields.pair()
        properties = fields.properties() if self._five else b""
        where = fields.text()
        said = (head, self._topics.get(where), properties, fields.rest)
        if said != (0x82, "cmd/ack", b"", b"\1"):
            self._carries(f"SUBSCRIBE to {where!r:.80}")

    def _empty(self, head: int, body: bytes) -> None:
        self._verdict.control += 1
        if head & 0x0F or body:
            self._carries(f"packet {head >> 4} with {len(body)} bytes")

    def _disconnect(self, head: int, body: bytes) -> None:
        self._verdict.control += 1
        if head != 0xE0 or body not in (b"", b"\0", b"\0\0"):
            self._carries(f"DISCONNECT with {len(body)} bytes")

    def _unknown(self, head: int, body: bytes) -> None:
        self._carries(f"packet {head >> 4} with {len(body)} bytes")

    def _payload(self, called: str, leaf: str | None, payload: bytes) -> None:
        self._verdict.payloads[called] += 1
        wrong = "no schema for it" if leaf is None else self._checks[leaf](payload)
        if wrong is not None:
            self._verdict.invalid.append(f"{called}: {wrong}")

    def _carries(self, what: str) -> None:
        self._verdict.carrying.append(what)


class _Fields:
    """Reads MQTT's fields one after another.

    Attributes:
        rest: what is not yet read.
    """

    def __init__(self, rest: bytes) -> None:
        self.rest = rest

    def byte(self) -> int:
        first, self.rest = self.rest[0], self.rest[1:]
        return first

    def pair(self) -> int:
        (number,) = struct.unpack_from("!H", self.rest)
        self.rest = self.rest[2:]
        return int(number)

    def block(self) -> bytes:
        size = self.pair()
        if size > len(self.rest):
            raise ValueError("a field is longer than its packet")
        block, self.rest = self.rest[:size], self.rest[size:]
        return block

    def text(self) -> str:
        return self.block().decode()

    def properties(self) -> bytes:
        size, begin = _variable(self.rest, 0)
        if size is None or begin + size > len(self.rest):
            raise ValueError("properties are longer than their packet")
        known, self.rest = self.rest[begin : begin + size], self.rest[begin + size :]
        return known


def _variable(stream: bytes, at: int) -> tuple[int | None, int]:
    """A variable byte integer and where it ends; None where it does not."""
    value = 0
    for place in range(4):
        if at + place >= len(stream):
            return None, at
        value |= (stream[at + place] & 0x7F) << 7 * place
        if not stream[at + place] & 0x80:
            return value, at + place + 1
    return None, at


def _check(leaf: str) -> Callable[[bytes], str | None]:
    """What is wrong with a payload, by the sink's own validator of the schema."""
    path = resources.files("edge_agent") / "schemas" / f"{leaf}.schema.json"
    validator = jsonschema_rs.validator_for(json.loads(path.read_text(encoding="utf-8")))

    def check(payload: bytes) -> str | None:
        if len(payload) > MAX_PAYLOAD_BYTES:
            return f"{len(payload)} bytes"
        try:
            message: Any = json.loads(payload)
        except ValueError as error:
            return f"not JSON: {error}"
        if json.dumps(message, separators=(",", ":")).encode() != payload:
            return "not as records are encoded"
        return None if validator.is_valid(message) else "does not fit its schema"

    return check
