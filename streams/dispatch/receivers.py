"""The receivers that a deployment has turned on: clients made from its settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import httpx

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Receipts, SinkClient
from sinks.receivers.contract import Means
from sinks.wording import ScopeNames
from streams.runtime.clocks import Clock
from streams.runtime.lease import Lease, LeaseLost
from streams.settings.settings import Settings

__all__ = ["LeaseGuard", "http_client", "receivers"]

#: The lease under which a command is being sent.
_lease: ContextVar[Lease | None] = ContextVar("lease", default=None)


def http_client(**options: Any) -> httpx.AsyncClient:
    """A client whose requests are held back once the lease is lost under which ``LeaseGuard`` sends.

    A command may take several requests: a search, then a creation. A process that stood still in between must not
    create what another worker has created meanwhile.

    Args:
        options: further arguments of ``httpx.AsyncClient``.
    """
    return httpx.AsyncClient(event_hooks={"request": [_hold_without_lease]}, **options)


async def _hold_without_lease(request: httpx.Request) -> None:
    lease = _lease.get()
    if lease is not None:
        await _hold(lease)


async def _hold(lease: Lease) -> None:
    """Return with the lease; without it never, as the worker is about to give everything back."""
    try:
        lease.check()
    except LeaseLost:
        await asyncio.Event().wait()


def receivers(
    settings: Settings, http: httpx.AsyncClient, clock: Clock, names: ScopeNames
) -> Mapping[str, SinkClient]:
    """Clients by sink, which call the values of scopes by ``names``."""
    means = Means(http=http, clock=clock, names=names)
    return {name: receiver.client(means) for name, receiver in settings.receivers() if receiver.on}


class LeaseGuard:
    """A receiver to which nothing is sent without the lease."""

    def __init__(self, client: SinkClient, lease: Lease) -> None:
        self._client = client
        self._lease = lease

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Send a command through the client; without the lease this never returns."""
        await _hold(self._lease)
        token = _lease.set(self._lease)
        try:
            return await self._client.send(command, receipts)
        finally:
            _lease.reset(token)
