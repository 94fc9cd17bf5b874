"""A worker's HTTP server with all routes, over the views of a recorded outage.

`python -m tests.fuzz.served` prints its port and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvloop
from pydantic import SecretStr

from detectors.incidents import IncidentInput
from sinks.metrics.prometheus import Metrics
from streams.http.api import routes
from streams.http.charts import Charts
from streams.http.server import HttpServer
from streams.http.views import Views
from streams.runtime.health import Health
from streams.runtime.progress import Progress
from streams.settings.api_tokens import ApiToken
from streams.settings.policy_file import read_policy
from streams.watchdog.announcer import Announcer
from streams.watchdog.watchdog import Watchdog, WatchdogTime
from tests.streams.http.serving import TOKEN, HttpSettings
from tests.upgrade.record import Record, load

__all__ = ["RECORDED", "Served", "served"]

_CRITICAL = 50
#: What a build has left on all topics when it ended amid an outage.
RECORDED = Path(__file__).parents[1] / "upgrade" / "v0.1.0.jsonl.zst"


@dataclass
class Served:
    """A server that runs.

    Attributes:
        server: the server.
        views: what it shows.
        submitted: the inputs that it has taken; the latest thousand.
    """

    server: HttpServer
    views: Views
    submitted: list[IncidentInput]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.port}"


def fill(views: Views, records: Sequence[Record]) -> None:
    """Give views what stands on the topics."""
    for one in records:
        key = None if one.key is None else one.key.encode()
        views.apply(one.topic, key, one.value, list(one.headers.items()))
    views.ready = True


@asynccontextmanager
async def served(*, limit: int | None = None) -> AsyncIterator[Served]:
    """While the server runs, on a free port of this machine.

    Args:
        limit: the greatest number of connections; None: what the server takes by itself.
    """
    before, records = load(RECORDED)
    policy, views, monotonic = read_policy(before.policy, "policy.yaml"), Views(), lambda: 0.0
    fill(views, records)
    submitted: list[IncidentInput] = []

    async def submit(value: IncidentInput) -> None:
        submitted.append(value)
        del submitted[:-1_000]

    def clock() -> int:
        return before.end

    progress, health = Progress(monotonic), Health(monotonic)
    watchdog = Watchdog(
        progress,
        health,
        Announcer((), monotonic),
        blind_after=60.0,
        times=WatchdogTime(clock=clock, monotonic=monotonic),
    )
    table = routes(
        views,
        Metrics(clock=clock, version="0", policy=policy.hash),
        watchdog.report,
        submit,
        HttpSettings((ApiToken("ada", "respond", SecretStr(TOKEN)),)),
        lambda: policy,
        clock=clock,
        charts=Charts(views, lambda: policy, SecretStr("a-key-of-the-charts"), clock=clock),
    )
    server = HttpServer(table, host="127.0.0.1", port=0, limit=limit)
    await server.start()
    try:
        yield Served(server, views, submitted)
    finally:
        await server.stop()


async def _main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_CRITICAL))
    logging.getLogger("aiohttp").setLevel(_CRITICAL)
    async with served() as one:
        print(one.server.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main())
