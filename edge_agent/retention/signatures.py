"""Knows a picture or a film by its first bytes, wherever in a file they begin.

Two tables. Long signatures are looked for at every place of a file, so that a picture inside a
database, a log or an archive is found; each has a literal, which is quick to find, and a pattern,
which a model's weights do not fit by chance (40 bits and more). Short ones would, and count only
where a file begins. What is packed (gzip, zip) is unpacked a little; base64 has signatures too.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from itertools import pairwise

# Enough for every pattern: two parts of a file overlap by so many bytes.
OVERLAP = 512
_UNPACKED = 64 * 1024
# Sides of an array that may be a picture, pixels.
_SIDE = 16
_ANY_BYTE = re.DOTALL


def _pattern(text: bytes) -> Callable[[bytes, int], bool]:
    compiled = re.compile(text, _ANY_BYTE)
    return lambda data, at: compiled.match(data, at) is not None


_ARRAY = re.compile(
    rb"\x93NUMPY[\x01-\x03]\0.{2,4}?\{'descr': '[^']{1,9}', 'fortran_order': \w{4,5}, "
    rb"'shape': \(([\d, ]*)\)",
    _ANY_BYTE,
)


def _picture_array(data: bytes, at: int) -> bool:
    """Whether an array of NumPy's has two neighbouring sides as a picture has."""
    found = _ARRAY.match(data, at)
    if found is None:
        return False
    sides = [int(side) for side in found[1].replace(b" ", b"").split(b",") if side]
    return any(min(pair) >= _SIDE for pair in pairwise(sides))


_BASE64 = rb"[A-Za-z0-9+/]"
# Kind, literal, where in the signature the literal stands, whether the bytes there are one.
_ANYWHERE: tuple[tuple[str, bytes, int, Callable[[bytes, int], bool]], ...] = (
    (
        "JPEG", b"\xff\xd8\xff", 0,
        _pattern(
            rb"\xff\xd8\xff(?:\xe0..(?:JFIF|JFXX|AVI1)|\xe1..(?:Exif\0|http:)|\xe2..ICC_P"
            rb"|\xee\0\x0eAdobe|\xdb\0[\x43\x84\xc5][\0\x10]|\xc4\0.\0\0[\0-\x05][\0-\x05]"
            rb"|\xc0\0[\x0b\x11]\x08)"
        ),
    ),
    ("PNG", b"\x89PNG\r\n\x1a\n", 0, _pattern(b"")),
    ("GIF", b"GIF8", 0, _pattern(rb"GIF8[79]a.{4}[\x80-\xff]")),
    ("WebP or AVI", b"RIFF", 0, _pattern(rb"RIFF....(?:WEBPVP8|AVI LIST)")),
    (
        "MP4, MOV, HEIC or AVIF", b"ftyp", 4,
        _pattern(
            rb"\0\0[\0-\x02].ftyp(?:isom|iso[2-9]|mp4[12]|avc1|M4V |MSNV|dash|qt  |3g[p2]."
            rb"|hei[cfmsx]|hev[cx]|mif1|msf1|avi[fs]|crx )"
        ),
    ),
    ("JPEG 2000", b"jP  \r\n\x87\n", 0, _pattern(b"")),
    ("JPEG XL", b"JXL \r\n\x87\n", 0, _pattern(b"")),
    (
        "Matroska or WebM", b"\x1a\x45\xdf\xa3", 0,
        _pattern(rb"\x1a\x45\xdf\xa3.{1,60}?\x42\x82.(?:matroska|webm)"),
    ),
    ("ASF", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, _pattern(b"")),
    ("Y4M", b"YUV4MPEG2 ", 0, _pattern(rb"YUV4MPEG2 [WHFIACX]")),
    ("PNM", b"P5", 0, _pattern(rb"P5\s(?:#[^\n]*\n)*\d{1,5}\s\d{1,5}\s\d{1,5}\s")),
    ("PNM", b"P6", 0, _pattern(rb"P6\s(?:#[^\n]*\n)*\d{1,5}\s\d{1,5}\s\d{1,5}\s")),
    ("NumPy", b"\x93NUMPY", 0, _picture_array),
    ("JPEG in base64", b"/9j/", 0, _pattern(rb"/9j/" + _BASE64 + rb"{40}")),
    ("PNG in base64", b"iVBORw0KGgo", 0, _pattern(b"")),
    ("GIF in base64", b"R0lGOD", 0, _pattern(rb"R0lGOD(?:lh|dh)" + _BASE64 + rb"{8}")),
    ("WebP in base64", b"UklGR", 0, _pattern(rb"UklGR" + _BASE64 + rb"{7}RUJQ")),
)  # fmt: skip

