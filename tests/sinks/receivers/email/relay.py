"""A mail relay on loopback: aiosmtpd, with STARTTLS and a password, which keeps what it takes and says no on demand."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

__all__ = ["Certificate", "Relay", "certificate", "serving"]


@dataclass(frozen=True)
class Certificate:
    """A certificate of ``localhost``, signed by itself, and its key."""

    file: Path
    key: Path


def certificate(folder: Path) -> Certificate:
    """Make one in a folder."""
    made = Certificate(folder / "relay.crt", folder / "relay.key")
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-keyout", str(made.key), "-out", str(made.file), "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    return made


@dataclass
class Relay:
    """What a relay has taken.

    Attributes:
        mails: the mails, as their readers get them.
        raw: the same as bytes.
        recipients: of each mail.
        encrypted: whether each mail came over TLS.
        answers: what is said to the next mails after their data, instead of 250.
        refused: addresses that are refused, with the answer.
        silent: whether the relay takes the data and never answers.
    """

    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    port: int = 0

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.silent:
            await asyncio.Event().wait()
        if self.answers:
            return self.answers.pop(0)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.raw.append(envelope.content)
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"


@asynccontextmanager
async def serving(
    relay: Relay, made: Certificate | None, *, password: str | None = None, at_once: bool = False
) -> AsyncIterator[Relay]:
    """A relay that listens.

    Args:
        relay: keeps what it takes.
        made: its certificate; None: it offers no TLS.
        password: of the user ``watch``, which it then requires.
        at_once: whether a connection begins with TLS, instead of turning to it.
    """
    context = None
    if made is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(made.file, made.key)

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (
            b"watch",
            (password or "").encode(),
        )
        return AuthResult(success=right, handled=False)

    def protocol() -> SMTP:
        return SMTP(
            relay,
            hostname="relay.example",
            tls_context=None if at_once else context,
            require_starttls=context is not None and not at_once,
            authenticator=authenticate,
            auth_required=password is not None,
            auth_require_tls=not at_once and context is not None,
            data_size_limit=1 << 20,
            enable_SMTPUTF8=True,
        )

    server = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", 0, ssl=context if at_once else None
    )
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
