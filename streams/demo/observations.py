"""What really reached the outside: receivers, banner topic, incident log, and the pages that HTTP serves.

It is gathered by ``Observer`` with means of its own (a plain consumer, a plain HTTP client) and judged by
``promises``. All instants are ms of the demo's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detectors.incidents import Incident
from sinks.sandbox.pagerduty import SentWebhook, Woken
from sinks.sandbox.receiver import Received
from sinks.sandbox.slack import Message

__all__ = ["BannerChange", "Observations", "Scrape", "Series"]

#: Name of a series with its labels sorted: ``("watchofficer_users_impacted", (("auth_method", "ssoe"), ...))``.
Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class BannerChange:
    """A state on the topic ``banner-state`` that differs from the one before it at its key (or is the first).

    ``at`` is the version: the T it was judged at.
    """

    key: str
    state: str
    at: int


@dataclass(frozen=True)
class Scrape:
    """What HTTP answered at one moment.

    Attributes:
        at: the demo's clock.
        metrics: series of ``/metrics`` -> value.
        statuses: auth method -> service id -> status, as ``/v0/backend_statuses`` tells that person.
    """

    at: int
    metrics: Mapping[Series, float]
    statuses: Mapping[str, Mapping[str, str]]

    def value(self, name: str, **labels: str) -> float | None:
        """The value of a series; None where the page lacks it."""
        return self.metrics.get((name, tuple(sorted(labels.items()))))

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series of a name that bear these labels."""
        wanted = set(labels.items())
        return sum(value for (n, held), value in self.metrics.items() if n == name and wanted <= set(held))


@dataclass(frozen=True, kw_only=True)
class Observations:
    """All of it, so far.

    Attributes:
        pagerduty: requests to the Events API, in order.
        woken: people who were got out of bed.
        webhooks: webhooks that PagerDuty sent us.
        alerts: dedup key and status of each of PagerDuty's alerts.
        datadog_events: ``data.attributes`` of each event, in order.
        datadog_incidents: ``data.attributes`` of each incident, as it is now.
        slack: all messages of the channel, as they read now.
        banners: changes on the topic.
        log: lines of the topic ``incident-log``.
        incidents: of ``/api/v1/incidents``, as last asked.
        scrapes: what HTTP answered, in order.
    """

    pagerduty: tuple[Received, ...] = ()
    woken: tuple[Woken, ...] = ()
    webhooks: tuple[SentWebhook, ...] = ()
    alerts: tuple[tuple[str, str], ...] = ()
    datadog_events: tuple[Mapping[str, Any], ...] = ()
    datadog_incidents: tuple[Mapping[str, Any], ...] = ()
    slack: tuple[Message, ...] = ()
    banners: tuple[BannerChange, ...] = ()
    log: tuple[Mapping[str, Any], ...] = ()
    incidents: tuple[Incident, ...] = ()
    scrapes: tuple[Scrape, ...] = ()
