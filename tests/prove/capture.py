"""Every packet of the unit's side, and which of them are on the allow-list."""

from __future__ import annotations

import errno
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from tests.prove.namespaces import BROKER, BROKER_NAME, BROKER_PORT, NAMES, TIME, UNIT, inside

_ALL = 0x0003  # ETH_P_ALL
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SO_RCVBUFFORCE = 33
_BUFFER = 32 * 1024 * 1024
_FRAME = 128 * 1024
_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_TCP, _UDP, _ICMP6, _HOP_BY_HOP = 6, 17, 58, 0
# Router and neighbour solicitations and advertisements, and multicast listeners' reports, which a
# kernel sends by itself when an interface comes up.
_NEIGHBOURS = frozenset({133, 134, 135, 136, 143})
# What one name's look-up can ask for: its IPv4 and its IPv6 addresses.
_QUESTIONS = frozenset({1, 28})

Address = IPv4Address | IPv6Address


class Capture:
    """Keeps what `capturing` hears.

    Attributes:
        frames: Ethernet frames in order, both ways; what a namespace says to itself is left out.
        dropped: how many the kernel had no room for.
    """

    def __init__(self, heard: socket.socket) -> None:
        self._socket = heard
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self.frames: list[bytes] = []
        self.dropped = 0
        self._thread.start()

    def close(self) -> None:
        """Hear what is still queued, then end."""
        self._stop.set()
        self._thread.join()
        told = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self.dropped = struct.unpack("II", told)[1]
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                frame, (name, *_) = self._socket.recvfrom(_FRAME)
            except TimeoutError:
                if self._stop.is_set():
                    return
                continue
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise
                continue
            if name != "lo":
                self.frames.append(frame)


@contextmanager
def capturing(namespace: str) -> Iterator[Capture]:
    """Hear every packet of every interface of a namespace, whichever way it goes."""
    with inside(namespace):
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    heard.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    heard.settimeout(0.2)
    capture = Capture(heard)
    try:
        yield capture
    finally:
        capture.close()


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a TCP connection between the unit and the broker.

    Args:
        out: whether the unit sent it.
        port: the unit's.
        seq: of its first byte.
        syn: whether it opens the connection.
        data: what it carries.
    """

    out: bool
    port: int
    seq: int
    syn: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet, judged.

    Args:
        kind: what it is, as the allow-list calls it; None = it is not on it.
        what: for a reader: what it is where it is not allowed.
        segment: what it carries to or from the broker.
        asked: the names it asks for, lower case.
    """

    kind: str | None
    what: str = ""
    segment: Segment | None = None
    asked: tuple[str, ...] = ()


def judged(frames: Iterable[bytes]) -> list[Packet]:
    """Each frame by the allow-list; what cannot be read is not on it."""
    packets = []
    for frame in frames:
        try:
            packets.append(_judge(frame))
        except (struct.error, ValueError, IndexError) as error:
            packets.append(Packet(None, f"unreadable: {error}"))
    return packets


def _judge(frame: bytes) -> Packet:
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == _ARP:
        return _arp(frame[14:])
    if kind == _IPV4:
        return _ipv4(frame[14:])
    if kind == _IPV6:
        return _ipv6(frame[14:])
    return Packet(None, f"ethernet type {kind:#06x}")


def _arp(told: bytes) -> Packet:
    # Ethernet and IPv4, and nothing after it but padding.
    fits = told[:6] == b"\0\1\x08\0\6\4" and not any(told[28:])
    return Packet("ARP") if fits else Packet(None, "ARP with something in it")


def _ipv4(told: bytes) -> Packet:
    length = 4 * (told[0] & 0x0F)
    size, _, fragment = struct.unpack_from("!HHH", told, 2)
    source, target = IPv4Address(told[12:16]), IPv4Address(told[16:20])
    ends = f"{source} to {target}"
    if UNIT not in (source, target) or fragment & 0x3FFF or length != 20:
        return Packet(None, f"IPv4 {ends}: not the unit's, in pieces or with options")
    # What is larger than a packet may be says no size: the card is to cut it.
    body, rest = told[length : size or None], told[size:] if size else b""
    if any(rest):
        return Packet(None, f"IPv4 {ends} with {len(rest)} bytes behind it")
    out = source == UNIT
    other = target if out else source
    if told[9] == _TCP:
        return _tcp(body, out, other)
    if told[9] == _UDP:
        return _udp(body, out, other)
    return Packet(None, f"IPv4 {ends} protocol {told[9]}")


def _tcp(told: bytes, out: bool, other: Address) -> Packet:
    ports = struct.unpack_from("!HH", told)
    port, theirs = ports if out else ports[::-1]
    if (other, theirs) == (NAMES, 53):
        return Packet("name service", asked=("by TCP, which is not read here",))
    if (other, theirs) != (BROKER, BROKER_PORT):
        return Packet(None, f"TCP with {other}:{theirs}")
    (seq,) = struct.unpack_from("!I", told, 4)
    begin, flags = 4 * (told[12] >> 4), told[13]
    return Packet("broker", segment=Segment(out, port, seq, bool(flags & 0x02), told[begin:]))


def _udp(told: bytes, out: bool, other: Address) -> Packet:
    ports = struct.unpack_from("!HH", told)
    theirs = ports[out]
    if (other, theirs) == (TIME, 123):
        return Packet("time")
    if (other, theirs) != (NAMES, 53):
        return Packet(None, f"UDP with {other}:{theirs}")
    return Packet("name service", asked=(_asked(told[8:]),) if out else ())


def _asked(query: bytes) -> str:
    """The name that a query asks for; with a note where it holds more than that."""
    flags, questions, *others = struct.unpack_from("!HHHHH", query, 2)
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    (kind, _) = struct.unpack_from("!HH", query, at + 1)
    name = ".".join(labels).lower()
    plain = questions == 1 and not any(others) and kind in _QUESTIONS and not flags & ~0x0120
    return name if plain and len(query) == at + 5 else f"{name} with more in it"


def _ipv6(told: bytes) -> Packet:
    source, target = IPv6Address(told[8:24]), IPv6Address(told[24:40])
    kind, body = told[6], told[40:]
    if kind == _HOP_BY_HOP:
        kind, body = body[0], body[8 + 8 * body[1] :]
    if kind == _ICMP6 and body[0] in _NEIGHBOURS:
        return Packet("neighbour discovery")
    return Packet(None, f"IPv6 {source} to {target} next header {kind}")


def foreign_names(packets: Iterable[Packet]) -> list[str]:
    """What was asked of the name service beside the broker's name."""
    return [name for packet in packets for name in packet.asked if name != BROKER_NAME]
