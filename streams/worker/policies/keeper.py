"""Which policy does a worker put in force, and when: that of its file, at its start and whenever the file changes?

Whoever notices a new policy first records it on the topic `policy`, with a T that no worker can have judged yet; all
workers read it there (``streams.evaluate.policies.book``). A worker whose file is older than the last record does not
record it: another worker, or an operator, knows better.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError

from detectors.instants import SECOND, format_instant
from detectors.policy.policy import Policy, PolicyError
from streams.evaluate.policies.book import PolicyBook
from streams.kafka.producer import ProducerRecord
from streams.records.policies import NOTICE, encode_policy, policy_key, policy_record
from streams.settings.policy_file import PolicyFile
from streams.worker.policies.restart_keys import restart_changes

__all__ = ["PolicyKeeper", "Write"]

log = structlog.get_logger(__name__)

#: A record has so long to reach the broker, ms; beyond that it comes too late, and another one is written.
_TO_WRITE = 25 * SECOND
#: A policy is put in force at a multiple of this, ms.
_AT_MULTIPLES = 10 * SECOND
_ATTEMPTS = 3
_LOOK_EVERY = 2.0  # seconds, at the file


class Write(Protocol):
    """Writes a record once, and returns when the broker has acknowledged it."""

    async def __call__(self, record: ProducerRecord) -> None: ...


class PolicyKeeper:
    """Records the policy of a worker's file, where it is new.

    Args:
        file: where the policy stands.
        policy: what ``file.load`` returned last.
        book: what the topic `policy` says.
        topic: its name.
        write: writes a record.
        time: the broker's time, ms since the epoch.
        name: of the worker.
        records: whether this worker records policies; others only read them.
        force: whether the file counts though it is older than the last record.
        on_change: called with the policy that is in force, whenever that is another one.

    Attributes:
        book: what the topic says.
        in_force: the policy that is in force, as it was told last; that of the file before the topic is read.
    """

    def __init__(
        self,
        file: PolicyFile,
        policy: Policy,
        book: PolicyBook,
        *,
        topic: str,
        write: Write,
        time: Callable[[], int],
        name: str,
        records: bool = True,
        force: bool = False,
        on_change: Callable[[Policy], None] = lambda policy: None,
    ) -> None:
        self._file = file
        self._policy = policy
        self.book = book
        self._topic = topic
        self._write = write
        self._time = time
        self._name = name
        self._records = records
        self._force = force
        self._on_change = on_change
        self._seen = file.loaded
        self.in_force = policy
        self._asked = asyncio.Event()
        self._begun = asyncio.Event()

    @property
    def newest(self) -> Policy:
        """The policy that judges from some T on; that of the file before the topic is read."""
        last = self.book.schedule.last
        return self._policy if last is None else last.policy()

    def reload(self) -> None:
        """Look at the file now, whether or not it seems to have changed."""
        self._asked.set()

    async def begin(self) -> None:
        """Read the topic, and record the policy of the file if it is new; only the first call does so.

        Raises:
            Unreadable: this build cannot use what the topic says.
            KafkaError, OSError: the topic cannot be read or written.
        """
        if self._begun.is_set():
            return
        await self.book.read()
        last = self.book.schedule.last
        if self._records and (last is None or (last.hash != self._policy.hash and not self._is_older())):
            await self._record(self._policy)
        self._begun.set()
        self._show()

    def _is_older(self) -> bool:
        """Whether the policy of the file is older than the last record; says so."""
        if self._force:
            return False
        version, recorded = self._seen, self.book.schedule.recorded
        # The policy that ships has no time: it is older where it was recorded before.
        taken_at = self.book.schedule.taken_at
        older = self._policy.hash in recorded if version is None else version.modified < taken_at
        if older:
            last = self.book.schedule.last
            log.warning(
                "policy_file_is_older",
                file=str(self._file.path or "the policy that ships"),
                policy=self._policy.hash,
                judged_by=None if last is None else last.hash,
                recorded_at=format_instant(self.book.schedule.taken_at),
                remedy="the recorded policy stays in force; --policy-force puts that of the file in its place",
            )
        return older

    async def follow(self) -> None:
        """Put what changes in the file in force once ``begin`` has ended, until cancelled."""
        await self._begun.wait()
        while True:
            try:
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._asked.wait()
            except TimeoutError:
                pass
            try:
                await self.look()
            except (KafkaError, OSError) as error:
                log.warning("policy_not_recorded", error=repr(error), retry_in_seconds=_LOOK_EVERY)
                self._asked.set()
                await asyncio.sleep(_LOOK_EVERY)

    async def look(self) -> None:
        """Read the file again if it has changed, or if ``reload`` was called, and record its policy.

        Raises:
            KafkaError, OSError: the topic cannot be read or written; to be called again after ``reload``.
        """
        asked, version = self._asked.is_set(), self._file.version()
        if not self._records:
            await self.book.settled(self._time())
        elif asked or (version is not None and version != self._seen):
            self._asked.clear()
            policy = await asyncio.to_thread(self._readable)  # which takes a while
            if policy is not None:
                await self.book.read()
                await self._replace(policy)
            self._seen = version
        self._show()

    def _readable(self) -> Policy | None:
        """The policy of the file; None, and every problem said, where it cannot be used."""
        try:
            return self._file.load()
        except PolicyError as error:
            problems = [str(one) for one in error.errors]
            log.error("policy_refused", problems=problems, consequence=f"{self.newest.hash} stays in force")
            return None

    async def _replace(self, policy: Policy) -> None:
        before = self.newest
        if policy.hash == before.hash:
            log.info("policy_unchanged", policy=policy.hash)
        elif changed := restart_changes(before, policy):
            log.error(
                "policy_refused",
                problems=[f"{key}: takes effect at the next start of the workers alone" for key in changed],
                consequence=f"{before.hash} stays in force",
            )
        else:
            await self._record(policy)

    async def _record(self, policy: Policy) -> None:
        """Record a policy from a T that nobody can have judged yet.

        Raises:
            KafkaError, OSError: the broker does not take it, or only too late.
        """
        for _ in range(_ATTEMPTS):
            since = self._time() + NOTICE + _TO_WRITE
            every = -(-_AT_MULTIPLES // policy.step) * policy.step
            record = policy_record(policy, since + -since % every, self._name)
            await self._write(ProducerRecord(self._topic, policy_key(record), encode_policy(record), 0))
            await self.book.read()
            last = self.book.schedule.last
            if last is not None and last.hash == policy.hash:
                return
        raise TimeoutError("the broker took each record of the policy too late")

    def _show(self) -> None:
        """Tell of the policy that is in force now, if it is another one."""
        if self.book.schedule.last is None:
            return
        now = self.book.schedule.at(self._time())
        if now.hash != self.in_force.hash:
            self.in_force = now.policy()
            self._on_change(self.in_force)
