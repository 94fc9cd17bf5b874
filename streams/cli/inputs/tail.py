"""How does `watchofficer tail` start, and stop?"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from detectors.policy.policy import Policy
from streams.cli.configuration import configured
from streams.cli.inputs.mapping import account_words, mapping_of
from streams.http.server import AddressTaken
from streams.kafka.topics import Topics
from streams.runtime.leaving import STOP_SECONDS, stop_on_signals
from streams.settings.reread_tls import RereadContext
from streams.settings.settings import Settings
from streams.tail.delivery import Records, as_events, as_they_are, keyed_by_events
from streams.tail.file import FileTail
from streams.tail.http_door import HttpDoor
from streams.tail.position import PositionFile
from streams.tail.service import Parts, Tail
from streams.tail.standard_input import StandardInput
from streams.tail.syslog import ListenError, SyslogDoor

__all__ = ["TailOptions", "tail_command", "tls_of"]

_DOOR = re.compile(
    r"(syslog|syslog\+tls|http)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})/?", re.ASCII
)
_LAST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class TailOptions:
    """What the command line says.

    Attributes:
        source: ``-``, a file, ``syslog://HOST:PORT``, ``syslog+tls://HOST:PORT`` or ``http://HOST:PORT``.
        mapping_name: what makes events of lines; None: lines are login events already, or stay as they are.
        topic: where lines go; None: login events, or with ``raw`` the topic of the mapping.
        raw: lines go out as they are, and the mapping only says which flow a line belongs to.
        position: the file that keeps how far a file was read; None: beside it.
        from_end: a file without a position is read from its end on.
        cert, key, client_ca: of TLS: certificate, key, and whose certificates a client must show.
        whole: a line is a whole message of syslog, with its header.
        policy_file: the policy; None for that of the settings.
    """

    source: str
    mapping_name: str | None = None
    topic: str | None = None
    raw: bool = False
    position: str | None = None
    from_end: bool = False
    cert: str | None = None
    key: str | None = None
    client_ca: str | None = None
    whole: bool = False
    policy_file: str | None = None


def tail_command(options: TailOptions) -> int:
    """Put lines onto a topic until they end or a signal comes; returns the exit status.

    Raises:
        PolicyError, SettingsError: the mapping, the policy or a setting cannot be used.
        UsageError: options do not go together.
    """
    if options.raw and options.mapping_name is None and options.topic is None:
        raise click.UsageError("--raw needs --mapping, whose topic lines then go to, or --topic")
    mapping = mapping_of(options.mapping_name, live=True) if options.mapping_name else None
    settings, policy, _ = configured(os.environ, options.policy_file)
    default = Topics(settings.topic_prefix).login_events
    records: Records = as_they_are
    if mapping is not None and options.raw:
        default, records = mapping.topic, keyed_by_events(mapping)
    elif mapping is not None:
        records = as_events(mapping)
    topic, tls = options.topic or default, tls_of(options)
    try:
        return asyncio.run(_run(settings, policy, options, (topic, records), tls))
    except (AddressTaken, ListenError) as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if mapping is not None:
            print(account_words(mapping.name, mapping.account), file=sys.stderr)


async def _run(
    settings: Settings,
    policy: Policy,
    options: TailOptions,
    onto: tuple[str, Records],
    tls: ssl.SSLContext | None,
) -> int:
    topic, records = onto
    stop = stop_on_signals(late_code=1)
    tail = Tail(settings, policy, topic, records, options.source)
    source = _source(options, settings, tail.parts, tls)
    if isinstance(source, SyslogDoor | HttpDoor):
        await source.start()
        print(f"watchofficer tail: listening on port {source.port}", file=sys.stderr)
    await tail.start()
    try:
        await tail.run(source, stop)
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await tail.stop()
    _say(tail.parts, topic)
    return 0


def _source(
    options: TailOptions, settings: Settings, parts: Parts, tls: ssl.SSLContext | None
) -> FileTail | HttpDoor | StandardInput | SyslogDoor:
    delivery = parts.delivery

    def too_long(count: int) -> None:
        delivery.aside("too long", count)

    if options.source == "-":
        return StandardInput(delivery.deliver, too_long)
    door = _DOOR.fullmatch(options.source)
    if door is None:
        path = Path(options.source)
        kept = Path(options.position) if options.position else path.with_name(f".{path.name}.position")
        return FileTail(
            path,
            PositionFile(kept),
            delivery.deliver,
            parts.progress,
            from_end=options.from_end,
            too_long=too_long,
        )
    host, port = door[2].strip("[]"), int(door[3])
    if door[1] == "http":
        return HttpDoor(
            host, port, delivery.deliver, delivery.aside, token=settings.api_token, report=parts.report
        )
    return SyslogDoor(host, port, delivery.deliver, delivery.aside, tls=tls, whole=options.whole)


def _say(parts: Parts, topic: str) -> None:
    one = parts.delivery
    said = f"{one.sent:,} records of {one.lines:,} lines onto {topic}"
    if one.set_aside:
        said += "; set aside: " + ", ".join(
            f"{why} ({count:,})" for why, count in one.set_aside.most_common()
        )
    print(said, file=sys.stderr)


def tls_of(options: TailOptions) -> ssl.SSLContext | None:
    """Return what a TLS door shows and asks for; None where there is none.

    Raises:
        UsageError: options do not go together, or a file holds no certificate or key.
    """
    door = _DOOR.fullmatch(options.source)
    if door is None and "://" in options.source:
        raise click.UsageError(
            f"{options.source}: a source is -, a file, syslog://HOST:PORT, syslog+tls://HOST:PORT or http://HOST:PORT"
        )
    if door is not None and int(door[3]) > _LAST_PORT:
        raise click.UsageError(f"{options.source}: there is no such port")
    if door is None or door[1] != "syslog+tls":
        if options.cert or options.key or options.client_ca:
            raise click.UsageError("--cert, --key and --client-ca are for syslog+tls")
        return None
    if not options.cert or not options.key:
        raise click.UsageError("syslog+tls needs --cert and --key")
    cert, key, authority = options.cert, options.key, options.client_ca

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(cert, key, password=_no_passphrase)
        if authority:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    try:
        return RereadContext(make, [Path(file) for file in (cert, key, authority) if file])
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--cert, --key, --client-ca: {error}") from None


def _no_passphrase() -> str:
    # Without this, OpenSSL asks for one on the terminal.
    raise ValueError("the key is encrypted; a key without a passphrase is needed")
