"""Fetch a model file: from a mirror folder or from upstream, checked before it gets its name."""

from __future__ import annotations

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from edge_agent.errors import ShelflightError
from edge_agent.manifest import ModelEntry, Supply, digest, model_path, verify

_CHUNK = 64 * 1024
_PARTIAL, _BAD_RANGE, _SERVER = 206, 416, 500


class PullError(ShelflightError):
    """A model could not be fetched; the message says what to do."""


class _BrokenOff(Exception):
    """One attempt failed in a way that another may not."""


class Outcome(Enum):
    """How a pull ended well."""

    PRESENT = "is already here"
    FETCHED = "is here now"
    BUILT_IN = "is built in"


@dataclass(frozen=True, slots=True)
class _Upstream:
    """What a pull needs of an entry."""

    name: str
    file: str
    size: int
    sha256: str
    url: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try.

    Args:
        timeout_s: of each wait for the server.
        pauses_s: before each further attempt; there is one attempt more than there are pauses.
        sleep: waits.
    """

    timeout_s: float = 20.0
    pauses_s: tuple[float, ...] = (1.0, 3.0)
    sleep: Callable[[float], None] = time.sleep


def pull(
    entry: ModelEntry,
    directory: Path,
    mirror: Path | None,
    report: Callable[[int], None],
    patience: Patience | None = None,
) -> Outcome:
    """Put the entry's file into the models' folder.

    It is written beside its place as ``FILE.part`` and renamed once its SHA-256 is right. A
    download that breaks off leaves the part for the next pull to go on with.

    Args:
        entry: the model.
        directory: the models' folder, made if need be.
        mirror: a folder that holds the file; None = upstream.
        report: is told the bytes there so far, again and again.
        patience: for upstream.

    Raises:
        PullError: nothing is in place; says what to do.
        ModelError: a built-in file is damaged.
    """
    if entry.supply is Supply.BUILT_IN:
        verify(entry, model_path(entry, directory))
        return Outcome.BUILT_IN
    upstream = _upstream(entry)
    path = model_path(entry, directory)
    part = path.with_name(path.name + ".part")
    try:
        if path.is_file() and digest(path) == entry.sha256:
            return Outcome.PRESENT
        directory.mkdir(parents=True, exist_ok=True)
        if mirror is not None:
            _copy(upstream, mirror, part, report)
        else:
            _download(upstream, part, report, patience or Patience())
        _accept(upstream, part, path, str(mirror / entry.file if mirror else entry.url))
    except OSError as error:
        raise PullError(
            f"{entry.name} cannot be put into {directory}: {error}; mend that or set "
            "SHELFLIGHT_MODELS to another folder"
        ) from error
    return Outcome.FETCHED


def _upstream(entry: ModelEntry) -> _Upstream:
    if entry.size is None or entry.sha256 is None or entry.url is None:
        raise PullError(
            f"{entry.name} is not pulled but made here; run: python -m models quantize "
            f"{entry.made_from}"
        )
    return _Upstream(entry.name, entry.file, entry.size, entry.sha256, entry.url)


def _copy(entry: _Upstream, mirror: Path, part: Path, report: Callable[[int], None]) -> None:
    source = mirror / entry.file
    if not source.is_file():
        raise PullError(f"{entry.name}: {mirror} has no {entry.file}; is it the right folder?")
    with source.open("rb") as stream:
        _append(entry, part, 0, iter(lambda: stream.read(_CHUNK), b""), report)


def _download(
    entry: _Upstream, part: Path, report: Callable[[int], None], patience: Patience
) -> None:
    pauses = iter(patience.pauses_s)
    while True:
        try:
            _attempt(entry, part, report, patience.timeout_s)
            return
        except _BrokenOff as error:
            pause = next(pauses, None)
            if pause is None:
                raise PullError(
                    f"{entry.name}: {entry.url} cannot be fetched: {error}; pull again to go on "
                    f"where it broke off, or put {entry.file} into a folder by other means and "
                    f"run: python -m models pull --from FOLDER {entry.name}"
                ) from error
        patience.sleep(pause)


def _attempt(entry: _Upstream, part: Path, report: Callable[[int], None], timeout_s: float) -> None:
    """One request; goes on with what is in the part if the server can."""
    start = part.stat().st_size if part.is_file() else 0
    if start >= entry.size:
        start = 0
    try:
        with _open(entry, start, timeout_s) as response:
            if response.status != _PARTIAL or not _goes_on(response, start):
                start = 0
            _append(entry, part, start, _body(response), report)
    except urllib.error.HTTPError as error:
        _refused(entry, part, error)
    except urllib.error.URLError as error:
        raise _BrokenOff(f"no connection ({error.reason})") from error
    except http.client.HTTPException as error:
        raise _BrokenOff(f"the server does not speak HTTP ({error!r})") from error
    got = part.stat().st_size
    if got < entry.size:
        raise _BrokenOff(f"the connection broke off after {got} of {entry.size} bytes")


def _open(entry: _Upstream, start: int, timeout_s: float) -> Any:
    opener = urllib.request.build_opener()
    opener.addheaders = [("User-Agent", "shelflight-models")]
    if start:
        opener.addheaders.append(("Range", f"bytes={start}-"))
    try:
        return opener.open(entry.url, timeout=timeout_s)
    except (TimeoutError, ConnectionError) as error:
        raise _BrokenOff(str(error) or type(error).__name__) from error


def _goes_on(response: Any, start: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {start}-")


def _refused(entry: _Upstream, part: Path, error: urllib.error.HTTPError) -> None:
    """Tell an answer that may change from one that will not."""
    error.close()
    if error.code == _BAD_RANGE:
        part.unlink(missing_ok=True)
    if error.code == _BAD_RANGE or error.code >= _SERVER:
        raise _BrokenOff(f"the server answered {error.code} {error.reason}") from error
    raise PullError(
        f"{entry.name}: {entry.url} answered {error.code} {error.reason}; put {entry.file} into a "
        f"folder by other means and run: python -m models pull --from FOLDER {entry.name}"
    ) from error


def _body(response: Any) -> Iterator[bytes]:
    """The answer's bytes; network trouble is told apart from trouble with the disk."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenOff(f"the connection broke off ({error!r})") from error
        if not chunk:
            return
        yield chunk


def _append(
    entry: _Upstream,
    part: Path,
    start: int,
    chunks: Iterator[bytes],
    report: Callable[[int], None],
) -> None:
    """Write chunks from start on; never more than one byte above the entry's size."""
    done = start
    with part.open("r+b" if start else "wb") as stream:
        stream.seek(start)
        for chunk in chunks:
            stream.write(chunk[: entry.size + 1 - done])
            done = min(done + len(chunk), entry.size + 1)
            report(done)
            if done > entry.size:
                break
        stream.flush()
        os.fsync(stream.fileno())


def _accept(entry: _Upstream, part: Path, path: Path, source: str) -> None:
    found = digest(part)
    if found != entry.sha256:
        part.unlink(missing_ok=True)
        raise PullError(
            f"{entry.name}: refused, {source} is not the file that the manifest names: its "
            f"SHA-256 is {found[:12]}…, {entry.sha256[:12]}… is wanted; nothing was put in place"
        )
    part.replace(path)
