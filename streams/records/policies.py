"""Which policy judges which T, as the topic `policy` has it?

A record of the topic holds a whole policy and the T from which it is in force. A T is judged by the last record, in the
order of the log, that is in force at it; the first record judges what lies before it as well. So which policy judges
a T follows from the log alone, for every worker, whenever that worker reads it.

That holds only if a record stands on the log well before any worker may judge its T. So a record that the broker took
less than ``NOTICE`` before its T is not in force: its writer was held up, and writes another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib.metadata import version

import msgspec

from detectors.instants import FAR_PAST, SECOND, format_instant, parse_instant
from detectors.policy.policy import Policy, PolicyError
from streams.records.reading import Unreadable
from streams.segments.codec import NewerVersion
from streams.settings.policy_file import read_policy

__all__ = [
    "NOTICE",
    "InForce",
    "PolicyRecord",
    "PolicySchedule",
    "decode_policy",
    "encode_policy",
    "last_before",
    "policy_key",
    "policy_record",
    "schedule_of",
]

#: A record is in force only if the broker took it so long before its T, ms.
NOTICE = 20 * SECOND

_VERSION = 1
_KEPT = 8  # policies that are kept parsed


class PolicyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of `policy`.

    Attributes:
        v: the version of this form.
        since: the T from which the policy is in force, RFC 3339; ``from`` in the record.
        hash: of the policy, as ``Policy.hash`` of the build that wrote it.
        text: the whole policy as JSON, with the values that its file left out.
        by: the worker that wrote the record.
        version: of the build that wrote the record.
    """

    v: int = _VERSION
    since: str = msgspec.field(name="from")
    hash: str
    text: str
    by: str = ""
    version: str = ""

    @property
    def since_ms(self) -> int:
        """The T from which the policy is in force, ms."""
        return parse_instant(self.since)


def policy_record(policy: Policy, since: int, by: str) -> PolicyRecord:
    """The record of a policy that a worker named ``by`` puts in force from ``since`` (T, ms)."""
    return PolicyRecord(
        since=format_instant(since),
        hash=policy.hash,
        text=policy.canonical(),
        by=by,
        version=version("watchofficer"),
    )


def policy_key(record: PolicyRecord) -> bytes:
    """The key of a record: no two changes have one, so that compaction keeps all of them."""
    return f"{record.since}/{record.hash}".encode()


def encode_policy(record: PolicyRecord) -> bytes:
    """The value of a record: JSON."""
    return msgspec.json.encode(record)


def decode_policy(value: bytes) -> PolicyRecord:
    """The record that ``encode_policy`` wrote. Its policy is not read yet.

    Raises:
        NewerVersion: a newer version of this program wrote it.
        ValueError: it is no such record.
    """
    record = msgspec.json.decode(value, type=PolicyRecord)
    if record.v > _VERSION:
        raise NewerVersion(f"a policy has version {record.v}, this program reads {_VERSION}")
    parse_instant(record.since)
    return record


@lru_cache(maxsize=_KEPT)
def _policy_of(record: PolicyRecord) -> Policy:
    """Read the policy of a record.

    Raises:
        Unreadable: this build cannot use it.
    """
    try:
        return read_policy(record.text, f"the policy from {record.since}")
    except PolicyError as error:
        raise Unreadable(
            f"{error.errors[0]}: version {record.version or 'unknown'} recorded this policy on the topic policy, and "
            f"version {version('watchofficer')} cannot judge by it: run that version, or put a record without a value "
            f"under the key {policy_key(record).decode()}"
        ) from None


def _itself(policy: Policy) -> Policy:
    return policy


@dataclass(frozen=True)
class InForce:
    """A policy, and from when on it judges.

    Attributes:
        since: the first T that it judges, ms; ``FAR_PAST`` of the first.
        hash: as it was recorded.
        policy: returns the policy, or raises ``Unreadable``.
        key: of the record.
    """

    since: int
    hash: str
    policy: Callable[[], Policy]
    key: bytes = b""


class PolicySchedule:
    """Which policy judges which T; it begins empty.

    Args:
        known: a policy that is read already: a record of it is not read anew.

    Attributes:
        taken_at: when the broker took the last record that is in force, ms; ``FAR_PAST`` before one.
        recorded: the hashes of all policies that were recorded.
    """

    def __init__(self, known: Policy | None = None) -> None:
        self._known = known
        self.taken_at = FAR_PAST
        self.recorded: set[str] = set()
        self._entries: list[InForce] = []

    def take(self, record: PolicyRecord, stamp: int | None) -> bool:
        """Take the next record of the log.

        Args:
            record: the record.
            stamp: when the broker took it, ms; None where that is not known, and the record is believed.

        Returns:
            whether it is in force: False for one that came too late.
        """
        since = record.since_ms
        if self._entries and stamp is not None and since - stamp < NOTICE:
            return False
        self.recorded.add(record.hash)
        self.taken_at = since if stamp is None else stamp
        if not self._entries:
            self._put(FAR_PAST, record)
            return True
        while len(self._entries) > 1 and self._entries[-1].since >= since:
            self._entries.pop()
        if self._entries[-1].hash != record.hash:
            self._put(since, record)
        return True

    def _put(self, since: int, record: PolicyRecord) -> None:
        known = self._known
        read: Callable[[], Policy] = partial(_policy_of, record)
        if known is not None and known.hash == record.hash:
            read = partial(_itself, known)
        self._entries.append(InForce(since, record.hash, read, policy_key(record)))

    def drop(self, key: bytes) -> None:
        """Take a record back: an operator has put a record without a value in its place, as nobody can use it."""
        kept = [one for one in self._entries if one.key != key]
        if kept and kept[0].since != FAR_PAST:
            kept[0] = replace(kept[0], since=FAR_PAST)
        self._entries = kept

    def at(self, at: int) -> InForce:
        """The policy that judges a T (ms).

        Raises:
            LookupError: no policy is recorded.
        """
        for one in reversed(self._entries):
            if one.since <= at:
                return one
        raise LookupError("no policy is recorded")

    def next_change(self, after: int) -> int | None:
        """The first T (ms) behind ``after`` (ms) from which another policy judges; None where there is none."""
        return next((one.since for one in self._entries if one.since > after), None)

    @property
    def last(self) -> InForce | None:
        """The policy that judges from some T on; None where none is recorded."""
        return self._entries[-1] if self._entries else None


def schedule_of(policy: Policy) -> PolicySchedule:
    """The schedule of a policy that judges every T."""
    schedule = PolicySchedule()
    schedule._entries.append(InForce(FAR_PAST, policy.hash, lambda: policy))
    return schedule


def last_before(change: int, step: int) -> int:
    """The last T before a change of the policy; both in ms.

    Args:
        change: the instant from which another policy is in force.
        step: the distance of two T.
    """
    return (change - 1) // step * step
