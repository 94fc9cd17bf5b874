"""What is visible from outside a deployment? Receivers, banner topic, incident log, and HTTP pages.

``Observer`` collects the observations with its own consumer and HTTP client; ``assertions`` evaluates them. All
instants are ms of the demo's clock.
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

    ``at`` is the banner's version: the T of its verdict.
    """

    key: str
    state: str
    at: int


@dataclass(frozen=True)
class Scrape:
    """The answers of HTTP at one instant.

    Attributes:
        at: the demo's clock.
        metrics: series of ``/metrics`` -> value.
        statuses: auth method -> service id -> status, as ``/v0/backend_statuses`` reports it for that method.
    """

    at: int
    metrics: Mapping[Series, float]
    statuses: Mapping[str, Mapping[str, str]]

    def value(self, name: str, **labels: str) -> float | None:
        """The value of a series; None if the page does not have it."""
        return self.metrics.get((name, tuple(sorted(labels.items()))))

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series of a name that bear these labels."""
        wanted = set(labels.items())
        return sum(value for (n, held), value in self.metrics.items() if n == name and wanted <= set(held))


@dataclass(frozen=True, kw_only=True)
class Observations:
    """All observations so far.

    Attributes:
        pagerduty: requests to the Events API, in order.
        woken: notifications that woke somebody.
        webhooks: webhooks that PagerDuty sent.
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
