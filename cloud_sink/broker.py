"""Where the broker is and how to speak to it: from the command line to a paho client."""

from __future__ import annotations

import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud_sink.errors import UsageError

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_PROTOCOLS = {5: MQTTv5, 3: MQTTv311}
# The broker keeps what we have not stored for so long while we are away, seconds.
_SESSION_S = 7 * 24 * 3600
# A dead link is noticed within 1.5 times of it, seconds (MQTT 5, 3.1.2.10).
_KEEPALIVE_S = 20
_CONNECT_S = 5.0
# Receipts that wait for their turn; one that finds no room is asked for again by the unit.
_MAX_QUEUED = 20_000


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker's address and our credentials.

    Args:
        host, port: where it listens.
        tls: whether to speak TLS.
        protocol: MQTT 5, or 3 for 3.1.1.
        ca, cert, key: PEM files for TLS; None = the system's authorities, no client certificate.
    """

    host: str
    port: int
    tls: bool = False
    protocol: int = 5
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def parse_broker(
    url: str,
    protocol: int = 5,
    ca: Path | None = None,
    cert: Path | None = None,
    key: Path | None = None,
) -> Broker:
    """Read ``mqtt://host[:port]`` or ``mqtts://host[:port]``.

    Raises:
        UsageError: anything else.
    """
    if "@" in url:  # before any message repeats the address
        raise UsageError("--broker: no credentials in the address; use mqtts:// and --cert, --key")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--broker {url}: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
        raise UsageError(f"--broker {url}: write mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    tls = parts.scheme == "mqtts"
    if not tls and (ca or cert or key):
        raise UsageError(f"--broker {url}: --ca, --cert and --key need mqtts://")
    if key and _others_may_read(key):
        raise UsageError(f"--key {key}: others may read it; chmod o= {key}")
    if key and not cert:
        raise UsageError("--key: needs --cert")
    return Broker(parts.hostname, port or _PORTS[parts.scheme], tls, protocol, ca, cert, key)


def _others_may_read(key: Path) -> bool:
    try:
        return bool(key.stat().st_mode & stat.S_IRWXO)
    except OSError:
        return False  # told when it is to be used


def make_client(broker: Broker, name: str) -> Client:
    """A client that is not yet connected, acknowledges nothing by itself and keeps its session.

    Raises:
        UsageError: a certificate file is unusable.
    """
    protocol = _PROTOCOLS[broker.protocol]
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=name,
        clean_session=False if protocol == MQTTv311 else None,
        protocol=protocol,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = _CONNECT_S
    client.max_queued_messages_set(_MAX_QUEUED)
    if broker.tls:
        client.tls_set_context(_tls_context(broker))
    return client


def connect(client: Client, broker: Broker) -> None:
    """Open the connection; whether the broker takes us is told to ``client.on_connect``.

    Raises:
        OSError: nobody answers there.
    """
    if broker.protocol == 5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.SessionExpiryInterval = _SESSION_S
        client.connect(
            broker.host, broker.port, _KEEPALIVE_S, clean_start=False, properties=properties
        )
    else:
        client.connect(broker.host, broker.port, _KEEPALIVE_S)


def _tls_context(broker: Broker) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=broker.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if broker.cert:
            context.load_cert_chain(broker.cert, broker.key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca, --cert, --key: {error}") from None
    return context
