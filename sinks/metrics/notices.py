"""Which metrics say that events hold values that nobody has listed, and which notices were given?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.metrics_core import Metric

from sinks.metrics.families import counter

__all__ = ["NoticeMetrics"]


class NoticeMetrics:
    """Two counters over all environments. What an environment has counted stays when another worker owns it.

    Args:
        kinds: kinds of notices, whose counters start at 0.
        fields: fields of events, whose counters start at 0.
    """

    def __init__(self, kinds: Iterable[str] = (), fields: Iterable[str] = ()) -> None:
        self._notices: Counter[str] = Counter(dict.fromkeys(kinds, 0))
        self._unlisted: Counter[str] = Counter(dict.fromkeys(fields, 0))
        self._of_env: dict[str, tuple[dict[str, int], dict[str, int]]] = {}

    def set_env(self, env: str, notices: Mapping[str, int], unlisted: Mapping[str, int]) -> None:
        """Set the absolute numbers of an environment: kind -> notices, field -> events with an unlisted value.

        A number that is smaller than before counts nothing, as counters never decrease.
        """
        seen = self._of_env.setdefault(env, ({}, {}))
        for total, known, now in ((self._notices, seen[0], notices), (self._unlisted, seen[1], unlisted)):
            for name, count in now.items():
                total[name] += max(0, count - known.get(name, 0))
                known[name] = max(count, known.get(name, 0))

    def forget_env(self, env: str) -> None:
        """Take the next numbers of an environment as new ones, which are counted from 0."""
        self._of_env.pop(env, None)

    def collect(self) -> Iterator[Metric]:
        """The metric families, in a fixed order."""
        yield counter(
            "watchofficer_unlisted_total",
            "Accepted login events with a value that the policy does not list, by field.",
            ("field",),
            (((field,), count) for field, count in self._unlisted.items()),
        )
        yield counter(
            "watchofficer_notices_total",
            "Notices, which tell people something and wake nobody, by kind.",
            ("kind",),
            (((kind,), count) for kind, count in self._notices.items()),
        )
