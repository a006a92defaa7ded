"""Pulls against a real server on this machine, with its troubles."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge_agent.errors import ModelError
from edge_agent.manifest import ModelEntry, files, load
from models.pull import Outcome, Patience, PullError, pull

CONTENT = bytes(range(256)) * 1200
# What a server that breaks off has sent by then.
HALF = 150_000


@dataclass
class Behaviour:
    """What the server does; it notes what it was asked."""

    content: bytes = CONTENT
    ranges: bool = True
    always_partial: bool = False  # says 206, and serves from the start
    breaks_off: int = 0  # so many answers end after HALF bytes
    statuses: list[int] = field(default_factory=list)  # said before anything is served
    asked: list[str | None] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_GET(self):
        does = self.behaviour
        asked = self.headers.get("Range")
        does.asked.append(asked)
        if does.statuses:
            self.send_error(does.statuses.pop(0))
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", asked).group(1)) if asked and does.ranges else 0
        self.send_response(206 if start or does.always_partial else 200)
        self.send_header("Content-Length", str(len(does.content) - start))
        if start or does.always_partial:
            last = len(does.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        self.end_headers()
        body = does.content[start:]
        if does.breaks_off:
            does.breaks_off -= 1
            body = body[:HALF]
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


@pytest.fixture
def server() -> Iterator[tuple[Behaviour, str]]:
    behaviour = Behaviour()
    handler = type("Handler", (Handler,), {"behaviour": behaviour})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield behaviour, f"http://127.0.0.1:{httpd.server_port}/model.onnx"
        httpd.shutdown()
        thread.join()


@pytest.fixture
def waited() -> list[float]:
    return []


@pytest.fixture
def patience(waited) -> Patience:
    return Patience(timeout_s=5, pauses_s=(1, 3), sleep=waited.append)


@pytest.fixture
def entry(server) -> ModelEntry:
    digest = hashlib.sha256(CONTENT).hexdigest()
    known = load().get("yolox-nano")
    return replace(known, file="m.onnx", size=len(CONTENT), sha256=digest, url=server[1])


def nobody(_done: int) -> None:
    """A progress bar that nobody watches."""


def lying_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_model_is_downloaded_checked_and_put_in_place(tmp_path, entry, patience):
    told: list[int] = []
    folder = tmp_path / "new" / "models"
    assert pull(entry, folder, None, told.append, patience) is Outcome.FETCHED
    assert (folder / "m.onnx").read_bytes() == CONTENT
    assert lying_in(folder) == ["m.onnx"]
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)


def test_what_is_there_and_right_is_not_fetched_again(tmp_path, entry, server, patience):
    (tmp_path / "m.onnx").write_bytes(CONTENT)
    assert pull(entry, tmp_path, None, nobody, patience) is Outcome.PRESENT
    assert server[0].asked == []


def test_what_is_there_and_wrong_is_replaced(tmp_path, entry, patience):
    (tmp_path / "m.onnx").write_bytes(b"something else")
    assert pull(entry, tmp_path, None, nobody, patience) is Outcome.FETCHED
    assert (tmp_path / "m.onnx").read_bytes() == CONTENT


def test_a_model_that_is_made_here_is_not_pulled_and_the_message_says_how_it_is_made(tmp_path):
    with pytest.raises(PullError, match=r"made here; run: python -m models quantize yolox-nano$"):
        pull(load().get("yolox-nano-int8"), tmp_path, None, nobody)
    assert lying_in(tmp_path) == []


def test_a_built_in_model_needs_no_pull_and_a_damaged_one_is_told(tmp_path, entry, monkeypatch):
    monkeypatch.setattr(files, "PACKAGE", tmp_path)
    built_in = replace(entry, built_in=True, url=None)
    with pytest.raises(ModelError, match="it is built in"):
        pull(built_in, tmp_path, None, nobody)
    (tmp_path / "built_in").mkdir()
    (tmp_path / "built_in" / "m.onnx").write_bytes(CONTENT)
    assert pull(built_in, tmp_path, None, nobody) is Outcome.BUILT_IN
    assert lying_in(tmp_path) == ["built_in"]


def test_a_download_that_breaks_off_goes_on_where_it_was(tmp_path, entry, server, patience, waited):
    server[0].breaks_off = 1
    assert pull(entry, tmp_path, None, nobody, patience) is Outcome.FETCHED
    assert server[0].asked == [None, f"bytes={HALF}-"]
    assert waited == [1]
    assert (tmp_path / "m.onnx").read_bytes() == CONTENT


def test_a_server_that_keeps_dying_is_given_up_and_the_next_pull_goes_on(
    tmp_path, entry, server, waited
):
    server[0].breaks_off = 1
    once = Patience(timeout_s=5, pauses_s=(), sleep=waited.append)
    with pytest.raises(PullError, match=r"broke off after 150000 of 307200 .* --from FOLDER"):
        pull(entry, tmp_path, None, nobody, once)
    assert lying_in(tmp_path) == ["m.onnx.part"]
    assert waited == []
    assert pull(entry, tmp_path, None, nobody, once) is Outcome.FETCHED
    assert server[0].asked[-1] == f"bytes={HALF}-"
    assert lying_in(tmp_path) == ["m.onnx"]


def test_a_server_that_ignores_ranges_is_read_from_the_start(tmp_path, entry, server, patience):
    server[0].ranges = False
    (tmp_path / "m.onnx.part").write_bytes(CONTENT[:1000])
    assert pull(entry, tmp_path, None, nobody, patience) is Outcome.FETCHED
    assert server[0].asked == ["bytes=1000-"]
    assert (tmp_path / "m.onnx").read_bytes() == CONTENT


def test_a_server_that_goes_on_elsewhere_is_read_from_the_start(tmp_path, entry, server, patience):
    server[0].ranges, server[0].always_partial = False, True
    (tmp_path / "m.onnx.part").write_bytes(CONTENT[:1000])
    assert pull(entry, tmp_path, None, nobody, patience) is Outcome.FETCHED
    assert (tmp_path / "m.onnx").read_bytes() == CONTENT


def test_a_part_that_the_server_cannot_go_on_with_is_begun_again(tmp_path, entry, server, patience):
    server[0].statuses = [416]
    (tmp_path / "m.onnx.part").write_bytes(CONTENT[:1000])
    assert pull(entry, tmp_path, None, nobody, patience) is Outcome.FETCHED
    assert server[0].asked == ["bytes=1000-", None]


def test_a_part_that_is_too_long_is_begun_again(tmp_path, entry, server, patience):
    (tmp_path / "m.onnx.part").write_bytes(CONTENT + b"more")
    assert pull(entry, tmp_path, None, nobody, patience) is Outcome.FETCHED
    assert server[0].asked == [None]


@pytest.mark.parametrize("change", [b"\x01" + CONTENT[1:], CONTENT + b"more"])
def test_another_file_upstream_is_refused_and_nothing_is_left(
    tmp_path, entry, server, patience, change
):
    server[0].content = change
    with pytest.raises(PullError) as caught:
        pull(entry, tmp_path, None, nobody, patience)
    assert "refused" in str(caught.value)
    assert entry.sha256[:12] in str(caught.value)
    assert lying_in(tmp_path) == []


def test_a_wrong_half_download_is_refused_and_does_not_stick(tmp_path, entry, patience):
    (tmp_path / "m.onnx.part").write_bytes(b"x" * 1000)
    with pytest.raises(PullError, match="refused"):
        pull(entry, tmp_path, None, nobody, patience)
    assert pull(entry, tmp_path, None, nobody, patience) is Outcome.FETCHED


def test_a_refusal_leaves_an_older_file_alone(tmp_path, entry, server, patience):
    server[0].content = b"x" * len(CONTENT)
    (tmp_path / "m.onnx").write_bytes(b"older")
    with pytest.raises(PullError, match="refused"):
        pull(entry, tmp_path, None, nobody, patience)
    assert lying_in(tmp_path) == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_bytes() == b"older"


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(
    tmp_path, entry, server, patience, waited
):
    server[0].statuses = [503, 500]
    assert pull(entry, tmp_path, None, nobody, patience) is Outcome.FETCHED
    assert waited == [1, 3]
    (tmp_path / "m.onnx").unlink()
    server[0].statuses = [404]
    with pytest.raises(PullError, match=r"answered 404 .*--from FOLDER"):
        pull(entry, tmp_path, None, nobody, patience)
    assert waited == [1, 3]


def test_without_a_network_the_error_says_how_to_do_without(tmp_path, entry, waited):
    """Port 9 (discard) of this machine is shut."""
    away = replace(entry, url="http://127.0.0.1:9/model.onnx")
    with pytest.raises(PullError, match=r"no connection .*--from FOLDER yolox-nano"):
        pull(away, tmp_path, None, nobody, Patience(5, (1, 3), waited.append))
    assert waited == [1, 3]
    assert lying_in(tmp_path) == []


def test_a_mirror_folder_is_copied_and_stays(tmp_path, entry, server):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "m.onnx").write_bytes(CONTENT)
    folder = tmp_path / "models"
    assert pull(entry, folder, mirror, nobody) is Outcome.FETCHED
    assert lying_in(folder) == lying_in(mirror) == ["m.onnx"]
    assert server[0].asked == []


def test_a_mirror_without_the_file_or_with_another_is_refused(tmp_path, entry):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    folder = tmp_path / "models"
    with pytest.raises(PullError, match=r"has no m\.onnx"):
        pull(entry, folder, mirror, nobody)
    (mirror / "m.onnx").write_bytes(CONTENT[:-1])
    with pytest.raises(PullError, match="refused"):
        pull(entry, folder, mirror, nobody)
    assert lying_in(folder) == []
    assert lying_in(mirror) == ["m.onnx"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path, entry, patience):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PullError, match=r"SHELFLIGHT_MODELS"):
        pull(entry, tmp_path / "file" / "models", None, nobody, patience)
