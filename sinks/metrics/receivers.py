"""Which metrics say how receivers answer, and whether requests go to them?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from prometheus_client.metrics_core import Metric

from sinks.metrics.families import counter, gauge
from sinks.receivers.answers import Kind

__all__ = ["CIRCUIT_STATES", "ReceiverMetrics"]

#: The states of a circuit breaker.
CIRCUIT_STATES = ("closed", "open", "half_open")


class ReceiverMetrics:
    """The series of the receivers of this process."""

    def __init__(self) -> None:
        self._attempts: dict[tuple[str, str], int] = {}
        self._states: dict[str, str] = {}
        self._held: dict[str, float] = {}

    def expect(self, sinks: Iterable[str]) -> None:
        """Export all series of these receivers, also those of which nothing is known yet."""
        for sink in sinks:
            self._attempts.update({(sink, kind): 0 for kind in get_args(Kind)})
            self._states[sink] = "closed"
            self._held[sink] = 0.0

    def count_attempts(self, sink: str, answer: str, times: int) -> None:
        """Count requests to a receiver by what its answer amounted to."""
        self._attempts[sink, answer] = self._attempts.get((sink, answer), 0) + times

    def set_states(self, states: Mapping[str, str], held: Mapping[str, float]) -> None:
        """Set receiver -> the state of its circuit breaker, and receiver -> seconds for which it asks for patience."""
        self._states.update(states)
        self._held.update(held)

    def collect(self) -> Iterator[Metric]:
        """The metric families, in a fixed order."""
        yield counter(
            "watchofficer_sink_attempts_total",
            "Requests to receivers, by what their answers amounted to.",
            ("sink", "answer"),
            self._attempts.items(),
        )
        yield gauge(
            "watchofficer_sink_circuit",
            "State of a receiver's circuit breaker: 1 for the state that it is in.",
            ("sink", "state"),
            (
                ((sink, state), float(state == now))
                for sink, now in self._states.items()
                for state in CIRCUIT_STATES
            ),
        )
        yield gauge(
            "watchofficer_sink_held_seconds",
            "For how long a receiver asks for no more requests, as far as that is granted; 0 if it does not.",
            ("sink",),
            (((sink,), seconds) for sink, seconds in self._held.items()),
        )
