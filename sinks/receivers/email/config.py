"""What does e-mail need, how much does a relay accept, and which mail is pointless?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator

from detectors.incidents import Command
from detectors.policy.types import Fault
from sinks.configuration import Port, ReadableFile, Secret
from sinks.receivers.answers import SinkClient
from sinks.receivers.contract import Fate, Means, Pace, ReceiverSettings
from sinks.receivers.named import by_name

__all__ = ["EmailSettings"]

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
#: The most addresses of one list.
_MOST = 100


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _list(value: str) -> str:
    found = _addresses(value)
    if not 1 <= len(found) <= _MOST or not all(_ADDRESS.fullmatch(one) for one in found):
        raise ValueError(f"must be 1 to {_MOST} addresses with commas: a@example.gov, b@example.gov")
    return value


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("must be an address such as watch@example.gov")
    return value


def _lists(value: str) -> str:
    for one in by_name(value).values():
        if not isinstance(one, str):
            raise ValueError(
                'must give each name its addresses: {"leadership": "a@example.gov, b@example.gov"}'
            )
        _list(one)
    return value


def _host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}", value):
        raise ValueError("must be the host of a relay, such as smtp.example.gov")
    return value


class EmailSettings(ReceiverSettings):
    """``WATCHOFFICER_EMAIL__...``. ``sender`` is the address that mails come from, ``to`` the list of ``email``.

    ``lists`` is a JSON object of further lists: ``{"leadership": "a@example.gov, b@example.gov"}`` is
    ``email:leadership`` in the policy's routes.
    """

    host: Annotated[str, AfterValidator(_host)] | None = None
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: Secret | None = None
    sender: Annotated[str, AfterValidator(_address)] | None = None
    to: Annotated[str, AfterValidator(_list)] | None = None
    lists: Annotated[str, AfterValidator(_lists)] | None = None
    ca_file: ReadableFile | None = None

    title: ClassVar[str] = "E-mail"
    needed: ClassVar[tuple[str, ...]] = ("host", "sender", "to")
    # Relays limit connections, not mails: a mail is a connection.
    pace: ClassVar[Pace] = Pace(per_minute=60, burst=10, concurrency=2)

    def faults(self) -> Iterator[Fault]:
        if (self.user is None) != (self.password is None):
            yield Fault(("user",), "must be set together with the password")
        if self.security == "none" and self.password is not None:
            yield Fault(("security",), "must be starttls or tls, as a password would be sent in the clear")

    def client(self, means: Means) -> SinkClient:
        """The client of one list."""
        from sinks.receivers.email.client import Email  # reading settings needs no SMTP

        assert self.host is not None
        assert self.sender is not None
        assert self.to is not None
        return Email(
            host=self.host,
            port=self.port,
            security=self.security,
            user=self.user,
            password=self.password,
            sender=self.sender,
            to=_addresses(self.to),
            ca_file=str(self.ca_file) if self.ca_file is not None else None,
            names=means.names,
            clock=means.clock,
            picture=means.picture,
        )

    def named(self) -> Mapping[str, Self]:
        """The further lists, by name: the same relay, other people."""
        if self.lists is None:
            return {}
        return {
            name: self.model_copy(update={"to": to, "lists": None})
            for name, to in by_name(self.lists).items()
        }

    @classmethod
    def overtaken(cls, command: Command, later: Sequence[Command]) -> Fate | None:
        """A routine mail is superseded by any later one, and any but the first by the mail that it is over."""
        if command.kind == "update":
            return "superseded" if later else None
        if command.action == "update" and any(other.action == "resolve" for other in later):
            return "superseded"
        return None