# Only where a file begins.
_START: tuple[tuple[str, Callable[[bytes, int], bool]], ...] = (
    ("JPEG", _pattern(rb"\xff\xd8\xff[\xc0-\xfe]")),
    ("GIF", _pattern(rb"GIF8[79]a.{6}\0")),
    (
        "BMP",
        _pattern(rb"BM.{4}\0{4}.[\0-\x04]\0\0[\x0c\x28\x34\x38\x40\x6c\x7c]\0{3}"),
    ),
    ("TIFF", _pattern(rb"(?:II[*+]\0|MM\0[*+])(?!\0{4})")),
    ("MPEG-TS", _pattern(rb"G(?:.{187}G){4}|.{4}G(?:.{191}G){4}")),
    ("MPEG-PS", _pattern(rb"\0\0\x01\xba[\x21\x31\x44-\x7f]")),
    ("MPEG video", _pattern(rb"\0\0\x01\xb3.{3}[\x11-\x48]")),
    (
        "H.264 or H.265",
        _pattern(rb"\0\0\0?\x01(?:[\x27\x47\x67][\x42\x4d\x58\x64\x7a\xf4]|\x40\x01\x0c)"),
    ),
    ("PNM", _pattern(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*\d{1,5}\s+\d{1,5}\s|P7\nWIDTH ")),
    ("QOI", _pattern(rb"qoif")),
    ("PSD", _pattern(rb"8BPS\0\x01")),
    ("OpenEXR", _pattern(rb"v/1\x01")),
    ("Radiance", _pattern(rb"#\?RADIANCE")),
    ("IVF", _pattern(rb"DKIF\0\0")),
    ("FLV", _pattern(rb"FLV\x01[\x01\x05]")),
    ("Ogg video", _pattern(rb"OggS.{24}.{1,4}?\x80theora")),
)
_GZIP = b"\x1f\x8b\x08"
_ZIP = re.compile(rb"PK\x03\x04[\x0a-\x3f]\0..\x08\0.{16}(..)(..)", _ANY_BYTE)


def picture_in(data: bytes, start: bool) -> str | None:
    """The kind of the first picture or film that begins in a part of a file; None = there is none.

    Args:
        data: the part.
        start: the file begins with it.
    """
    return _plain(data, start) or _packed(data, start)


def _plain(data: bytes, start: bool) -> str | None:
    if start:
        for kind, fits in _START:
            if fits(data, 0):
                return kind
    for kind, literal, place, fits in _ANYWHERE:
        at = data.find(literal)
        while at >= 0:
            if at >= place and fits(data, at - place):
                return kind
            at = data.find(literal, at + 1)
    return None


def _packed(data: bytes, start: bool) -> str | None:
    if start and data.startswith(_GZIP):
        kind = _plain(_unpacked(data, 0, zlib.MAX_WBITS | 16), start=True)
        if kind is not None:
            return f"{kind} in gzip"
    for member in _ZIP.finditer(data):
        names = int.from_bytes(member[1], "little") + int.from_bytes(member[2], "little")
        kind = _plain(_unpacked(data, member.end() + names, -zlib.MAX_WBITS), start=True)
        if kind is not None:
            return f"{kind} in zip"
    return None


def _unpacked(data: bytes, at: int, bits: int) -> bytes:
    """The beginning of a packed stream; nothing where it is none."""
    try:
        return zlib.decompressobj(bits).decompress(data[at : at + _UNPACKED], _UNPACKED)
    except zlib.error:
        return b""
