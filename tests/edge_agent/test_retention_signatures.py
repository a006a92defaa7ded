"""A picture is known by its first bytes, wherever it begins; what is none is left alone."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.retention.signatures import picture_in

PICTURE = np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8)
TEXT = b"INFO shelflight.vision: the camera is open\n" * 50


def encoded(kind):
    picture = PICTURE[..., 0] if kind == ".pgm" else PICTURE
    return cv2.imencode(kind, picture)[1].tobytes()


def saved(save, *args, **arrays):
    file = io.BytesIO()
    save(file, *args, **arrays)
    return file.getvalue()


STILLS = {
    kind: encoded(kind) for kind in (".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm", ".pgm")
}
STILLS[".npy"] = saved(np.save, PICTURE)
STILLS[".npz"] = saved(np.savez, frame=PICTURE)
# The first bytes of films, as their standards say.
FILMS = {
    "mp4": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41",
    "mov": b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf",
    "webm": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm\x42\x87\x81\x04",
    "avi": b"RIFF\x10\x20\0\0AVI LIST\x10\0\0\0hdrl",
    "y4m": b"YUV4MPEG2 W64 H48 F10:1 Ip C420jpeg\nFRAME\n",
    "gif": b"GIF89a\x40\0\x30\0\xf7\0\0",
}
AT_START = {
    "ts": b"".join(b"G" + bytes([i]) * 187 for i in range(5)),
    "mpg": b"\0\0\x01\xba\x44\0\x04\0\x04\x01",
    "h264": b"\0\0\0\x01\x67\x42\xc0\x1e",
    "raw jpeg": b"\xff\xd8\xff\xfe\0\x05abc",
}


@pytest.mark.parametrize("content", [*STILLS.values(), *FILMS.values(), *AT_START.values()])
def test_a_file_that_is_a_picture_or_a_film_is_known(content):
    assert picture_in(content, start=True)


@pytest.mark.parametrize(
    "content", [STILLS[k] for k in STILLS if k not in (".bmp", ".tiff")] + [*FILMS.values()]
)
def test_it_is_known_in_the_middle_of_something_else(content):
    assert picture_in(TEXT + content + TEXT, start=True)
    assert picture_in(TEXT + content + TEXT, start=False)


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp"])
def test_text_that_spells_a_picture_out_is_known(kind):
    spelled = b'{"v":1,"note":"' + base64.b64encode(STILLS[kind]) + b'"}'
    assert picture_in(spelled, start=True).endswith("base64")


@pytest.mark.parametrize("kind", [".jpg", ".bmp", ".npy"])
def test_a_packed_picture_is_known(kind):
    assert picture_in(gzip.compress(STILLS[kind]), start=True).endswith("in gzip")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes.txt", "nothing " * 99)
        archive.writestr("frame", STILLS[kind])
    assert picture_in(packed.getvalue(), start=True).endswith("in zip")


def test_short_signatures_count_only_where_a_file_begins():
    for content in (STILLS[".bmp"], AT_START["ts"], AT_START["h264"]):
        assert picture_in(content, start=False) is None


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a, BMP, P5 and PNG are names of formats; RIFF and ftyp of boxes\n",
        b"BM is how a sentence may begin, and P6 20 years later",
        b"/9j/ is how base64 of a JPEG begins",
        b"SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20",
        b"\x1c\0\0\0TFL3\x14\0\x20\0",
        saved(np.save, np.zeros(7)),
        saved(np.savez, table=np.zeros((500, 4)), row=np.zeros(9000)),
        gzip.compress(TEXT),
        b"PK\x03\x04\x14\0\0\0\x08\0 cut off",
        b"",
    ],
)  # fmt: skip
def test_what_only_looks_a_little_like_one_is_none(content):
    assert picture_in(content, start=True) is None


@given(st.binary(max_size=4000))
def test_any_bytes_at_all_can_be_looked_at(content):
    picture_in(content, start=True)
    picture_in(b"PK\x03\x04\x14\0\0\0\x08\0" + content, start=False)


def test_chance_is_taken_for_no_picture():
    chance = np.random.default_rng(5)
    assert [picture_in(chance.bytes(1 << 20), start=False) for _ in range(8)] == [None] * 8
