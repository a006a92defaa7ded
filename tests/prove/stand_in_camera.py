"""A live camera that a proof drives: raw pictures through a named pipe into GStreamer."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT, FPS = 320, 240, 10
PICTURE_BYTES = WIDTH * HEIGHT * 3 // 2
_KINDS = 8

Show = Callable[[int], bytes]
"""The picture of a number, I420."""


def noise(seed: int = 0) -> Show:
    """Random pictures that are nowhere else in the world; a few, again and again."""
    rng = np.random.default_rng(seed)
    pictures = [rng.bytes(PICTURE_BYTES) for _ in range(_KINDS - 1)]
    return lambda number: pictures[number % len(pictures)]


def shop() -> Show:
    """Shelves and a floor, with a sensor's noise."""
    rng = np.random.default_rng(3)
    picture = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for _ in range(160):
        x, y = int(rng.integers(0, WIDTH - 20)), int(rng.integers(0, HEIGHT - 20))
        colour = tuple(int(value) for value in rng.integers(20, 240, 3))
        cv2.rectangle(picture, (x, y), (x + int(rng.integers(5, 30)), y + 17), colour, -1)
    planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).astype(np.int16)
    pictures = [
        (planes + rng.integers(-4, 5, planes.shape)).clip(0, 255).astype(np.uint8).tobytes()
        for _ in range(_KINDS - 1)
    ]
    return lambda number: pictures[number % len(pictures)]


def frozen(of: Show) -> Show:
    """The last picture, for ever."""
    return lambda _: of(0)


def black() -> Show:
    """Next to nothing, and noise."""
    rng = np.random.default_rng(5)
    chroma = bytes([128]) * (PICTURE_BYTES - WIDTH * HEIGHT)
    pictures = [
        rng.integers(0, 5, WIDTH * HEIGHT, np.uint8).tobytes() + chroma for _ in range(_KINDS - 1)
    ]
    return lambda number: pictures[number % len(pictures)]


class StandInCamera:
    """Writes ten pictures a second to whoever opened the pipe.

    Args:
        path: of the pipe.
        show: which pictures; may be replaced at any time.
    """

    def __init__(self, path: Path, show: Show) -> None:
        self.path = path
        self.show = show
        self._plugged = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stand-in camera", daemon=True)
        self.plug()
        self._thread.start()

    @property
    def config(self) -> dict[str, object]:
        """The `camera` of a site file."""
        shape = f"format=i420 width={WIDTH} height={HEIGHT} framerate={FPS}/1"
        pipeline = f"filesrc location={self.path} blocksize={PICTURE_BYTES} ! rawvideoparse {shape}"
        return {
            "source": "gstreamer", "pipeline": pipeline,
            "width": WIDTH, "height": HEIGHT, "fps": FPS,
        }  # fmt: skip

    def plug(self) -> None:
        """There it is again."""
        os.mkfifo(self.path)
        self._plugged.set()

    def unplug(self) -> None:
        """The stream ends, and nobody can open it anew."""
        self._plugged.clear()
        self.path.unlink()

    def close(self) -> None:
        """End it."""
        self._over.set()
        self._plugged.clear()
        # A writer that waits for a reader who reads no more is woken by the reader's end.
        self._thread.join(5)
        self.path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                pipe = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads
                self._over.wait(0.02)
                continue
            os.set_blocking(pipe, True)
            with contextlib.suppress(BrokenPipeError), os.fdopen(pipe, "wb", buffering=0) as out:
                self._write(out)

    def _write(self, out) -> None:
        for number in range(1 << 62):
            if not self._plugged.is_set():
                return
            picture = memoryview(self.show(number))
            while picture:
                picture = picture[out.write(picture) :]
            self._over.wait(1 / FPS)


@contextlib.contextmanager
def camera(path: Path, show: Show) -> Iterator[StandInCamera]:
    """A camera that is closed at the end."""
    made = StandInCamera(path, show)
    try:
        yield made
    finally:
        made.close()
