"""Which receivers must be told again and again what stands, and by which worker? By the one whose outbox it is from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol, runtime_checkable

import structlog

from detectors.incidents import Command
from sinks.neutral import neutral
from sinks.receivers.answers import Answer, Delivered, SinkClient

__all__ = ["REFRESH_EVERY", "Standing", "StandingAlerts"]

_log = structlog.get_logger(__name__)

#: Seconds from one refresh to the next: an alert stands for five minutes, so that four may fail.
REFRESH_EVERY = 60.0


@runtime_checkable
class Standing(Protocol):
    """A client of a receiver that forgets what it is not told again."""

    def remember(self, command: Command) -> None:
        """Take note of a command of the outbox, whether it is delivered or not."""

    def forget(self, incidents: Callable[[str], bool]) -> None:
        """Leave these incidents to another worker."""

    async def refresh(self) -> Answer | None:
        """Tell everything that stands again; the answer where it was not taken."""


class StandingAlerts:
    """Refreshes, while partitions of the outbox are owned.

    Args:
        clients: all receivers that are on; most of them need no refresh.
        sleep: sleeps for a number of seconds.
    """

    def __init__(self, clients: Mapping[str, SinkClient], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._clients = {sink: client for sink, client in clients.items() if isinstance(client, Standing)}
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    def remember(self, command: Command) -> None:
        """Take note of a command of the outbox."""
        client = self._clients.get(command.sink)
        if client is not None:
            client.remember(neutral(command))

    def keep(self, partitions: Collection[int], partition_of: Callable[[str], int]) -> None:
        """Refresh what is of these partitions from now on, and nothing else.

        Args:
            partitions: of the outbox, owned by this worker.
            partition_of: the partition of an incident.
        """
        kept = set(partitions)
        for client in self._clients.values():
            client.forget(lambda incident_id: partition_of(incident_id) not in kept)
        if not kept and self._task is not None:
            self._task.cancel()
            self._task = None
        elif kept and self._clients and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._refresh(), name="refresh")

    async def _refresh(self) -> None:
        while True:
            for sink, client in self._clients.items():
                try:
                    answer = await client.refresh()
                except Exception as error:
                    _log.error("refresh_fault", sink=sink, error=type(error).__name__)
                    continue
                if answer is not None and not isinstance(answer, Delivered):
                    _log.warning("refresh_failed", sink=sink, why=answer.why)
            await self._sleep(REFRESH_EVERY)
