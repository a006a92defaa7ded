"""How the egress proof reads packets and MQTT: what is smuggled is seen, wherever it hides."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from ipaddress import ip_address

import pytest

from edge_agent.config import UnitConfig
from edge_agent.records import MAX_PAYLOAD_BYTES, State, encode, topic
from tests.prove.capture import Segment, foreign_names, judged
from tests.prove.mqtt import read
from tests.prove.mutations import example
from tests.prove.namespaces import BROKER, BROKER_NAME, BROKER_PORT, NAMES, TIME, UNIT

HERE = UnitConfig("table")
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
COUNTS = json.dumps(example("counts"), separators=(",", ":")).encode()
STATE = encode(State(HERE.id, 1, False))
ACK = b'{"v":1,"boot":"00000000000000aa","seq":1,"have":[]}'


def where(leaf: str) -> str:
    return topic(HERE.tenant, HERE.store, HERE.id, leaf)


# --- packets


def ethernet(kind: int, body: bytes) -> bytes:
    return bytes(12) + struct.pack("!H", kind) + body


def ipv4(source: object, target: object, protocol: int, body: bytes, rest: bytes = b"") -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol, 0)
    ends = ip_address(str(source)).packed + ip_address(str(target)).packed
    return ethernet(0x0800, head + ends + body + rest)


def ipv6(source: str, target: str, kind: int, body: bytes) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(body), kind, 255)
    return ethernet(0x86DD, head + ip_address(source).packed + ip_address(target).packed + body)


def tcp(ours: int, theirs: int, data: bytes = b"", seq: int = 7, flags: int = 0x18) -> bytes:
    return struct.pack("!HHIIBBHHH", ours, theirs, seq, 0, 5 << 4, flags, 0, 0, 0) + data


def udp(ours: int, theirs: int, data: bytes) -> bytes:
    return struct.pack("!HHHH", ours, theirs, 8 + len(data), 0) + data


def query(name: str, kind: int = 1, more: bytes = b"", flags: int = 0x0100) -> bytes:
    labels = b"".join(bytes((len(part),)) + part.encode() for part in name.split("."))
    head = struct.pack("!HHHHHH", 7, flags, 1, 0, 0, 0)
    return head + labels + b"\0" + struct.pack("!HH", kind, 1) + more


ARP = ethernet(0x0806, b"\0\1\x08\0\6\4" + bytes(22))
LOOK_UP = ipv4(UNIT, NAMES, 17, udp(4000, 53, query(BROKER_NAME)))


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (ARP, "ARP"),
        (ARP + bytes(18), "ARP"),
        (ipv4(UNIT, BROKER, 6, tcp(4000, BROKER_PORT)), "broker"),
        (ipv4(BROKER, UNIT, 6, tcp(BROKER_PORT, 4000)), "broker"),
        (ipv4(UNIT, BROKER, 6, tcp(4000, BROKER_PORT), rest=bytes(6)), "broker"),
        (LOOK_UP, "name service"),
        (ipv4(NAMES, UNIT, 17, udp(53, 4000, b"any")), "name service"),
        (ipv4(UNIT, TIME, 17, udp(123, 123, bytes(48))), "time"),
        (ipv6("fe80::1", "ff02::2", 58, b"\x85" + bytes(7)), "neighbour discovery"),
        (ipv6("fe80::1", "ff02::16", 0, b"\x3a" + bytes(7) + b"\x8f" + bytes(7)),
         "neighbour discovery"),
    ],
)  # fmt: skip
def test_what_is_on_the_allow_list(frame: bytes, kind: str) -> None:
    (packet,) = judged([frame])
    assert packet.kind == kind
    assert foreign_names([packet]) == []


@pytest.mark.parametrize(
    "frame",
    [
        ARP + JPEG,
        ethernet(0x88CC, JPEG),
        ipv4(UNIT, "198.51.100.7", 6, tcp(4000, BROKER_PORT)),
        ipv4("198.51.100.7", UNIT, 6, tcp(BROKER_PORT, 4000)),
        ipv4(UNIT, BROKER, 6, tcp(4000, 443)),
        ipv4(UNIT, BROKER, 6, tcp(BROKER_PORT, 4000)),  # a server on the unit
        ipv4(UNIT, BROKER, 17, udp(4000, BROKER_PORT, JPEG)),
        ipv4(UNIT, NAMES, 17, udp(4000, 5353, query(BROKER_NAME))),
        ipv4(UNIT, TIME, 17, udp(4000, 53, JPEG)),
        ipv4(UNIT, BROKER, 1, JPEG),
        ipv4("10.77.0.9", BROKER, 6, tcp(4000, BROKER_PORT)),  # another source
        ipv4(UNIT, BROKER, 6, tcp(4000, BROKER_PORT), rest=JPEG),
        ipv6("fd77::2", "2001:db8::7", 17, udp(4000, 53, JPEG)),
        ipv6("fd77::2", "2001:db8::7", 58, b"\x80" + bytes(7) + JPEG),
        ipv4(UNIT, BROKER, 6, b""),
        b"\0" * 13,
    ],
)
def test_what_is_not(frame: bytes) -> None:
    (packet,) = judged([frame])
    assert packet.kind is None
    assert packet.what


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (query("pictures.shop.test"), "pictures.shop.test"),
        (query(f"ffd8ffe0.{BROKER_NAME}"), f"ffd8ffe0.{BROKER_NAME}"),
        (query(BROKER_NAME, more=JPEG), f"{BROKER_NAME} with more in it"),
        (query(BROKER_NAME, kind=16), f"{BROKER_NAME} with more in it"),
        (query(BROKER_NAME, flags=0x2900), f"{BROKER_NAME} with more in it"),
    ],
)
def test_other_names_and_what_hides_in_a_query(asked: bytes, told: str) -> None:
    packets = judged([LOOK_UP, ipv4(UNIT, NAMES, 17, udp(4000, 53, asked))])
    assert foreign_names(packets) == [told]


def test_a_look_up_by_tcp_is_not_taken_for_the_brokers_name() -> None:
    assert foreign_names(judged([ipv4(UNIT, NAMES, 6, tcp(4000, 53, JPEG))])) != []


# --- MQTT


def field(value: bytes | str) -> bytes:
    known = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(known)) + known


def packet(head: int, body: bytes) -> bytes:
    size, rest = b"", len(body)
    while True:
        rest, low = rest >> 7, rest & 0x7F
        size += bytes((low | (0x80 if rest else 0),))
        if not rest:
            return bytes((head,)) + size + body


def connect(five: bool = True, client: str = "", flags: int = 0x2E, will: bytes = STATE) -> bytes:
    client = client or f"shelflight-{HERE.tenant}-{HERE.store}-{HERE.id}"
    limit = b"\x05\x27" + struct.pack("!I", MAX_PAYLOAD_BYTES + 1024)
    body = field("MQTT") + bytes((5 if five else 4, flags)) + struct.pack("!H", 30)
    body += (limit if five else b"") + field(client) + (b"\0" if five else b"")
    return packet(0x10, body + field(where("state")) + field(will))


def publish(leaf: str, payload: bytes, head: int, properties: bytes | None = b"") -> bytes:
    known = b"" if properties is None else bytes((len(properties),)) + properties
    mid = b"\0\1" if head & 0x06 else b""
    return packet(head, field(where(leaf)) + mid + known + payload)


def subscribe(name: str, five: bool = True) -> bytes:
    return packet(0x82, b"\0\2" + (b"\0" if five else b"") + field(name) + b"\1")


LIFE = (
    connect(),
    subscribe(where("cmd/ack")),
    publish("state", STATE, 0x33),
    publish("counts", COUNTS, 0x32),
    publish("counts", COUNTS, 0x3A),
    packet(0x40, b"\0\1"),
    packet(0xC0, b""),
    packet(0xE0, b""),
)


def stream(*packets: bytes, out: bool = True, cut: int = 50, port: int = 4000) -> list[Segment]:
    """As TCP carries it, in pieces."""
    whole, seq = b"".join(packets), 2**32 - 20
    pieces = [whole[at : at + cut] for at in range(0, len(whole), cut)]
    return [
        Segment(out, port, seq, True, b""),
        *(Segment(out, port, (seq + 1 + cut * i) % 2**32, False, p) for i, p in enumerate(pieces)),
    ]


def test_a_sound_conversation_is_read_whole() -> None:
    answers = stream(publish("cmd/ack", ACK, 0x32), out=False)
    verdict = read([*stream(*LIFE), *answers], HERE)
    assert verdict.invalid == verdict.carrying == []
    assert verdict.connections == 1
    assert verdict.payloads == {"counts": 2, "state": 1, "will": 1, "ack": 1}
    assert verdict.control == 5


def test_mqtt_3_1_1_has_no_properties() -> None:
    sound = [connect(five=False), subscribe(where("cmd/ack"), five=False)]
    verdict = read(stream(*sound, publish("counts", COUNTS, 0x32, None)), HERE)
    assert verdict.invalid == verdict.carrying == []
    assert verdict.payloads["counts"] == 1


def test_pieces_out_of_order_and_sent_again_are_put_together() -> None:
    first, *rest = stream(*LIFE)
    pieces = [first, *reversed(rest), rest[3], rest[0]]
    assert read(pieces, HERE).payloads["counts"] == 2


def test_ports_are_used_again() -> None:
    again = [replace(segment, seq=segment.seq - 5000 & 0xFFFFFFFF) for segment in stream(*LIFE)]
    verdict = read([*stream(*LIFE), *again], HERE)
    assert verdict.connections == 2
    assert verdict.payloads["counts"] == 4


def test_a_refused_connection_says_nothing() -> None:
    refused = [Segment(True, 4000, 7, True, b""), Segment(False, 4000, 0, False, b"")]
    assert read(refused, HERE).carrying == []


def test_what_was_not_captured_is_not_passed_over() -> None:
    segments = stream(*LIFE)
    with pytest.raises(ValueError, match="were not captured"):
        read(segments[:3] + segments[4:], HERE)
    with pytest.raises(ValueError, match="beginning of a connection"):
        read(segments[1:], HERE)
    with pytest.raises(ValueError, match="sent again as something else"):
        read([*segments, replace(segments[2], data=b"x" * 50)], HERE)


@pytest.mark.parametrize(
    ("smuggled", "told"),
    [
        (publish("counts", JPEG, 0x32), "counts: not JSON"),
        (publish("counts", COUNTS + b" ", 0x32), "counts: not as records are encoded"),
        (publish("counts", STATE, 0x32), "counts: does not fit"),
        (publish("counts", COUNTS.replace(b'"seq"', b'"box":[1],"seq"'), 0x32), "counts: does not"),
        (publish("health", b"{}", 0x30), "health: does not fit"),
        (publish("counts", b"0" * (MAX_PAYLOAD_BYTES + 1), 0x32), "bytes"),
        (publish("picture", COUNTS, 0x32), "no schema for it"),
        (publish("cmd/ack", ACK, 0x32), "no schema for it"),
    ],
)
def test_a_payload_that_does_not_fit_is_told(smuggled: bytes, told: str) -> None:
    verdict = read(stream(LIFE[0], smuggled), HERE)
    assert any(told in line for line in verdict.invalid), verdict


@pytest.mark.parametrize(
    "packets",
    [
        (connect(client="a-camera"),),
        (connect(flags=0x2E | 0xC0),),
        (connect(flags=0x02),),
        (LIFE[0], publish("picture", COUNTS, 0x32)),
        (LIFE[0], publish("cmd/ack", ACK, 0x32)),
        (LIFE[0], publish("counts", COUNTS, 0x33)),
        (LIFE[0], publish("health", b"{}", 0x32)),
        (LIFE[0], publish("counts", COUNTS, 0x32, b"\x26\0\1k\0\1v")),
        (LIFE[0], subscribe("#")),
        (LIFE[0], subscribe(where("cmd/other"))),
        (LIFE[0], packet(0xC0, JPEG)),
        (LIFE[0], packet(0xE0, b"\0" + JPEG)),
        (LIFE[0], packet(0x40, b"\0\1\0\x06" + JPEG)),
        (LIFE[0], packet(0xA2, JPEG)),
        (LIFE[0], packet(0xF0, JPEG)),
        (LIFE[0], LIFE[3][:-3]),
        (LIFE[0], JPEG),
        (LIFE[3],),
        (LIFE[0], LIFE[0]),
    ],
)
def test_a_packet_that_carries_more_than_it_must_is_told(packets: tuple[bytes, ...]) -> None:
    assert read(stream(*packets), HERE).carrying != []


def test_a_will_is_a_payload_like_any_other() -> None:
    assert read(stream(connect(will=JPEG)), HERE).invalid == ["will: not JSON: " + _why(JPEG)]


def _why(payload: bytes) -> str:
    try:
        json.loads(payload)
    except ValueError as error:
        return str(error)
    raise AssertionError("it is JSON")


def test_what_the_broker_says_is_read_too() -> None:
    answers = stream(publish("cmd/ack", b'{"v":1}', 0x32), out=False)
    verdict = read([*stream(*LIFE), *answers], HERE)
    assert verdict.invalid == ["ack: does not fit its schema"]
