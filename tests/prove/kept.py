"""Loads the shipped rules in a network of its own and sees what gets past them.

Run as `unshare --net python -m tests.prove.kept RULES` with a JSON list of [address, protocol,
port] on standard input; prints the list of those that arrived at the other end of the wire. The
network is gone with this process.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

Way = tuple[str, str, int]

_PROTOCOLS = {6: "tcp", 17: "udp"}
_ETH_P_ALL = 3
_PATIENCE_S = 10.0
# Room for every try, should all of them arrive.
_SO_RCVBUFFORCE, _ROOM_BYTES = 33, 16 * 1024 * 1024
# Sent last and always allowed: when it is there, so is all that was sent before.
_LAST: Way = ("192.0.2.53", "udp", 53)
_LAST_WORD = b"that was all"


def main() -> None:
    """Wire, rules, tries, what arrived."""
    _wire()
    subprocess.run(["nft", "-f", sys.argv[1]], check=True, timeout=10)
    tries: list[Way] = [tuple(each) for each in json.load(sys.stdin)]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as end:
        end.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM_BYTES)
        end.bind(("far", 0))
        for way in tries:
            _send(way)
        _send(_LAST, _LAST_WORD)
        print(json.dumps(sorted(set(_arrived(end)))))


def _wire() -> None:
    for words in (
        "link set lo up",
        "link add near type veth peer name far",
        # Nobody answers there: who the neighbours are is not asked.
        "link set near arp off",
        "addr add 192.0.2.2/24 dev near",
        "addr add 2001:db8::2/64 dev near nodad",
        "link set near up",
        "link set far up",
        "route add default dev near",
        "-6 route add default dev near",
    ):
        subprocess.run(["ip", *words.split()], check=True, timeout=10)


def _send(way: Way, payload: bytes = b"?") -> None:
    address, protocol, port = way
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as sock, contextlib.suppress(OSError):
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            sock.connect((address, port))
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.sendto(payload, (address, port))


def _arrived(end: socket.socket) -> Iterator[Way]:
    deadline = time.monotonic() + _PATIENCE_S
    end.settimeout(_PATIENCE_S)
    while time.monotonic() < deadline:
        frame = end.recv(2048)
        way = _way(frame)
        if way is not None and not (way == _LAST and _LAST_WORD in frame):
            yield way
        if way == _LAST and _LAST_WORD in frame:
            return
    raise TimeoutError("the last word never arrived")


def _way(frame: bytes) -> Way | None:
    """Where a packet was going; None for what keeps the wire itself alive (neighbours, groups)."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0800:
        start = 14 + 4 * (frame[14] & 0xF)
        number, address = frame[23], ipaddress.ip_address(frame[30:34])
    elif kind == 0x86DD:
        start, number, address = 54, frame[20], ipaddress.ip_address(frame[38:54])
    else:
        return None
    if number not in _PROTOCOLS:
        return None
    return str(address), _PROTOCOLS[number], struct.unpack_from("!H", frame, start + 2)[0]


if __name__ == "__main__":
    main()
