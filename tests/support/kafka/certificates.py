"""Which certificates does a broker of the tests show? Good ones and bad ones, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Certificates", "make_certificates"]

_HERE = "IP:127.0.0.1,DNS:localhost"
#: As drawing a key of RSA takes a second or more.
_KEY = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


@dataclass(frozen=True)
class Certificates:
    """Files in PEM form. Each of the last four holds a private key and its certificate.

    Attributes:
        authority: the certificate of the authority that clients are to trust.
        good: for 127.0.0.1 and localhost, by that authority, in force for a day.
        expired: for 127.0.0.1 and localhost, by that authority, expired since yesterday.
        foreign: for 127.0.0.1 and localhost, in force, by an authority that no client trusts.
        misnamed: by the authority, in force, for another host.
    """

    authority: Path
    good: Path
    expired: Path
    foreign: Path
    misnamed: Path


def make_certificates(folder: Path) -> Certificates:
    """Make the certificates as files in a folder, which takes a part of a second.

    Raises:
        subprocess.CalledProcessError: openssl refuses.
        FileNotFoundError: openssl is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    authority, stranger = _authority(folder, "authority"), _authority(folder, "stranger")
    return Certificates(
        authority=authority,
        good=_certificate(folder, "good", authority, 1, _HERE),
        expired=_certificate(folder, "expired", authority, -1, _HERE),
        foreign=_certificate(folder, "foreign", stranger, 1, _HERE),
        misnamed=_certificate(folder, "misnamed", authority, 1, "DNS:elsewhere.test"),
    )


def _authority(folder: Path, name: str) -> Path:
    certificate = folder / f"{name}.pem"
    key = folder / f"{name}.key"
    _openssl("req", "-x509", "-newkey", *_KEY, "-nodes", "-days", "2", "-subj", f"/CN={name} of the tests",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign",
             "-keyout", str(key), "-out", str(certificate))  # fmt: skip
    return certificate


def _certificate(folder: Path, name: str, authority: Path, days: int, names: str) -> Path:
    key, request, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    extensions = folder / f"{name}.ext"
    extensions.write_text(
        f"subjectAltName={names}\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    )
    _openssl(
        "req",
        "-newkey",
        *_KEY,
        "-nodes",
        "-subj",
        f"/CN={name}",
        "-keyout",
        str(key),
        "-out",
        str(request),
    )
    _openssl("x509", "-req", "-in", str(request), "-CA", str(authority), "-CAkey", str(authority.with_suffix(".key")),
             "-CAcreateserial", "-days", str(days), "-extfile", str(extensions), "-out", str(certificate))  # fmt: skip
    both = folder / f"{name}.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return both


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, stdin=subprocess.DEVNULL)
