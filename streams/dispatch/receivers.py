"""The receivers that a deployment has turned on: clients made from its settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol, TypeVar

import httpx
from msgspec.structs import replace

from detectors.incidents import Command
from detectors.policy.policy import Policy
from sinks.banner.keys import BannerKeys
from sinks.receivers.answers import Answer, Receipts, SinkClient
from sinks.receivers.contract import Means
from sinks.wording import ScopeNames
from streams.dispatch.standing import Standing
from streams.records.models import encode_incident
from streams.runtime.clocks import Clock
from streams.runtime.lease import Lease, LeaseLost
from streams.settings.settings import Settings

__all__ = ["Charts", "LeaseGuard", "StandingLeaseGuard", "guarded", "http_client", "receivers"]

_T = TypeVar("_T")

#: The lease under which a command is being sent.
_lease: ContextVar[Lease | None] = ContextVar("lease", default=None)


def http_client(**options: Any) -> httpx.AsyncClient:
    """A client whose requests are held back once the lease is lost under which ``LeaseGuard`` sends.

    A command may take several requests: a search, then a creation. A process that stood still in between must not
    create what another worker has created meanwhile.

    Args:
        options: further arguments of ``httpx.AsyncClient``.
    """
    none = CookieJar(DefaultCookiePolicy(allowed_domains=()))  # a receiver has nothing to store here
    return httpx.AsyncClient(event_hooks={"request": [_hold_without_lease]}, cookies=none, **options)


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


class Charts(Protocol):
    """The charts of outages: where one is, and the picture itself."""

    def url(self, command: Command) -> str | None: ...
    async def picture(self, command: Command) -> bytes | None: ...


class _Charted:
    """A receiver that is told where the chart of an outage is."""

    def __init__(self, client: SinkClient, charts: Charts) -> None:
        self._client = client
        self._charts = charts

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Send a command, with the link ``chart`` if there is one."""
        url = self._charts.url(command)
        if url is not None:
            links = {**command.incident.links, "chart": url}
            command = replace(command, incident=replace(command.incident, links=links))
        return await self._client.send(command, receipts)


def receivers(
    settings: Settings, http: httpx.AsyncClient, clock: Clock, policy: Callable[[], Policy], charts: Charts
) -> Mapping[str, SinkClient]:
    """Clients by sink, which call the values of scopes as the policy in force does, and show charts of outages.

    Args:
        settings: say which receivers are on.
        http: makes requests.
        clock: ms since the epoch.
        policy: returns the policy that is in force.
        charts: of outages.
    """
    means = Means(
        http=http,
        clock=clock,
        names=ScopeNames(policy),
        document=encode_incident,
        banner_keys=lambda scope, at: BannerKeys(policy()).of_scope(scope, at),
        picture=charts.picture,
    )
    clients = {name: (one, one.client(means)) for name, one in settings.receivers() if one.on}
    return {
        name: _Charted(client, charts) if one.shows_chart else client
        for name, (one, client) in clients.items()
    }


class LeaseGuard:
    """A receiver to which nothing is sent without the lease."""

    def __init__(self, client: SinkClient, lease: Lease) -> None:
        self._client = client
        self._lease = lease

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Send a command through the client; without the lease this never returns."""
        return await self._leased(lambda: self._client.send(command, receipts))

    async def _leased(self, request: Callable[[], Awaitable[_T]]) -> _T:
        await _hold(self._lease)
        token = _lease.set(self._lease)
        try:
            return await request()
        finally:
            _lease.reset(token)


class StandingLeaseGuard(LeaseGuard):
    """A receiver that is told again what stands, and nothing without the lease."""

    def __init__(self, client: SinkClient, standing: Standing, lease: Lease) -> None:
        super().__init__(client, lease)
        self._standing = standing

    def remember(self, command: Command) -> None:
        """Pass a command of the outbox on."""
        self._standing.remember(command)

    def forget(self, incidents: Callable[[str], bool]) -> None:
        """Leave these incidents to another worker."""
        self._standing.forget(incidents)

    async def refresh(self) -> Answer | None:
        """Tell everything that stands again; without the lease this never returns."""
        return await self._leased(self._standing.refresh)


def guarded(client: SinkClient, lease: Lease) -> LeaseGuard:
    """A client to which nothing is sent without the lease."""
    if isinstance(client, Standing):
        return StandingLeaseGuard(client, client, lease)
    return LeaseGuard(client, lease)
