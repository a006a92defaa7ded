"""Whom the uplink believes, with its clock set and in 1970. Real brokers, real certificates."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from uplink_world import Mosquitto, eventually, running, site

from edge_agent.config import Broker, Site, UnitConfig, UplinkConfig
from edge_agent.errors import LinkError
from edge_agent.records import State
from edge_agent.transport.link import Link
from tests.prove.authority import Authority, Identity
from tests.prove.trust import SettableClock

FUTURE = {"start": "20900101000000Z", "end": "20910101000000Z"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("apt-get install openssl")
    return Authority(tmp_path_factory.mktemp("keys") / "authority")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def dated(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each connection that the courier attempts: whether dates are looked at."""
    attempts: list[bool] = []

    def attempt(*given: Any) -> Link:
        attempts.append(given[-1])
        return Link(*given)

    monkeypatch.setattr("edge_agent.transport.courier.Link", attempt)
    return attempts


def guarded(program: str, folder: Path, authority: Authority, shown: Identity) -> Mosquitto:
    return Mosquitto(
        program, folder, f"cafile {authority.ca}", f"certfile {shown.cert}", f"keyfile {shown.key}"
    )


def believing(authority: Authority, port: int) -> Site:
    return site(0, broker=Broker("localhost", port, tls=True), ca=authority.ca)


def said(caplog: pytest.LogCaptureFixture, text: str) -> int:
    return sum(text in record.getMessage() for record in caplog.records)


def test_a_unit_in_1970_is_not_locked_out_and_looks_at_the_dates_when_its_clock_is_set(
    mosquitto: str, authority: Authority, tmp_path: Path, state: Path,
    caplog: pytest.LogCaptureFixture, dated: list[bool],
) -> None:  # fmt: skip
    caplog.set_level("INFO")
    shown = authority.issue("tomorrow", "/CN=b", "DNS:localhost", **FUTURE)
    clock = SettableClock(False)
    with (
        guarded(mosquitto, tmp_path, authority, shown) as broker,
        running(believing(authority, broker.port), state, clock=clock),
    ):
        eventually(lambda: said(caplog, "is there"), "the connection")
        assert not said(caplog, "the clock is set")
        clock.right = True
        eventually(lambda: said(caplog, "not yet valid"), "the complaint")
        assert said(caplog, "the clock is set") == 1
        # That a clock loses its server for a while does not bring the old belief back.
        clock.right = False
        known = len(dated)
        eventually(lambda: len(dated) > known + 1, "more attempts")
    assert dated == [False, *[True] * (len(dated) - 1)]


def test_a_valid_broker_is_connected_to_once_more_when_the_clock_is_set(
    mosquitto: str, authority: Authority, tmp_path: Path, state: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level("INFO")
    shown, clock = authority.issue("today", "/CN=b", "DNS:localhost"), SettableClock(False)
    with (
        guarded(mosquitto, tmp_path, authority, shown) as broker,
        running(believing(authority, broker.port), state, clock=clock),
    ):
        eventually(lambda: said(caplog, "is there") == 1, "the connection")
        clock.right = True
        eventually(lambda: said(caplog, "is there") == 2, "the second connection")
    assert said(caplog, "the clock is set") == 1
    assert not said(caplog, "is away")


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_that_had_nothing_to_date_or_was_dated_stays(
    mosquitto: str, authority: Authority, tmp_path: Path, state: Path, tls: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level("INFO")
    clock = Counting(tls)
    shown = authority.issue(f"stays-{tls}", "/CN=b", "DNS:localhost")
    broker = (
        guarded(mosquitto, tmp_path, authority, shown) if tls else Mosquitto(mosquitto, tmp_path)
    )
    with broker:
        at = believing(authority, broker.port) if tls else site(broker.port)
        with running(at, state, clock=clock):
            eventually(lambda: said(caplog, "is there"), "the connection")
            clock.right, known = True, clock.asked
            eventually(lambda: clock.asked > known + 20, "the uplink to go on")
    assert said(caplog, "is there") == 1
    assert not said(caplog, "the clock is set")


class Counting(SettableClock):
    """Knows how often it was asked: so often the service came round."""

    asked = 0

    def monotonic(self) -> float:
        self.asked += 1
        return super().monotonic()


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize(
    ("hosts", "why"),
    [("DNS:elsewhere", "Hostname mismatch"), ("DNS:*", "Hostname mismatch"), ("", "purpose")],
)
def test_another_hosts_certificate_is_refused_whatever_time_it_is(
    mosquitto: str, authority: Authority, tmp_path: Path, hosts: str, why: str, dated: bool
) -> None:
    shown = authority.issue(f"other-{len(hosts)}-{dated}", "/CN=localhost", hosts)
    with (
        guarded(mosquitto, tmp_path, authority, shown) as broker,
        pytest.raises(LinkError, match=why),
    ):
        link(authority, broker.port, dated)


@pytest.mark.parametrize("dated", [True, False])
def test_another_authoritys_certificate_is_refused_whatever_time_it_is(
    mosquitto: str, authority: Authority, tmp_path: Path, dated: bool
) -> None:
    other = Authority(tmp_path / "other")
    shown = other.issue("b", "/CN=b", "DNS:localhost")
    with (
        guarded(mosquitto, tmp_path, other, shown) as broker,
        pytest.raises(LinkError, match="certificate verify failed"),
    ):
        link(authority, broker.port, dated)


def test_a_broker_that_knows_only_an_old_tls_is_refused(authority: Authority) -> None:
    shown = authority.issue("dated", "/CN=b", "DNS:localhost")
    with (
        old_server(shown) as port,
        pytest.raises(LinkError, match=r"(?i)version|protocol|handshake"),
    ):
        link(authority, port, dated=True)


def link(authority: Authority, port: int, dated: bool) -> Link:
    config = UplinkConfig(ca=authority.ca)
    unit = UnitConfig("shelf-1", "demo", "store-1")
    will = State(unit.id, 1, False)
    return Link(config, Broker("localhost", port, tls=True), unit, will, dated)


@contextmanager
def old_server(shown: Identity) -> Iterator[int]:
    """Speaks TLS 1.1 to one client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.cert, shown.key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # What is deprecated here is what is to be refused there.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                try:
                    context.wrap_socket(sock, server_side=True).close()
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(10)
