"""The sink at work: the subscriber in the main thread, the web server beside it."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from pathlib import Path
from types import FrameType

import uvicorn

from cloud_sink.api import make_app
from cloud_sink.broker import Broker
from cloud_sink.condition import Condition
from cloud_sink.errors import SinkError, UsageError
from cloud_sink.metrics import Metrics
from cloud_sink.schema import checks
from cloud_sink.store import Store
from cloud_sink.subscriber import Subscriber

_BACKLOG = 128
# More at once would only wait for the same disk; also keeps file numbers below what select takes.
_MAX_REQUESTS = 256
_GRACE_S = 2


def serve(broker: Broker, path: Path, http: str, name: str | None) -> None:
    """Work until SIGTERM or SIGINT.

    Args:
        broker: where messages come from.
        path: the database.
        http: HOST:PORT to answer at; port 0 takes any.
        name: our client id at the broker; None = the one that the database carries.

    Raises:
        UsageError: the database or the address cannot be used.
        StoreError: the database cannot be opened now.
        SinkError: the web server ended by itself.
    """
    stop = _stop_on_signals()
    listener = _listen(http)
    store = Store(path, checks())
    try:
        condition, metrics = Condition(), Metrics()
        subscriber = Subscriber(broker, name or store.name(), store, condition, metrics)
        config = uvicorn.Config(
            make_app(path, condition, metrics),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            limit_concurrency=_MAX_REQUESTS,
            timeout_graceful_shutdown=_GRACE_S,
        )
        server = uvicorn.Server(config)
        web = threading.Thread(target=_web, args=(server, listener, stop), name="http")
        web.start()
        host, port = listener.getsockname()[:2]
        print(f"listening on http://{_bracket(host)}:{port}", flush=True)
        try:
            subscriber.run(stop)
            if not web.is_alive():
                raise SinkError("the web server ended by itself; see the lines above")
        finally:
            server.should_exit = True
            web.join()
    finally:
        listener.close()
        store.close()


def _web(server: uvicorn.Server, listener: socket.socket, stop: threading.Event) -> None:
    """Nobody would notice a sink without answers: when the server ends, all ends."""
    try:
        server.run(sockets=[listener])
    finally:
        stop.set()


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        # Once is enough: a second one inside the Event's own lock would wait for itself.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        logging.getLogger("cloud_sink").info("%s: ending", signal.Signals(number).name)
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop


def _listen(http: str) -> socket.socket:
    host, _, port = http.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(f"--http {http}: write HOST:PORT, e.g. 127.0.0.1:8080")
    try:
        family = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UsageError(f"--http {http}: {error}") from None


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
