"""Which metrics say whether the watch itself gets on?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.metrics_core import Metric

from sinks.metrics.families import Buckets, gauge, histogram

__all__ = ["STALL_BUCKETS", "WatchMetrics"]

#: Upper bounds, in seconds, of how long this process's own work holds the event loop up; 0.2 s is the objective.
STALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class WatchMetrics:
    """The series of the watch itself. They may be set from any thread: each value is replaced as a whole.

    Args:
        whys: the closed list of kinds of blindness.
    """

    def __init__(self, whys: Iterable[str] = ()) -> None:
        self._whys = tuple(whys)
        self._blind: frozenset[str] = frozenset()
        self._lags: dict[str, float] = {}
        self._pending: dict[str, int] = {}
        self._oldest: dict[str, float] = {}
        self._stalls = Buckets.empty(STALL_BUCKETS)

    def set_blind(self, blind: frozenset[str], lags: Mapping[str, float]) -> None:
        """Set the kinds of blindness that stand now, and the lag in seconds of each environment of this process."""
        self._blind, self._lags = blind, dict(lags)

    def set_pending(self, pending: Mapping[str, int], oldest: Mapping[str, float]) -> None:
        """Set receiver -> commands without an outcome, and receiver -> the age of the oldest of them, seconds."""
        self._pending, self._oldest = dict(pending), dict(oldest)

    def observe_stall(self, seconds: float) -> None:
        """Count one round of the event loop, and how long work of this process held it up, CPU seconds."""
        self._stalls.observe(seconds, {}, 0.0)

    def collect(self) -> Iterator[Metric]:
        """The metric families, in a fixed order."""
        yield gauge(
            "watchofficer_blind",
            "Whether the watch is blind, by why: 1 while it is.",
            ("why",),
            (((why,), float(why in self._blind)) for why in self._whys),
        )
        yield gauge(
            "watchofficer_evaluated_lag_seconds",
            "How far the evaluation of an environment is behind the broker's clock.",
            ("env",),
            (((env,), lag) for env, lag in self._lags.items()),
        )
        yield histogram(
            "watchofficer_loop_stall_seconds",
            "CPU time for which this process's own work held the event loop up, by round of the loop.",
            self._stalls,
        )
        yield gauge(
            "watchofficer_sink_pending",
            "Commands to a receiver that have no outcome yet.",
            ("sink",),
            (((sink,), count) for sink, count in self._pending.items()),
        )
        yield gauge(
            "watchofficer_sink_oldest_pending_seconds",
            "Age of the oldest command to a receiver that has no outcome yet; 0 without any.",
            ("sink",),
            (((sink,), age) for sink, age in self._oldest.items()),
        )
