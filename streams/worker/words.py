"""How do the other processes learn of what this worker says that the watch is blind?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError

from streams.kafka.producer import ProducerRecord
from streams.records.progress import spoken_headers, spoken_key
from streams.runtime.lease import LeaseLost
from streams.watchdog.peers import EVERY

__all__ = ["Words"]

log = structlog.get_logger(__name__)

_LOOK_EVERY = 1.0  # seconds
_LAST_WORDS_SECONDS = 0.5  # for writing that this worker ends: a supervisor waits for the end


class _Write(Protocol):
    """Writes records (``BatchProducer.write``)."""

    def __call__(self, records: list[ProducerRecord], /, *, attempts: int) -> Awaitable[None]: ...


class Words:
    """Writes to `watch-state` what a worker says: when it changes, and at least each ``EVERY`` seconds.

    Args:
        name: of the worker, unlike that of any other process.
        topic: the name of `watch-state`.
        said: the kinds of blindness that this worker says now.
        monotonic: seconds that never go back.
        sleep: sleeps for seconds.

    Attributes:
        last: whether the worker ends: what is written when ``run`` is cancelled are its last words.
    """

    def __init__(
        self,
        name: str,
        topic: str,
        said: Callable[[], frozenset[str]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._name = name
        self._topic = topic
        self._said = said
        self._monotonic = monotonic
        self._sleep = sleep
        self._refused = False
        self.last = False

    async def run(self, write: _Write) -> None:
        """Write until cancelled, with ``write``."""
        written: frozenset[str] | None = None
        due_at = float("-inf")
        try:
            while True:
                said = self._said()
                if said != written or self._monotonic() >= due_at:
                    written = said if await self._wrote(write, said) else None
                    due_at = self._monotonic() + EVERY
                await self._sleep(_LOOK_EVERY)
        finally:
            if self.last and not self._refused:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LAST_WORDS_SECONDS):
                        await self._wrote(write, self._said(), ended=True)

    async def _wrote(self, write: _Write, said: frozenset[str], *, ended: bool = False) -> bool:
        """Write once; whether the broker took it. Nothing depends on one record: the next comes soon."""
        headers = spoken_headers(said, ended=ended)
        try:
            await write(
                [ProducerRecord(self._topic, spoken_key(self._name), None, None, headers)], attempts=1
            )
        except (KafkaError, OSError, LeaseLost) as error:
            if not self._refused:
                log.warning("words_not_written", topic=self._topic, error=repr(error))
            self._refused = True
            return False
        self._refused = False
        return True
