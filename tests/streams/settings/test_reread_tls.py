"""Certificates that are renewed on disk are those of the next connection, in both directions."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog

from streams.settings.kafka_security import BrokerSecurity, UnusableCertificate
from streams.settings.settings import read_settings

PREFIX = "WATCHOFFICER_BROKER_SECURITY__"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with first.pem and second.pem: each a certificate for 127.0.0.1, its own authority, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command, to make certificates")
    folder = tmp_path_factory.mktemp("tls")
    for name in ("first", "second"):
        key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
        make = [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        make += ["-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        make += ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run(make, check=True, capture_output=True)
        (folder / f"{name}.pem").write_text(key.read_text() + certificate.read_text())
    return folder


class Broker:
    """The broker's side of TLS: it asks clients for their certificate, and tells whose each was."""

    def __init__(self, certificates: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates / "first.pem")
        for name in ("first.pem", "second.pem"):
            self.context.load_verify_locations(certificates / name)
        self.context.verify_mode = ssl.CERT_REQUIRED

    def connected(self, context: ssl.SSLContext) -> str:
        """Return who a client with the context is, once both have greeted each other, as event loops let them.

        Raises:
            ssl.SSLError: one of them does not trust the other.
        """
        to_client, to_broker = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(to_client, to_broker, server_hostname="127.0.0.1")
        broker = self.context.wrap_bio(to_broker, to_client, server_side=True)
        for side in (client, broker) * 3:
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
        shown: Any = broker.getpeercert()
        return str(dict(part[0] for part in shown["subject"])["commonName"])


def test_a_renewed_certificate_and_a_renewed_authority_serve_the_next_connection(
    certificates: Path, tmp_path: Path
) -> None:
    ca, cert = tmp_path / "ca.pem", tmp_path / "client.pem"
    shutil.copy(certificates / "first.pem", ca)
    shutil.copy(certificates / "first.pem", cert)
    files = {"CA_FILE": str(ca), "CERT_FILE": str(cert), "KEY_FILE": str(cert)}
    environ = {"WATCHOFFICER_BROKER": "127.0.0.1:9093", PREFIX + "PROTOCOL": "SSL"}
    settings = read_settings(environ | {PREFIX + name: file for name, file in files.items()})
    context = settings.kafka_client_kwargs()["ssl_context"]
    broker = Broker(certificates)
    assert broker.connected(context) == "first"
    with structlog.testing.capture_logs() as logs:
        cert.write_text("half a certificate")  # renewed in two steps: what was read last serves meanwhile
        assert broker.connected(context) == "first"
    assert [line["event"] for line in logs] == ["renewed_certificate_unusable"]
    shutil.copy(certificates / "second.pem", cert)
    assert broker.connected(context) == "second"
    shutil.copy(certificates / "second.pem", ca)  # from now on the client trusts another authority
    with pytest.raises(ssl.SSLCertVerificationError):
        broker.connected(context)


def test_files_that_cannot_be_used_at_the_start_are_refused(certificates: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "ca.pem"
    nothing.write_text("nothing")
    with pytest.raises(UnusableCertificate, match="ca_file"):
        BrokerSecurity(protocol="SSL", ca_file=nothing).ssl_context()
