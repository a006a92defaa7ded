"""One connection to the broker. paho does the protocol, nothing here decides what is sent.

The only module with a network, and it publishes records, nothing else: there is no way to hand it
a topic or bytes.

A link lives as long as its connection: after a break another one is made, so that nothing is left
in paho's queues that the outbox would send a second time.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections import deque
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config import Broker, UnitConfig, UplinkConfig
from edge_agent.errors import LinkError
from edge_agent.records import MAX_PAYLOAD_BYTES, State, topic
from edge_agent.transport.seal import Outgoing, seal

# For the name, each address and the TLS handshake.
_CONNECT_S = 5.0
# For the broker to close after a goodbye, and how much of what it still says is read meanwhile.
_LINGER_S = 1.0
_LINGER_READS = 16
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME (x509_vfy.h), for which the ssl module has no name.
_NO_CHECK_TIME = 0x200000
# Topic and properties beside a payload.
_OVERHEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Up:
    """The broker took the connection and the subscription.

    Args:
        receive_max: how many messages it wants in flight at most, None = it did not say.
    """

    receive_max: int | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker answered a message of QoS 1; ``refused`` says why it does not take it."""

    mid: int
    refused: str | None


@dataclass(frozen=True, slots=True)
class Received:
    """A message to the unit."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Down:
    """The connection is no more."""

    reason: str


Event = Up | Acknowledged | Received | Down


class Link:
    """One connection.

    Args:
        config: how.
        broker: where.
        unit: whose: topics follow from it, and the client id, which is the same for each
            connection: a new one ends the old.
        will: what the broker publishes when the connection breaks.
        dated: whether the broker's certificate must be valid now. Its chain and its name are
            looked at in any case.

    Raises:
        LinkError: there is no connection; the message says why.
        RecordError: as for `publish`.
    """

    def __init__(
        self,
        config: UplinkConfig,
        broker: Broker,
        unit: UnitConfig,
        will: State,
        dated: bool = True,
    ) -> None:
        self._unit = unit
        self._listen = topic(unit.tenant, unit.store, unit.id, "cmd/ack")
        self._events: deque[Event] = deque()
        self._receive_max: int | None = None
        self._welcome = False
        five = config.protocol == 5
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"shelflight-{unit.tenant}-{unit.store}-{unit.id}",
            clean_session=None if five else True,
            protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.connect_timeout = _CONNECT_S
        # The outbox counts what is in flight; paho shall never hold a message back.
        self._client.max_inflight_messages_set(config.max_inflight)
        last = seal(unit, will)
        self._client.will_set(last.topic, last.payload, last.qos, last.retain)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        self._open(config, broker, dated)

    def publish(self, what: Outgoing) -> int:
        """Hand a record to the client; a break shows in the next `pump`.

        Returns:
            The number that its acknowledgement will carry.

        Raises:
            RecordError: it is not what may leave; nothing was sent.
            TypeError: it is no record.
        """
        sealed = seal(self._unit, what)
        info = self._client.publish(sealed.topic, sealed.payload, sealed.qos, sealed.retain)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            self._down(mqtt.error_string(info.rc))
        return info.mid

    def pump(self, timeout_s: float) -> list[Event]:
        """Let the client work until something comes, at most so long.

        Returns:
            What happened, in order; after a `Down` the link is of no more use.
        """
        try:
            rc = self._client.loop(timeout_s)
        except (MQTTException, ValueError, LookupError, struct.error) as error:
            self._down(f"it does not speak MQTT: {error}")
        else:
            if rc != mqtt.MQTT_ERR_SUCCESS:
                self._down(mqtt.error_string(rc))
        events = list(self._events)
        self._events.clear()
        return events

    def close(self) -> None:
        """Say goodbye, so that the broker drops the will."""
        if self._welcome:
            self._client.on_socket_close = _linger
        self._client.disconnect()
        self._drop()

    def _open(self, config: UplinkConfig, broker: Broker, dated: bool) -> None:
        # A silent broker is noticed within two keepalives; the broker sends a silent unit's will
        # after one and a half.
        address = (broker.host, broker.port, config.keepalive_s)
        try:
            if broker.tls:
                self._client.tls_set_context(_tls(config, dated))
            if config.protocol == 5:
                limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's gap
                limits.MaximumPacketSize = MAX_PAYLOAD_BYTES + _OVERHEAD_BYTES
                self._client.connect(*address, clean_start=True, properties=limits)
            else:
                self._client.connect(*address)
        except (OSError, ValueError) as error:
            self._drop()
            raise LinkError(str(error)) from error

    def _drop(self) -> None:
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _down(self, reason: str) -> None:
        self._say_down(reason)
        self._drop()

    def _say_down(self, reason: str) -> None:
        if not any(isinstance(event, Down) for event in self._events):
            self._events.append(Down(reason))

    def _on_connect(
        self,
        client: mqtt.Client,
        _data: Any,
        _flags: Any,
        reason: ReasonCode,
        known: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._down(f"refused: {reason}")
            return
        self._welcome = True
        self._receive_max = getattr(known, "ReceiveMaximum", None)
        client.subscribe(self._listen, qos=1)

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _data: Any,
        _mid: int,
        reasons: list[ReasonCode],
        _known: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._down(f"this unit may not read {self._listen}: {reasons[0]}")
        else:
            self._events.append(Up(self._receive_max))

    def _on_publish(
        self,
        _client: mqtt.Client,
        _data: Any,
        mid: int,
        reason: ReasonCode,
        _known: Properties | None,
    ) -> None:
        self._events.append(Acknowledged(mid, str(reason) if reason.is_failure else None))

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._events.append(Received(bytes(message.payload)))

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _data: Any,
        _flags: Any,
        reason: ReasonCode,
        _known: Properties | None,
    ) -> None:
        # paho closes the socket itself. It says "Unspecified error" where the broker said nothing.
        said = str(reason)
        self._say_down("the connection broke" if said == "Unspecified error" else said)


def _linger(_client: mqtt.Client, _data: Any, sock: Any) -> None:
    """Let the broker close first.

    Closing with something unread resets the connection, and a broker that sees the reset before
    the goodbye sends the will.
    """
    left = _LINGER_READS
    try:
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(_LINGER_S)
        while left and sock.recv(4096):
            left -= 1
    except (OSError, ValueError):
        return


class _ClosingSocket(ssl.SSLSocket):
    """A TLS socket that is closed when its handshake fails; paho would leave it to chance."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except (OSError, ValueError):
            self.close()
            raise


def _tls(config: UplinkConfig, dated: bool) -> ssl.SSLContext:
    """Whom to believe, and what to show; TLS 1.2 at least, and the broker's name is looked at.

    Raises:
        OSError: a file cannot be read, or is no certificate or key.
    """
    context = ssl.create_default_context(cafile=config.ca)
    context.sslsocket_class = _ClosingSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not dated:
        context.verify_flags |= _NO_CHECK_TIME
    if config.cert is not None:
        context.load_cert_chain(config.cert, config.key)
    return context
