"""What became of the records of each input, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric

from sinks.metrics.families import counter

__all__ = ["InputMetrics"]


class InputMetrics:
    """Counts by input. Exactly one process exports them for the whole deployment."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], int] = {}

    def set(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        """Set (input, accepted | duplicate | rejected | skipped, reason or rule) -> how many; a count never falls."""
        for key, count in counts.items():
            self._counts[key] = max(self._counts.get(key, 0), count)

    def forget(self) -> None:
        """Remove the series from the page: another worker exports them now."""
        self._counts.clear()

    def collect(self) -> Iterator[Metric]:
        """The metric families."""
        yield counter(
            "watchofficer_input_events_total",
            "Events of each input, and parts of its records that a rule of its mapping skipped.",
            ("input", "result", "rule"),
            self._counts.items(),
        )
