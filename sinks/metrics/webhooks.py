"""Which metric says what became of the webhooks that others sent?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from sinks.metrics.families import counter

__all__ = ["OUTCOMES", "WebhookMetrics"]

#: What becomes of a webhook: it is an input; it changes nothing here; nothing shows that it is genuine; it cannot be
#: read; it is too large; the broker did not take it, so that it comes again.
OUTCOMES = ("accepted", "ignored", "unsigned", "invalid", "too_large", "failed")


class WebhookMetrics:
    """A counter of webhooks by the receiver that sent them and what became of them."""

    def __init__(self, doors: tuple[str, ...] = ("pagerduty", "slack")) -> None:
        self._counts: Counter[tuple[str, str]] = Counter(
            {(door, outcome): 0 for door in doors for outcome in OUTCOMES}
        )

    def count(self, door: str, outcome: str) -> None:
        """Count one webhook."""
        self._counts[door, outcome] += 1

    def collect(self) -> Iterator[Metric]:
        """The metric family."""
        yield counter(
            "watchofficer_webhooks_total",
            "Webhooks that receivers sent, by what became of them.",
            ("door", "outcome"),
            self._counts.items(),
        )
