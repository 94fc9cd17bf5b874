"""How do lines of events get onto a topic: keyed, paced by their own times, moved to another time on request?"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Literal

import msgspec
from aiokafka.errors import MessageSizeTooLargeError

from detectors.instants import SECOND, parse_instant
from streams.kafka.clients import ClientFactory, Producer

__all__ = ["Produced", "Sink", "TopicSink", "key_of", "produce", "shift_line"]

#: Takes (key, value, the clock's ms); says whether the record can be sent at all.
Sink = Callable[[bytes | None, bytes, int], Awaitable[bool]]

#: Shorter waits are not worth the timer.
_LEAST_WAIT = 2
#: Without pacing, others get their turn after so many lines.
_TURN = 500
#: A producer waits this long for more records to send with the first.
_LINGER_MS = 5
#: The topic's own limit is the broker's to enforce; this one only bounds memory.
_MOST_BYTES = 8 << 20


class Produced(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the lines.

    Attributes:
        sent: records sent, malformed ones among them.
        malformed: lines without a readable ``occurred_at``; sent as they are, for the reader to reject.
        too_large: lines that are larger than a producer may send; not sent.
        shifted_by: ms that the times were moved by.
    """

    sent: int
    malformed: int
    too_large: int
    shifted_by: int


class _Glance(msgspec.Struct, gc=False):
    """The fields that matter here, whatever their types."""

    event_id: Any = None
    flow_id: Any = None
    occurred_at: Any = None

    @property
    def key(self) -> bytes | None:
        for value in (self.flow_id, self.event_id):
            if isinstance(value, str) and value:
                return value.encode()
        return None

    @property
    def instant(self) -> int | None:
        """``occurred_at`` in ms, None where it cannot be read."""
        try:
            return parse_instant(self.occurred_at) if isinstance(self.occurred_at, str) else None
        except ValueError:
            return None


_DECODER = msgspec.json.Decoder(_Glance)
_NOTHING = _Glance()


def _glance(line: bytes) -> _Glance:
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _NOTHING


def key_of(line: bytes) -> bytes | None:
    """The record key of an event line: its ``flow_id``, else its ``event_id``, else None.

    All copies of an event so come to one partition.
    """
    return _glance(line).key


_PLAIN = re.compile(rb'"occurred_at"\s*:\s*"([^"\\]*)"')
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_COLON = re.compile(rb"\s*:\s*")
_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)


def shift_line(line: bytes, by_ms: int) -> bytes:
    """The line with its ``occurred_at`` moved by ``by_ms``, every other byte as it was.

    The instant keeps its offset from UTC and its digits below the millisecond. A line without a readable
    ``occurred_at``, or whose new one lies outside the years 1 to 9999, is returned as it is.
    """
    span = _span(line)
    if span is None:
        return line
    try:
        text = msgspec.json.decode(b'"' + line[span[0] : span[1]] + b'"', type=str)
        moved = _move(text, by_ms)
    except (msgspec.MsgspecError, ValueError, OverflowError):
        return line
    return line[: span[0]] + moved.encode() + line[span[1] :]


def _span(line: bytes) -> tuple[int, int] | None:
    """Where the text of the top level's last ``occurred_at`` stands (duplicate keys: the last wins)."""
    if line.count(b"{") == 1 and line.count(b'"occurred_at"') == 1:
        plain = _PLAIN.search(line)
        if plain is not None:
            return plain.span(1)
    found: tuple[int, int] | None = None
    depth = 0
    for token in _TOKEN.finditer(line):
        text = token[0]
        if text in b"{[":
            depth += 1
        elif text in b"}]":
            depth -= 1
        elif depth == 1 and (colon := _COLON.match(line, token.end())) and _is_key(text):
            value = _TOKEN.match(line, colon.end())
            is_text = value is not None and value[0].startswith(b'"')
            found = (value.start() + 1, value.end() - 1) if value is not None and is_text else None
    return found


