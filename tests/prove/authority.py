"""Certificates as a shop's own authority gives them, made by the openssl program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

# What `openssl ca` needs to be told; each purpose is a section of extensions.
_SETTINGS = """\
[ca]
default_ca = shop
[shop]
dir = {folder}
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
organizationName = optional
organizationalUnitName = optional
commonName = optional
localityName = optional
[req]
distinguished_name = nobody
[nobody]
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key."""

    cert: Path
    key: Path


def openssl(*words: str | Path) -> str:
    """Run the program; what it printed."""
    command = ["openssl", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Authority:
    """Signs and revokes.

    Args:
        folder: of its own, made here.
        name: its CN.
        signer: whose certificate and key it signs with; None = an authority's own, made here.
    """

    def __init__(self, folder: Path, name: str = "shop", signer: Identity | None = None) -> None:
        folder.mkdir()
        self._folder = folder
        self._settings = folder / "settings"
        self._settings.write_text(_SETTINGS.format(folder=folder))
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n")
        (folder / "crlnumber").write_text("1000\n")
        self.ca = folder / "ca.pem"
        if signer is None:
            key = self._key("ca")
            openssl("req", "-x509", "-new", "-key", key, "-out", self.ca, "-days", "30",
                    "-subj", f"/CN={name}", "-config", self._settings,
                    "-extensions", "authority")  # fmt: skip
        else:
            self.ca.write_bytes(signer.cert.read_bytes())
            (folder / "ca.key").write_bytes(signer.key.read_bytes())

    def issue(
        self,
        name: str,
        subject: str,
        hosts: str = "",
        start: str | None = None,
        end: str | None = None,
    ) -> Identity:
        """A certificate.

        Args:
            name: of its files.
            subject: as openssl writes one, /O=tenant/OU=store/CN=unit.
            hosts: a broker's names, e.g. DNS:broker.example,IP:127.0.0.1; none = a client's.
            start, end: YYYYMMDDHHMMSSZ; left out = from now for 30 days.
        """
        identity = Identity(self._folder / f"{name}.pem", self._key(name))
        asked = self._folder / f"{name}.csr"
        names = ("-addext", f"subjectAltName={hosts}") if hosts else ()
        openssl("req", "-new", "-utf8", "-key", identity.key, "-out", asked, "-subj", subject,
                "-config", self._settings, *names)  # fmt: skip
        dates = [*(("-startdate", start) if start else ()), *(("-enddate", end) if end else ())]
        openssl("ca", "-batch", "-notext", "-preserveDN", "-config", self._settings, "-in", asked,
                "-out", identity.cert, "-extensions", "server" if hosts else "client",
                *dates)  # fmt: skip
        return identity

    def self_signed(self, name: str, subject: str) -> Identity:
        """A certificate that nobody but its holder signed."""
        identity = Identity(self._folder / f"{name}.pem", self._key(name))
        openssl("req", "-x509", "-new", "-key", identity.key, "-out", identity.cert, "-days", "30",
                "-subj", subject, "-config", self._settings, "-extensions", "client")  # fmt: skip
        return identity

    def revoke(self, *identities: Identity) -> Path:
        """Revoke certificates; the list of all that are revoked."""
        for identity in identities:
            openssl("ca", "-config", self._settings, "-revoke", identity.cert)
        crl = self._folder / "revoked.crl"
        openssl("ca", "-config", self._settings, "-gencrl", "-out", crl)
        return crl

    def _key(self, name: str) -> Path:
        key = self._folder / f"{name}.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        key.chmod(0o600)
        return key
