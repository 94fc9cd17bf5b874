"""What becomes of a record on one of our own topics that cannot be read?

It is named in the log (topic, partition, offset, why), copied to ``watchofficer.quarantine`` and passed by, unless a
verdict would be another without it: then the worker does not start. docs/exactness.md has the rule for each topic, and
docs/upgrading.md the form of each topic's records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import structlog
from aiokafka import TopicPartition

from detectors.bounds import cut
from detectors.errors import WatchofficerError
from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import Topics
from streams.segments.codec import FormatError, NewerVersion

__all__ = ["OwnRecords", "Reading", "Record", "Stored", "Unread", "Unreadable"]

log = structlog.get_logger(__name__)

#: What a decoder may raise over bytes that are no record of its topic.
_NO_RECORD = (
    FormatError,
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)
#: The latest form of JSON records that is read: 1 but for ``sli-history``. Binary records tell theirs themselves.
_JSON_FORM, _OF_HISTORY = 1, 2
_KEPT_BYTES = 64 * 1024  # of a value, in quarantine
_WHY_BYTES = 500
_T = TypeVar("_T")


class Unreadable(WatchofficerError):
    """A record that decides verdicts cannot be read. The message is one line and says what to do."""


class Record(Protocol):
    """What is asked of a record."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Stored(NamedTuple):
    """A record of which offset, key and value are known."""

    offset: int
    key: bytes | None
    value: bytes | None


class Unread(NamedTuple):
    """A record that cannot be read.

    Attributes:
        place: its topic and partition.
        newer: whether a newer version of this program wrote it.
    """

    place: TopicPartition
    offset: int
    key: bytes | None
    why: str
    newer: bool

    @property
    def name(self) -> str:
        """The key, as far as it is text."""
        return (self.key or b"").decode("utf-8", "replace")


class _Form(msgspec.Struct):
    """The form of a JSON record, under either name; one that says none is of a form that can be read."""

    v: int = 0
    schema_version: int = 0


def _refuse_newer(value: bytes, known: int) -> None:
    """Refuse a JSON record of a later form than ``known``.

    Raises:
        NewerVersion: a newer version of this program wrote it.
        ValueError: it is not JSON (``msgspec.MsgspecError`` is a ValueError where it comes from a decoder).
    """
    if value.startswith(b"{"):
        said = msgspec.json.decode(value, type=_Form)
        form = max(said.v, said.schema_version)
        if form > known:
            raise NewerVersion(f"the record has form {form}, this program reads {known}")


class OwnRecords:
    """What is done with unreadable records, for all readers of a worker.

    Args:
        topics: the names of the topics.
        put: writes records some time later, without waiting (``AsideWriter.put``).
    """

    def __init__(
        self, topics: Topics, put: Callable[[Sequence[ProducerRecord]], object] = lambda records: None
    ) -> None:
        self._topics = topics
        self._put = put
        self._seen: dict[tuple[TopicPartition, int], None] = {}

    def reading(self, topic: str, partition: int) -> Reading:
        """Begin to read a partition of one of our topics."""
        known = _OF_HISTORY if topic == self._topics.history else _JSON_FORM
        return Reading(self, TopicPartition(topic, partition), known)

    def pass_by(self, unread: Unread, value: bytes | None) -> None:
        """Name an unreadable record and copy it to the quarantine, once for each start."""
        place, at = unread.place, (unread.place, unread.offset)
        if at in self._seen:
            return
        self._seen[at] = None
        if len(self._seen) > 10_000:
            del self._seen[next(iter(self._seen))]
        log.error(
            "unreadable_record",
            topic=place.topic,
            partition=place.partition,
            offset=unread.offset,
            key=cut(unread.name, _WHY_BYTES),
            why=unread.why,
            copied_to=self._topics.quarantine,
        )
        self._put([self.quarantined(place, unread.offset, value, unread.why)])

    def quarantined(
        self, place: TopicPartition, offset: int, value: bytes | None, why: str
    ) -> ProducerRecord:
        """The copy of a record for the quarantine; of a long value its beginning, with its length in a header."""
        headers = [
            ("topic", place.topic.encode()),
            ("partition", str(place.partition).encode()),
            ("offset", str(offset).encode()),
            ("why", cut(why, _WHY_BYTES).encode()),
        ]
        if value is not None and len(value) > _KEPT_BYTES:
            headers.append(("truncated", str(len(value)).encode()))
            value = value[:_KEPT_BYTES]
        key = f"{place.topic}/{place.partition}/{offset}".encode()
        return ProducerRecord(self._topics.quarantine, key, value, None, headers)


class Reading:
    """The reading of one partition. Later records of a key take the place of earlier ones, unreadable ones too.

    Args:
        own: names and copies what cannot be read.
        place: the topic and partition.
        form: the latest form of a JSON record that can be read.
    """

    def __init__(self, own: OwnRecords, place: TopicPartition, form: int) -> None:
        self._own = own
        self._place = place
        self._form = form
        self._unread: dict[bytes | None, Unread] = {}

    def take(self, record: Record, decode: Callable[[bytes], _T]) -> _T | None:
        """The decoded value of the next record; None for a record without a value, or that cannot be read."""
        value = record.value
        if value is None:
            self._unread.pop(record.key, None)
            return None
        try:
            _refuse_newer(value, self._form)
            found = decode(value)
        except _NO_RECORD as error:
            why = cut(f"{type(error).__name__}: {' '.join(str(error).split())}", _WHY_BYTES)
            unread = Unread(self._place, record.offset, record.key, why, isinstance(error, NewerVersion))
            self._unread[record.key] = unread
            self._own.pass_by(unread, value)
            return None
        self._unread.pop(record.key, None)
        return found

    def unread(self) -> tuple[Unread, ...]:
        """The records that cannot be read, and that no later record of their key has replaced."""
        return tuple(self._unread.values())

    def refuse(self, decides: Callable[[str], bool] = lambda key: False) -> None:
        """Refuse to go on without a record that decides verdicts, or that a newer version wrote; forget the others.

        Args:
            decides: whether a record with this key decides verdicts; none does by default.

        Raises:
            Unreadable: there is such a record.
        """
        for one in self._unread.values():
            if one.newer or decides(one.name):
                raise _refusal(one)
        self._unread.clear()


def _refusal(one: Unread) -> Unreadable:
    """The exception that names a record and says what to do."""
    topic, partition = one.place.topic, one.place.partition
    named = f"{topic}, partition {partition}, offset {one.offset} (key {cut(one.name, 200)})"
    if one.newer:
        return Unreadable(
            f"{named} was written by a newer version of watchofficer: run that version, or give the deployment "
            "a new WATCHOFFICER_TOPIC_PREFIX"
        )
    return Unreadable(
        f"{named} cannot be read ({one.why}), and verdicts depend on it. Write it again, or go on without it by a "
        f"record without a value: printf '%s:' '{cut(one.name, 200)}' | "
        f"kcat -P -b BROKER -t {topic} -p {partition} -K: -Z"
    )