def _is_key(token: bytes) -> bool:
    try:
        return token == b'"occurred_at"' or bool(msgspec.json.decode(token) == "occurred_at")
    except (msgspec.MsgspecError, ValueError):
        return False


def _move(text: str, by_ms: int) -> str:
    """An RFC 3339 instant, moved, in the same form.

    Raises:
        ValueError, OverflowError: it is none, or cannot be moved that far.
    """
    parse_instant(text)  # refuses what only looks like one
    match = _INSTANT.fullmatch(text)
    assert match is not None
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    digits = match[7] or ""
    millis = int((digits + "000")[:3])
    moved = datetime(year, month, day, hour, minute, second) + timedelta(milliseconds=millis + by_ms)
    rest = moved.microsecond // 1000
    fraction = f"{rest:03d}"
    if len(digits) < 3:
        # As many digits as it had, unless that would lose something.
        short = fraction[: len(digits)]
        fraction = short if int((short + "000")[:3]) == rest else fraction
    fraction += digits[3:]
    day_and_time = moved.replace(microsecond=0).isoformat()
    return f"{day_and_time}{'.' if fraction else ''}{fraction}{match[8]}"


async def produce(
    lines: Iterable[bytes],
    clock: Callable[[], int],
    sink: Sink,
    speed: float | None = None,
    rebase: int | Literal["now"] | None = None,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Produced:
    """Send every line that is not blank, in the order given.

    Args:
        lines: events as JSON, without line ends.
        clock: ms since the epoch.
        sink: takes the records, e.g. a ``TopicSink``.
        speed: events leave as far apart as their ``occurred_at`` are, ``speed`` times as fast; None: at once.
        rebase: ms since the epoch that the first readable ``occurred_at`` is moved to, the others with it; "now"
            is when it is sent, None leaves them.
        sleep: waits for so many seconds of the clock.

    Raises:
        ValueError: ``speed`` is not above 0.
    """
    if speed is not None and not speed > 0:
        raise ValueError("a speed is a number above 0")
    sent = malformed = too_large = shift = 0
    first: int | None = None
    began = clock()
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        glance = _glance(line)
        instant = glance.instant
        if instant is None:
            malformed += 1
        else:
            if first is None:
                first = instant
                began = clock()
                if rebase is not None:
                    shift = (began if rebase == "now" else rebase) - instant
            if speed is not None:
                wait = began + (instant - first) / speed - clock()
                if wait >= _LEAST_WAIT:
                    await sleep(wait / SECOND)
            if shift:
                line = shift_line(line, shift)
        if await sink(glance.key, line, clock()):
            sent += 1
        else:
            too_large += 1
        if number % _TURN == 0:
            await asyncio.sleep(0)
    return Produced(sent=sent, malformed=malformed, too_large=too_large, shifted_by=shift)


class TopicSink:
    """A sink that is a Kafka topic: an asynchronous context, whose end waits for all acknowledgements.

    Args:
        topic: name.
        clients: makes the producer.

    Raises:
        KafkaError: no broker answers, or it refused a record (on a later record, or at the end).
    """

    def __init__(self, topic: str, clients: ClientFactory) -> None:
        self._topic = topic
        self._clients = clients
        self._producer: Producer | None = None
        self._failure: BaseException | None = None

    async def __aenter__(self) -> TopicSink:
        producer = self._clients.producer(linger_ms=_LINGER_MS, max_request_size=_MOST_BYTES)
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer
        return self

    async def __call__(self, key: bytes | None, value: bytes, timestamp_ms: int) -> bool:
        assert self._producer is not None, "use it as an asynchronous context"
        self._raise_failure()
        try:
            future = await self._producer.send(self._topic, value=value, key=key, timestamp_ms=timestamp_ms)
        except MessageSizeTooLargeError:
            return False
        future.add_done_callback(self._note)
        return True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()
        if kind is None:
            self._raise_failure()

    def _note(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is not None and self._failure is None:
            self._failure = future.exception()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
