"""Who may say and hear what at the broker: mosquitto's files, from a list of units.

Who somebody is stands in the subject of their certificate and nowhere else: O is a unit's tenant,
OU its store, CN its id; a sink has a CN alone. mosquitto writes such a subject as
``CN=shelf-0042,OU=store-1,O=demo`` and takes it for user and client id. X.509 allows 64 letters to
each of the three, as a name has, so that none is ever cut or hashed; and no name may hold what
stands between them, so that no two units share a subject.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cloud_sink.errors import UsageError
from cloud_sink.schema import LEAVES
from edge_agent.records import MAX_PAYLOAD_BYTES, is_name, topic

CONFIGURATION, ACCESS_LIST = "mosquitto.conf", "access.acl"
# Its owner writes, the broker's group reads.
_MODE = 0o640
# Topic and properties beside a payload.
_OVERHEAD_BYTES = 1024
_HEADER = "# Written by `python -m cloud_sink access`; changes here are lost with the next run.\n"


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """One unit, as its topics and its certificate name it."""

    tenant: str
    store: str
    id: str

    @property
    def subject(self) -> str:
        """What its certificate says, as mosquitto reads it."""
        return f"CN={self.id},OU={self.store},O={self.tenant}"


@dataclass(frozen=True, slots=True)
class Files:
    """PEM files of the broker: who signs certificates, its own, and which are revoked."""

    ca: Path
    cert: Path
    key: Path
    crl: Path | None = None


def read_units(path: Path) -> tuple[Unit, ...]:
    """A list of units: TENANT/STORE/UNIT a line, ``#`` begins a comment.

    Raises:
        UsageError: every line that names no unit, or one that was named before.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--units {path}: cannot be read: {error}") from None
    units: set[Unit] = set()
    mistakes: list[str] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        names = text.split("/")
        if not text:
            continue
        if len(names) != 3 or not all(map(is_name, names)):
            mistakes.append(f"line {number}: {text!r} is no TENANT/STORE/UNIT (see --help)")
        elif Unit(*names) in units:
            mistakes.append(f"line {number}: {text} stands here twice")
        else:
            units.add(Unit(*names))
    if mistakes:
        raise UsageError("\n  ".join([f"--units {path}:", *mistakes]))
    return tuple(sorted(units))


def access_list(units: Iterable[Unit], sinks: Iterable[str]) -> str:
    """Who may publish and read what; what is not listed is denied."""
    parts = [_HEADER]
    for sink in sinks:
        reads = [f"topic read {topic('+', '+', '+', leaf)}" for leaf in LEAVES]
        parts.append("\n".join([f"user CN={sink}", *reads, f"topic write {_acks()}", ""]))
    for unit in units:
        writes = [f"topic write {_topic(unit, leaf)}" for leaf in LEAVES]
        parts.append(
            "\n".join([f"user {unit.subject}", *writes, f"topic read {_topic(unit, 'cmd/#')}", ""])
        )
    return "\n".join(parts)


def configuration(files: Files, listen: str, state: Path, acl: Path) -> str:
    """The broker's own file: one listener, with TLS, for those who show a certificate.

    Args:
        files: of the broker.
        listen: PORT, or HOST:PORT for one address of the machine.
        state: the folder in which the broker keeps sessions and what waits for them.
        acl: where the access list lies.

    Raises:
        UsageError: `listen` is neither.
    """
    host, _, port = listen.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"--listen {listen}: write PORT or HOST:PORT, e.g. 8883")
    revoked = [f"crlfile {files.crl.absolute()}"] if files.crl else []
    lines = [
        _HEADER,
        f"listener {port} {host.removeprefix('[').removesuffix(']')}".rstrip(),
        f"cafile {files.ca.absolute()}",
        f"certfile {files.cert.absolute()}",
        f"keyfile {files.key.absolute()}",
        *revoked,
        "require_certificate true",
        "# Who it is says the certificate; what the client says of itself counts for nothing.",
        "use_subject_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
        f"acl_file {acl.absolute()}",
        "",
        f"max_packet_size {MAX_PAYLOAD_BYTES + _OVERHEAD_BYTES}",
        "max_inflight_messages 1000",
        "max_queued_messages 100000",
        "persistence true",
        f"persistence_location {state.absolute()}/",
        "",
    ]
    return "\n".join(lines)


def write(
    units: Iterable[Unit], sinks: Iterable[str], files: Files, listen: str, state: Path, out: Path
) -> None:
    """Put both files into the folder, each in one step: a broker that reads now gets a whole one.

    Raises:
        UsageError: an argument that no broker could work with; nothing was written then.
    """
    wrong = [sink for sink in sinks if not is_name(sink)]
    if wrong:
        raise UsageError(f"--sink {wrong[0]}: is no name (letters, digits, '_', '-' and '.')")
    _check(files)
    acl = out / ACCESS_LIST
    texts = {acl: access_list(units, sinks)}
    texts[out / CONFIGURATION] = configuration(files, listen, state, acl)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            _replace(path, text)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written: {error}") from None


def _check(files: Files) -> None:
    """Refuse what mosquitto would only refuse at its next start."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _tried("--ca", files.ca, lambda: context.load_verify_locations(files.ca))
    # A key with a passphrase would keep the broker waiting for somebody to type it.
    pair = (files.cert, files.key, "")
    _tried("--cert, --key", files.key, lambda: context.load_cert_chain(*pair))
    if files.crl is not None:
        crl = files.crl
        _tried("--crl", crl, lambda: context.load_verify_locations(crl))
    if stat.S_IMODE(files.key.stat().st_mode) & stat.S_IRWXO:
        raise UsageError(f"--key {files.key}: others may read it; chmod o= {files.key}")


def _tried(option: str, file: Path, load: Callable[[], None]) -> None:
    try:
        load()
    except (OSError, ValueError) as error:  # ssl's errors are the former
        raise UsageError(f"{option} {file}: {error}") from None


def _topic(unit: Unit, leaf: str) -> str:
    return topic(unit.tenant, unit.store, unit.id, leaf)


def _acks() -> str:
    return topic("+", "+", "+", "cmd/ack")


def _replace(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    number = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    with open(number, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(aside, path)
