"""With which certificate does HTTP serve TLS by itself, where no proxy before it does?"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from detectors.policy.types import Fault
from sinks.configuration import Group, ReadableFile
from streams.settings.kafka_security import UnusableCertificate
from streams.settings.reread_tls import RereadContext

__all__ = ["HttpTls"]


class HttpTls(Group):
    """The certificate of HTTP. Without one HTTP is served in the clear.

    Attributes:
        cert_file, key_file: the certificate with those of its issuers, and its key (PEM, not encrypted).
    """

    cert_file: ReadableFile | None = None
    key_file: ReadableFile | None = None

    def faults(self) -> Iterator[Fault]:
        if (self.cert_file is None) != (self.key_file is None):
            missing = "key_file" if self.key_file is None else "cert_file"
            yield Fault((missing,), "must be set: a certificate and its key go together")

    def context(self) -> ssl.SSLContext | None:
        """The TLS context of the server, whose files are read again when they change; None without a certificate.

        Raises:
            UnusableCertificate: the files hold no certificate with its key.
        """
        if self.cert_file is None or self.key_file is None:
            return None
        try:
            return RereadContext(
                partial(_serving, self.cert_file, self.key_file), (self.cert_file, self.key_file)
            )
        except (ValueError, OSError) as error:
            why = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "no PEM pair"
            raise UnusableCertificate(
                "cert_file",
                f"and the key file cannot be used ({why}): name a certificate in PEM form and its key",
            ) from None


def _serving(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's context: TLS 1.2 or newer, by Python's choice of ciphers, and no question asked for a passphrase.

    Raises:
        ValueError, OSError: the files cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key, password=_refuse_to_ask)
    return context


def _refuse_to_ask() -> str:
    raise ValueError("the key is encrypted")
