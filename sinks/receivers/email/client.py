"""How is a mail handed to a relay, and what do its answers mean? SMTP submission, with TLS before any password.

250 after the data means that the relay has the mail; that is all it can say. Codes 4xx are tried again, 5xx are
refused. The whole conversation has one deadline, after which its connection is cut.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from email.message import EmailMessage
from typing import Literal

from pydantic import SecretStr

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Delivered, Receipts, Refused, Retry, without_secrets
from sinks.receivers.email.wording import render
from sinks.receivers.story import plain
from sinks.wording import UNNAMED, ScopeNames

__all__ = ["DEADLINE", "Email", "Security"]

#: The longest that a mail may take, seconds.
DEADLINE = 10.0
#: ``starttls``: the connection must turn to TLS; ``tls``: it begins with TLS; ``none``: for a relay on this machine.
Security = Literal["starttls", "tls", "none"]


class Email:
    """Sends each command as one mail to a list of people, through one relay.

    Args:
        host, port: the relay.
        security: how the connection is secured; without it, nothing is sent.
        user, password: for the relay, if it asks.
        sender: the address that mails come from.
        to: the addresses of the list.
        ca_file: certificates that the relay's is checked by, beside those of the machine; None for these alone.
        names: what people call the values of scopes.
        clock: ms since the epoch.
        picture: the chart of a command's incident, as PNG, which mails show; None: they show none.
        deadline: seconds that one mail may take.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: Security = "starttls",
        user: str | None = None,
        password: SecretStr | None = None,
        sender: str,
        to: Sequence[str],
        ca_file: str | None = None,
        names: ScopeNames = UNNAMED,
        clock: Callable[[], int],
        picture: Callable[[Command], Awaitable[bytes | None]] | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        self._host, self._port, self._security = host, port, security
        self._user, self._password = user, password
        self._sender, self._to = sender, tuple(to)
        self._ca_file = ca_file
        self._names = names
        self._clock = clock
        self._picture = picture
        self._deadline = deadline

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Deliver one command. A repeat after a lost answer has the same Message-ID, and readers show it once."""
        picture = await self._picture(command) if self._picture is not None else None
        mail = render(
            command, sender=self._sender, to=self._to, now=self._clock(), names=self._names, picture=picture
        )
        conversation = _Conversation(self._talk, mail)
        task = asyncio.get_running_loop().run_in_executor(None, conversation.run)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._deadline)
        finally:
            if not task.done():
                conversation.cut()
        if not done:
            return Retry(None, f"no answer of the relay within {self._deadline:g} s", kind="no_answer")
        return task.result()

    def _talk(self, mail: EmailMessage, keep: Callable[[smtplib.SMTP], None]) -> Answer:
        """Hand one mail to the relay; every failure is a return value. ``keep`` takes the connection, to be cut."""
        try:
            with self._connect(keep) as relay:
                if self._user is not None and self._password is not None:
                    relay.login(self._user, self._password.get_secret_value())
                left_out = relay.send_message(mail, self._sender, self._to)
            receipt = {"message_id": str(mail["Message-ID"])}
            return Delivered({**receipt, "refused_addresses": str(len(left_out))} if left_out else receipt)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            return self._said(min(codes), f"the relay takes none of the {len(codes)} addresses")
        except smtplib.SMTPResponseException as error:
            text = (
                error.smtp_error.decode("utf-8", "replace")
                if isinstance(error.smtp_error, bytes)
                else error.smtp_error
            )
            return self._said(error.smtp_code, text)
        except smtplib.SMTPNotSupportedError:
            return Refused(
                "the relay does not offer what is asked of it: STARTTLS, a password, or addresses beyond ASCII"
            )
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return _unanswered(error)

    def _connect(self, keep: Callable[[smtplib.SMTP], None]) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=None)
        if self._ca_file is not None:
            context.load_verify_locations(self._ca_file)
        domain = self._sender.rpartition("@")[2]
        if self._security == "tls":
            relay: smtplib.SMTP = smtplib.SMTP_SSL(
                timeout=self._deadline, local_hostname=domain, context=context
            )
        else:
            relay = smtplib.SMTP(timeout=self._deadline, local_hostname=domain)
        keep(relay)
        relay._host = self._host  # type: ignore[attr-defined]  # what the certificate is checked against
        try:
            relay.connect(self._host, self._port)
            if self._security == "starttls":
                relay.starttls(context=context)
        except BaseException:
            relay.close()
            raise
        return relay

    def _said(self, code: int, text: str) -> Retry | Refused:
        secrets = (self._password,) if self._password is not None else ()
        why = f"SMTP {code}: {plain(without_secrets(text, secrets), 300)}"
        if code == 535:
            return Refused(f"the relay does not take the password ({why})")
        return Refused(why) if code >= 500 else Retry(None, why)


class _Conversation:
    """One exchange with the relay on a thread, whose connection another thread can cut."""

    def __init__(
        self, talk: Callable[[EmailMessage, Callable[[smtplib.SMTP], None]], Answer], mail: EmailMessage
    ) -> None:
        self._talk = talk
        self._mail = mail
        self._relay: smtplib.SMTP | None = None
        self._cut = False

    def run(self) -> Answer:
        return self._talk(self._mail, self._keep)

    def _keep(self, relay: smtplib.SMTP) -> None:
        if self._cut:
            raise TimeoutError
        self._relay = relay

    def cut(self) -> None:
        """End the exchange: what waits for the relay fails at once."""
        self._cut = True
        sock = self._relay.sock if self._relay is not None else None
        if isinstance(sock, socket.socket):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _unanswered(error: Exception) -> Retry | Refused:
    """What it means that the relay gave no answer, by the type of the error alone."""
    name = type(error).__name__
    if isinstance(error, socket.gaierror):
        return Retry(None, f"the name of the relay is not known: {name}", kind="dns")
    if isinstance(error, ssl.SSLError):
        return Retry(None, f"no TLS with the relay: {name}", kind="tls")
    if isinstance(error, TimeoutError):
        return Retry(None, f"no answer of the relay in time: {name}", kind="no_answer")
    if isinstance(error, ConnectionRefusedError):
        return Retry(None, f"the relay takes no connection: {name}", kind="connect")
    if isinstance(error, ValueError):
        return Refused(f"the mail cannot be made with these settings: {name}")
    return Retry(None, f"the relay broke off: {name}", kind="no_answer")
