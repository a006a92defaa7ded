"""A link that breaks in every way asked for: on loopback, between a client and the broker."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE_S = 10.0
_LEAVE_S = 2.0
_PUBLISH, _PUBACK, _CONNACK = 3, 4, 2
_DUPLICATE = 0x08
# Bytes carried at once: at 64 kbit/s an eighth of a second.
_CHUNK = 1024
# Published messages that are kept to be said again.
_KEPT = 40


@dataclass(eq=False)
class _Pair:
    """One connection: the client's side, the broker's side, and how it ended."""

    client: asyncio.StreamWriter
    broker: asyncio.StreamWriter
    left: asyncio.StreamWriter | None = None
    left_at: float = 0.0
    frames: bytearray = field(default_factory=bytearray)

    def sides(self) -> tuple[asyncio.StreamWriter, asyncio.StreamWriter]:
        return self.client, self.broker


class Wire:
    """Carries bytes between whoever connects to ``port`` and the broker.

    Args:
        broker: the broker's port.

    Attributes:
        port: where clients connect.
        delay_s: each chunk is held back so long.
        bytes_s: at most so many bytes a second each way; None = as fast as it goes.
        noticed: seconds that clients took to give up on a connection of which only their side was
            left.
    """

    def __init__(self, broker: int) -> None:
        self._broker = broker
        self._pairs: list[_Pair] = []
        self._published: deque[bytes] = deque(maxlen=_KEPT)
        self._echoes = 0
        self.delay_s = 0.0
        self.bytes_s: float | None = None
        self.noticed: list[float] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire")
        self._thread.start()
        self._flowing, self._server = self._do(self._open())
        self.port = int(self._server.sockets[0].getsockname()[1])

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        self._loop.close()

    def cut(self) -> None:
        """Both sides are closed in order."""
        self._do(self._end(lambda pair, side: side.close()))

    def reset(self) -> None:
        """Both sides are reset (RST)."""
        self._do(self._end(lambda pair, side: _reset(side)))

    def halve(self, leave_client: bool) -> None:
        """One side is reset, the other is left alone: nothing comes from there any more."""
        self._do(self._halve(leave_client))

    def stall(self) -> None:
        """Everything is accepted and nothing is carried, until `resume`."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def resume(self) -> None:
        """Carry again."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def echo(self) -> int:
        """Publish to the broker once more what was published last, on a connection of its own.

        Returns:
            How many messages.
        """
        return self._do(self._echo())

    def heal(self) -> None:
        """From now on it is a good link."""
        self.delay_s, self.bytes_s = 0.0, None
        self.resume()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    async def _open(self) -> tuple[asyncio.Event, asyncio.Server]:
        flowing = asyncio.Event()
        flowing.set()
        return flowing, await asyncio.start_server(self._carry, "127.0.0.1", 0, limit=_CHUNK)

    async def _close(self) -> None:
        self._server.close()
        self._flowing.set()
        await self._end(lambda pair, side: _reset(side))
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_LEAVE_S)

    async def _carry(self, up: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            down, broker = await asyncio.open_connection("127.0.0.1", self._broker, limit=_CHUNK)
        except OSError:
            client.close()
            return
        pair = _Pair(client, broker)
        self._pairs.append(pair)
        back = asyncio.ensure_future(self._pump(pair, down, client))
        try:
            await self._pump(pair, up, broker, self._tap)
            if pair.left is client:
                self.noticed.append(time.monotonic() - pair.left_at)
            elif pair.left is broker:
                await back
        finally:
            self._pairs.remove(pair)
            for side in pair.sides():
                side.close()
            back.cancel()

    async def _pump(
        self,
        pair: _Pair,
        source: asyncio.StreamReader,
        to: asyncio.StreamWriter,
        tap: Callable[[_Pair, bytes], None] = lambda _pair, _chunk: None,
    ) -> None:
        """Carry one way until its source ends; then the other side ends too, unless it is left."""
        with contextlib.suppress(OSError):
            while chunk := await source.read(_CHUNK):
                await self._flowing.wait()
                await asyncio.sleep(self.delay_s + len(chunk) / (self.bytes_s or float("inf")))
                tap(pair, chunk)
                if pair.left is None:
                    to.write(chunk)
                    await to.drain()
        if pair.left is None:
            to.close()

    def _tap(self, pair: _Pair, chunk: bytes) -> None:
        """Keep what is published."""
        pair.frames += chunk
        while (length := _frame(pair.frames)) is not None:
            if pair.frames[0] >> 4 == _PUBLISH:
                self._published.append(bytes(pair.frames[:length]))
            del pair.frames[:length]

    async def _end(self, how: Callable[[_Pair, asyncio.StreamWriter], None]) -> None:
        for pair in list(self._pairs):
            for side in pair.sides():
                how(pair, side)

    async def _halve(self, leave_client: bool) -> None:
        for pair in list(self._pairs):
            if pair.left is None:
                pair.left, gone = pair.sides() if leave_client else pair.sides()[::-1]
                pair.left_at = time.monotonic()
                _reset(gone)

    async def _echo(self) -> int:
        frames = list(self._published)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._broker)
        self._echoes += 1
        writer.write(_connect(f"echo-{self.port}-{self._echoes}"))
        for frame in frames:
            writer.write(bytes([frame[0] | _DUPLICATE]) + frame[1:])
        await writer.drain()
        expected = [_CONNACK] + [_PUBACK for frame in frames if frame[0] & 0x06]
        heard = bytearray()
        while expected and (chunk := await reader.read(_CHUNK)):
            heard += chunk
            while (length := _frame(heard)) is not None:
                if heard[0] >> 4 in expected:
                    expected.remove(heard[0] >> 4)
                del heard[:length]
        writer.write(b"\xe0\x00")
        writer.close()
        return len(frames)


def _reset(side: asyncio.StreamWriter) -> None:
    sock = side.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    side.transport.abort()


def _frame(data: bytes | bytearray) -> int | None:
    """Length of the first whole MQTT packet, None while it is not all there."""
    length = 0
    for i, byte in enumerate(data[1:5]):
        length |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            whole = 2 + i + length
            return whole if len(data) >= whole else None
    return None


def _connect(name: str) -> bytes:
    """MQTT 5's CONNECT with a clean start."""
    body = b"\x00\x04MQTT\x05\x02\x00\x1e\x00" + struct.pack(">H", len(name)) + name.encode()
    return bytes([0x10, len(body)]) + body


@contextlib.contextmanager
def wires(broker: int) -> Iterator[tuple[Wire, Wire]]:
    """Two to the same broker: the unit's and the sink's."""
    with Wire(broker) as unit, Wire(broker) as sink:
        yield unit, sink
