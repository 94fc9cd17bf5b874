"""How is a demo observed from outside? By a consumer without a group, and by HTTP as its clients use it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import msgspec
import structlog
from aiokafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families

from detectors.incidents import Incident
from detectors.scopes import METHODS
from sinks.sandbox import Sandbox
from streams.demo.observations import Observations, Scrape, Series
from streams.demo.timeline import Timeline
from streams.kafka.clients import ClientFactory
from streams.records.models import decode_incident

__all__ = ["Observer", "parse_metrics"]

log = structlog.get_logger(__name__)

_EVERY = 1.0  # seconds between scrapes
_POLL_MS = 200
_PATIENCE = 5.0  # seconds for an answer
#: Number of scrapes that are kept: an hour at one a second.
_SCRAPES = 3_600
_OURS = "watchofficer_"


def parse_metrics(text: str) -> dict[Series, float]:
    """The series of a metrics page whose names begin with ``watchofficer_``.

    A label without a value is left out: Prometheus takes it for one that is absent.

    Raises:
        ValueError: the page is not in Prometheus' text format.
    """
    return {
        (sample.name, tuple(sorted((k, v) for k, v in sample.labels.items() if v))): float(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(_OURS)
    }


class Observer:
    """Collects observations while ``run`` runs.

    Args:
        url: base URL of the worker's HTTP.
        clients: makes the consumer.
        sandbox: the receivers.
        timeline: gets the records that are read.
        clock: the demo's, ms.
        wall: the real clock, ms.
    """

    def __init__(
        self,
        url: str,
        clients: ClientFactory,
        sandbox: Sandbox,
        timeline: Timeline,
        clock: Callable[[], int],
        wall: Callable[[], int],
    ) -> None:
        self._url = url
        self._clients = clients
        self._sandbox = sandbox
        self._timeline = timeline
        self._clock = clock
        self._wall = wall
        self._scrapes: deque[Scrape] = deque(maxlen=_SCRAPES)
        self._incidents: tuple[Incident, ...] = ()

    async def run(self) -> None:
        """Read topics and scrape HTTP until cancelled.

        Raises:
            KafkaError: the topics cannot be read.
            ValueError: a record or a page has an unexpected format.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read())
            group.create_task(self._ask())

    def observations(self) -> Observations:
        """All observations so far."""
        pagerduty, datadog, slack = self._sandbox.pagerduty, self._sandbox.datadog, self._sandbox.slack
        return Observations(
            pagerduty=tuple(pagerduty.requests),
            woken=tuple(pagerduty.woken),
            webhooks=tuple(pagerduty.webhooks),
            alerts=tuple((alert.dedup_key, alert.status) for alert in pagerduty.alerts),
            datadog_events=tuple(datadog.events),
            datadog_incidents=tuple(data["attributes"] for data in datadog.incidents.values()),
            slack=tuple(slack.messages),
            banners=tuple(self._timeline.banners),
            log=tuple(self._timeline.log),
            incidents=self._incidents,
            scrapes=tuple(self._scrapes),
        )

    async def _read(self) -> None:
        consumer = self._clients.tail(*self._timeline.sources)
        try:
            await consumer.start()
            while True:
                try:
                    batches = await consumer.getmany(timeout_ms=_POLL_MS)
                except KafkaError as error:
                    log.warning("observer_cannot_read", error=repr(error))
                    await asyncio.sleep(_EVERY)
                    continue
                now = self._wall()
                records = [record for batch in batches.values() for record in batch]
                # Partitions arrive in any order; the timeline gets records in the order of their timestamps.
                for record in sorted(records, key=lambda record: record.timestamp):
                    self._timeline.take(record.topic, record.value, now)
        finally:
            await consumer.stop()

    async def _ask(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=_PATIENCE, trust_env=False) as http:
            while True:
                try:
                    await self._ask_once(http)
                except httpx.HTTPError as error:
                    log.warning("observer_got_no_answer", error=repr(error))
                await asyncio.sleep(_EVERY)

    async def _ask_once(self, http: httpx.AsyncClient) -> None:
        page, incidents, *told = await asyncio.gather(
            _get(http, "/metrics"),
            _get(http, "/api/v1/incidents"),
            *(_get(http, f"/v0/backend_statuses?auth_method={method}") for method in METHODS),
        )
        self._incidents = tuple(
            decode_incident(msgspec.json.encode(record)) for record in incidents.json()["incidents"]
        )
        statuses = {method: _statuses(answer) for method, answer in zip(METHODS, told, strict=True)}
        self._scrapes.append(Scrape(self._clock(), parse_metrics(page.text), statuses))


async def _get(http: httpx.AsyncClient, path: str) -> httpx.Response:
    return (await http.get(path)).raise_for_status()


def _statuses(answer: httpx.Response) -> dict[str, str]:
    listed: Sequence[dict[str, Any]] = answer.json()["data"]["attributes"]["statuses"]
    return {str(one["service_id"]): str(one["status"]) for one in listed}
