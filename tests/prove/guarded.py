"""A real broker behind the access list that ships, and those who knock at it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud_sink import access
from tests.prove.authority import Authority, Identity

PATIENCE_S = 20.0
# A peer tells here that something came.
_news = threading.Condition()


def until(fact: Callable[[], Any], what: str) -> Any:
    """Ask at all news, and from time to time, until the answer is true; an error if it never is."""
    deadline = time.monotonic() + PATIENCE_S
    with _news:
        while not (answer := fact()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never came: {what}")
            _news.wait(0.02)
    return answer


def _tell(act: Callable[[], Any]) -> None:
    with _news:
        act()
        _news.notify_all()


def free_port() -> int:
    """A port of this machine that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def served(port: int) -> str:
    """The certificate that is shown at a port of this machine, in PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # With TLS 1.2 the server would break the handshake off for want of our own certificate.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sock,
        context.wrap_socket(sock) as tls,
    ):
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True) or b"")


class Guarded:
    """mosquitto on loopback, configured as `python -m cloud_sink access` does it.

    Args:
        folder: of its own.
        authority: who signs its certificate.
        certificate: another one than that for localhost.
        ears: more for the access list, for those who watch over a test.
    """

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        certificate: Identity | None = None,
        ears: str = "",
    ) -> None:
        folder.mkdir()
        self.port = free_port()
        self.authority = authority
        self.log = folder / "mosquitto.log"
        self.crl: Path | None = None
        self.certificate = certificate or authority.issue(
            f"broker-{self.port}", "/CN=broker", "DNS:localhost,IP:127.0.0.1"
        )
        self._folder = folder
        self._ears = ears
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Guarded:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"mqtts://localhost:{self.port}"

    def configure(self, units: Iterable[str]) -> None:
        """Write its files for these units, each TENANT/STORE/UNIT."""
        listed = self._folder / "units.txt"
        listed.write_text("".join(f"{unit}\n" for unit in units))
        files = access.Files(
            self.authority.ca, self.certificate.cert, self.certificate.key, self.crl
        )
        here = (f"127.0.0.1:{self.port}", self._folder, self._folder)
        access.write(access.read_units(listed), ["sink"], files, *here)
        with (self._folder / "access.acl").open("a") as file:
            file.write(self._ears)
        with (self._folder / "mosquitto.conf").open("a") as file:
            # It starts as root here, and must read what this test wrote. No waiting for more to
            # send: a try takes a tenth of the time.
            file.write("set_tcp_nodelay true\n")
            file.write("user root\n" if os.geteuid() == 0 else "")

    def start(self) -> None:
        """Until it listens."""
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(self._folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        until(self._listens, "the broker")

    def renew(self, certificate: Identity) -> None:
        """Put another certificate where its own lies."""
        self.certificate.cert.write_bytes(certificate.cert.read_bytes())
        self.certificate.key.write_bytes(certificate.key.read_bytes())

    def reload(self) -> None:
        """As an operator does after a change."""
        assert self._process is not None
        before = self._reloads()
        self._process.send_signal(signal.SIGHUP)
        until(lambda: self._reloads() > before, "the broker's own word that it reads anew")

    def _reloads(self) -> int:
        return self.log.read_bytes().count(b"Reloading config")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Peer:
    """One MQTT client, whoever it claims to be.

    Args:
        port: of the broker on loopback.
        ca: whom it believes; None = anybody.
        identity: what it shows; None = nothing.
        protocol: 5, or 3 for 3.1.1.
        claims: more arguments of paho's client, client_id for one.
        username: what it says it is called.
        newest: the newest TLS that it speaks.
    """

    def __init__(
        self,
        port: int,
        ca: Path | None,
        identity: Identity | None,
        protocol: int = 5,
        username: str | None = None,
        newest: ssl.TLSVersion | None = None,
        **claims: Any,
    ) -> None:
        five = protocol == 5
        if not five:
            claims.setdefault("clean_session", True)
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
            reconnect_on_failure=False, **claims,
        )  # fmt: skip
        context = ssl.create_default_context(cafile=ca)
        if ca is None:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if newest is not None:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = newest
        if identity is not None:
            context.load_cert_chain(identity.cert, identity.key)
        self._client.tls_set_context(context)
        if username is not None:
            self._client.username_pw_set(username, "guess")
        self._port = port
        self._answer = threading.Event()
        self._gone = threading.Event()
        self._subscribed: set[int] = set()
        self._published: set[int] = set()
        self.heard: list[tuple[str, bytes]] = []
        self.refused: str | None = None
        self.session = False
        self._client.on_socket_open = lambda *known: known[2].setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: _tell(self._gone.set)
        self._client.on_subscribe = lambda *known: _tell(lambda: self._subscribed.add(known[2]))
        self._client.on_publish = lambda *known: _tell(lambda: self._published.add(known[2]))
        self._client.on_message = lambda *known: _tell(
            lambda: self.heard.append((known[2].topic, bytes(known[2].payload)))
        )

    def will(self, topic: str, payload: bytes) -> None:
        """What the broker is to say when this connection breaks."""
        self._client.will_set(topic, payload, 1)

    def connect(self, **known: Any) -> bool:
        """Knock; whether it was let in."""
        try:
            self._client.connect("localhost", self._port, 60, **known)
        except (OSError, ValueError) as error:
            self.refused = str(error)
            return False
        self._client.loop_start()
        until(lambda: self._answer.is_set() or self._gone.is_set(), "an answer to CONNECT")
        if not self._answer.is_set():
            self.refused = "the connection was cut"
        return self.refused is None

    def publish(
        self, topic: str, payload: bytes, qos: int = 1, retain: bool = False, alias: int = 0
    ) -> None:
        """Publish, and wait for the broker's answer, or for it to hang up."""
        known = None
        if alias:
            known = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            known.TopicAlias = alias
        told = self._client.publish(topic, payload, qos, retain, known)
        self._answered(told.mid, self._published)

    def subscribe(self, *filters: str) -> None:
        """Subscribe, and wait for the broker's answer, or for it to hang up."""
        for each in filters:
            self._answered(self._client.subscribe(each, 1)[1] or 0, self._subscribed)

    def hears(self, topic: str, payload: bytes) -> None:
        """Wait for a message that must come."""
        until(lambda: (topic, payload) in self.heard, f"{payload!r} at {topic}")

    @property
    def connected(self) -> bool:
        """Whether it was let in and is still."""
        return self._answer.is_set() and self.refused is None and not self._gone.is_set()

    def cut(self) -> None:
        """Break the connection without a goodbye."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _answered(self, number: int, answers: set[int]) -> None:
        until(lambda: number in answers or self._gone.is_set(), f"an answer to packet {number}")

    def _on_connect(
        self, _client: mqtt.Client, _data: Any, flags: Any, reason: Any, _known: Any
    ) -> None:
        self.session = flags.session_present
        if reason.is_failure:
            self.refused = str(reason)
        _tell(self._answer.set)
