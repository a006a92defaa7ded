"""Pictures and films of each kind, and hiding places for them: what a sweep must find."""

from __future__ import annotations

import base64
import gzip
import io
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np

_STILLS = (".jpg", ".png", ".bmp", ".tiff", ".webp", ".ppm", ".pgm", ".jp2")
# Suffix -> how ffmpeg makes one.
_FILMS = {
    "mp4": ("-c:v", "mpeg4", "-f", "mp4"),
    "mov": ("-c:v", "mjpeg", "-f", "mov"),
    "mkv": ("-c:v", "mpeg4", "-f", "matroska"),
    "webm": ("-c:v", "libvpx", "-f", "webm"),
    "avi": ("-c:v", "mjpeg", "-f", "avi"),
    "ts": ("-c:v", "mpeg2video", "-f", "mpegts"),
    "mpg": ("-c:v", "mpeg2video", "-f", "vob"),
    "y4m": ("-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe"),
    "gif": ("-f", "gif"),
    "mjpeg": ("-c:v", "mjpeg", "-f", "mjpeg"),
    "h264": ("-c:v", "libx264", "-f", "h264"),
    "flv": ("-c:v", "flv", "-f", "flv"),
    "asf": ("-c:v", "mjpeg", "-f", "asf"),
}
# The first box of files that need an encoder which is not everywhere (ISO/IEC 23008-12, AVIF).
_BOXES = {
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf",
}


@cache
def pictures() -> dict[str, bytes]:
    """Suffix -> content."""
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    picture[8:40] = cv2.GaussianBlur(picture[8:40], (0, 0), 3)
    found = {kind[1:]: _encoded(kind, picture) for kind in _STILLS}
    found |= {kind: _film(words) for kind, words in _FILMS.items()}
    found |= {kind: box + picture.tobytes() for kind, box in _BOXES.items()}
    array, arrays, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(array, picture)
    np.savez(arrays, frame=picture)
    np.savez_compressed(packed, frame=picture)
    found |= {"npy": array.getvalue(), "npz": arrays.getvalue(), "packed.npz": packed.getvalue()}
    return found


def _encoded(kind: str, picture: np.ndarray) -> bytes:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if kind == ".pgm" else picture
    return cv2.imencode(kind, grey)[1].tobytes()


def _film(words: tuple[str, ...]) -> bytes:
    """A second of a test picture; to a file, since some containers are written back and forth."""
    source = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1", "-threads", "1")
    where = Path(f"/dev/shm/prove-film-{words[-1]}")
    try:
        subprocess.run(
            ("ffmpeg", "-v", "error", "-y", *source, *words, str(where)), check=True, timeout=30
        )
        return where.read_bytes()
    finally:
        where.unlink(missing_ok=True)


def hidden(folder: Path, kind: str, picture: bytes) -> Iterator[Path]:
    """Plant one kind: plain under a harmless name, packed, in text, and within a database."""
    plain = folder / f"{kind}-0001"
    plain.write_bytes(picture)
    yield plain
    yield _made(folder / f"{kind}.log.gz", gzip.compress(picture))
    if kind in _INSIDE:
        text = b"INFO shelflight.vision: the camera is open\n" * 8000
        yield _made(folder / f"{kind}.log", text + picture + text)
        yield _zip(folder / f"{kind}.bin", picture)
        yield _database(folder / f"{kind}.db", picture)
    if kind in ("jpg", "png", "gif", "webp"):
        coded = b'{"v":1,"picture":"' + base64.b64encode(picture) + b'"}'
        yield _made(folder / f"{kind}.json", coded)


# Kinds whose first bytes are long enough to be told from chance in the middle of a file.
_INSIDE = frozenset(
    {
        "jpg", "png", "webp", "gif", "mp4", "mov", "mkv", "webm", "avi", "y4m", "heic", "avif",
        "ppm", "pgm", "jp2", "npy", "npz", "packed.npz", "mjpeg", "asf",
    }
)  # fmt: skip


def _made(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _zip(path: Path, picture: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes.txt", "nothing\n" * 50)
        archive.writestr("frame", picture)
    return path


def _database(path: Path, picture: bytes) -> Path:
    """A row among others, as an outbox has them."""
    database = sqlite3.connect(path)
    with database:
        database.execute("CREATE TABLE rows (position INTEGER PRIMARY KEY, payload BLOB NOT NULL)")
        rows = [(None, b'{"v":1,"windows":[]}' * 50)] * 200
        database.executemany("INSERT INTO rows VALUES (?, ?)", [*rows, (None, picture), *rows])
    database.close()
    return path
