"""Which metrics does Prometheus scrape, about sign-in and about watchofficer itself?

Callers hand in absolute values (`Metrics.set_env`) and never increments: the counts of events derive from
segments, which are replaced when a block is read again, so that an event counts once on this page too.
Only the owner of an environment exports its series; `Metrics.forget_env` removes them from the page.

Names follow the Prometheus conventions: base units, ``_total``, ``_ratio`` (0-1), ``_timestamp_seconds``;
no label names an incident or a person. Exemplars (OpenMetrics only) name the incident behind a value.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from detectors.axes import AXES
from detectors.instants import SECOND
from sinks.metrics.families import Buckets, counter, gauge, histogram, summary
from sinks.metrics.inputs import InputMetrics
from sinks.metrics.notices import NoticeMetrics
from sinks.metrics.receivers import ReceiverMetrics
from sinks.metrics.scoped import ScopedMetrics
from sinks.metrics.snapshot import NO_CSP, RESULTS, EnvSnapshot
from sinks.metrics.watch import WatchMetrics
from sinks.metrics.webhooks import WebhookMetrics

__all__ = ["PAGE_BUCKETS", "Metrics"]

#: Upper bounds, in seconds, of the histogram from first failing event to page. 60 s is the objective and
#: 30 min the limit of the SLA (any alert is answered within 30 minutes), so both are bounds.
PAGE_BUCKETS = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 900.0, 1800.0)

_SEVERITIES = (1, 2, 3)


class Metrics:
    """The registry that ``/metrics`` renders; one for each process.

    Args:
        clock: returns ms since the epoch, for the timestamps of exemplars.
        windows: names of the windows of the ratios.
        burn_windows: names of the windows of the burn rates.
        axes: names of the axes of the policy, which are the labels of scopes.
        methods, csps: those that have series before their first event.
        reasons: the closed list of reasons for which an event is rejected.
        deliveries: (sink, outcome) pairs that start at 0.
        whys: the closed list of kinds of blindness.
        notices: the counters of notices and unlisted values; new ones if None.
        version: of the software, for ``build_info``.
        policy: hash of the policy, for ``build_info``.

    Attributes:
        watch: the series that say whether the watch itself gets on.
        receivers: the series of how receivers answer.
        notices: the counters of notices and unlisted values.
        webhooks: the counters of webhooks.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], int],
        windows: Sequence[str] = ("5m", "15m", "1h"),
        burn_windows: Sequence[str] = (),
        axes: Sequence[str] = AXES,
        methods: Sequence[str] = (),
        csps: Sequence[str] = (),
        reasons: Iterable[str] = (),
        deliveries: Iterable[tuple[str, str]] = (),
        whys: Iterable[str] = (),
        notices: NoticeMetrics | None = None,
        version: str,
        policy: str,
    ) -> None:
        self.watch = WatchMetrics(whys)
        self.receivers = ReceiverMetrics()
        self.notices = notices or NoticeMetrics()
        self.webhooks = WebhookMetrics()
        self.inputs = InputMetrics()
        self._clock = clock
        self._scoped = ScopedMetrics(axes, methods, windows, burn_windows)
        self._labels = tuple(product(methods, (*csps, NO_CSP), RESULTS))
        self._envs: dict[str, EnvSnapshot] = {}
        self._events: dict[str, dict[tuple[str, str, str], int]] = {}
        self._reasons = tuple(reasons)
        self._rejected: dict[str, int] | None = None
        self._personal_fields: int | None = None
        self._lost = 0
        self._producer_lags: dict[int | str, int] = {}
        self._deliveries = dict.fromkeys(deliveries, 0)
        self._leases_lost = 0
        self._clock_offset = 0.0
        self._rejected_ratio = 0.0
        self._pages = Buckets.empty(PAGE_BUCKETS)
        self._build = (version, platform.python_version(), policy)
        self._registry = CollectorRegistry()
        self._registry.register(_Page(self))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def set_policy(self, policy: str) -> None:
        """Set the hash of the policy that is in force."""
        self._build = (*self._build[:2], policy)

    def set_env(self, env: str, snapshot: EnvSnapshot) -> None:
        """Replace the values that are exported for ``env``.

        A counter never decreases: Prometheus takes a decrease for a restart and would count all earlier
        events twice. A count can decrease only where counting starts again from zero; call `forget_env` then.
        """
        held = self._events.setdefault(env, dict.fromkeys(self._labels, 0))
        for key, count in snapshot.events.items():
            held[key] = max(held.get(key, 0), count)
        self._envs[env] = snapshot
        self.notices.set_env(env, snapshot.notices, snapshot.unlisted)

    def snapshot(self, env: str) -> EnvSnapshot | None:
        """The values that are exported for ``env``; None where another worker owns it."""
        return self._envs.get(env)

    def forget_env(self, env: str) -> None:
        """Remove the series of ``env`` from the page: another worker owns the environment now."""
        self._envs.pop(env, None)
        self._events.pop(env, None)
        self.notices.forget_env(env)

    def set_rejected(self, counts: Mapping[str, int], personal_fields: int = 0) -> None:
        """Set absolute numbers of rejected events by reason, and of events with fields that identify a person.

        Exactly one process exports them for the whole deployment.
        """
        held = dict.fromkeys(self._reasons, 0) if self._rejected is None else self._rejected
        for reason, count in counts.items():
            held[reason] = max(held.get(reason, 0), count)
        self._rejected = held
        self._personal_fields = max(self._personal_fields or 0, personal_fields)

    def forget_rejected(self) -> None:
        """Remove the rejected events from the page: another worker exports them now."""
        self._rejected = self._personal_fields = None

    def set_lost(self, count: int) -> None:
        """Set the number of records that retention removed before this process read them."""
        self._lost = max(self._lost, count)

    def set_producer_lags(self, lags: Mapping[int | str, int]) -> None:
        """Set the lags of the input partitions that this process reads.

        Args:
            lags: partition -> ms from the newest event's ``occurred_at`` to its record timestamp.
        """
        self._producer_lags = dict(lags)

    def set_rejected_ratio(self, ratio: float) -> None:
        """Set the share of the records of the last minute that were rejected."""
        self._rejected_ratio = ratio

    def set_clock_offset(self, seconds: float) -> None:
        """Set how far the clock of this machine is ahead of the broker's."""
        self._clock_offset = seconds

    def count_delivery(self, sink: str, outcome: str, times: int = 1) -> None:
        """Count ``times`` deliveries to ``sink`` that ended with ``outcome``."""
        self._deliveries[sink, outcome] = self._deliveries.get((sink, outcome), 0) + times

    def count_lease_lost(self) -> None:
        """Count a lease that this worker lost, because it stood still for too long."""
        self._leases_lost += 1

    def observe_event_to_page(self, seconds: float, incident: str) -> None:
        """Observe the seconds from the first failing event of ``incident`` to the acceptance of its page.

        The difference is between the clocks of two machines and may be negative; it then counts as 0.
        """
        self._pages.observe(max(0.0, seconds), {"incident": incident}, self._clock() / SECOND)

    def render(self, accept: str | None = None) -> tuple[bytes, str]:
        """The page and its content type: OpenMetrics if ``accept`` asks for it, else text 0.0.4."""
        try:
            encode, content_type = choose_encoder(accept or "")
        except (TypeError, ValueError):  # ``accept`` holds a version that is not a number
            encode, content_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """All metric families of the page, in a fixed order."""
        yield from self._input()
        yield from self._scoped.collect(self._envs)
        yield self._durations()
        yield self._incidents_open()
        yield from self._clocks()
        yield gauge(
            "watchofficer_covers_in_force",
            "Mutes and maintenance that hold a scope now, and keep pages back.",
            ("env", "kind"),
            (
                ((env, kind), snapshot.in_force.get(kind, 0))
                for env, snapshot in self._envs.items()
                for kind in ("maintenance", "mute")
            ),
        )
        yield from self._watch()
        yield from self.watch.collect()
        yield from self.receivers.collect()
        yield from self.notices.collect()
        yield from self.webhooks.collect()
        yield from self.inputs.collect()

    def _input(self) -> Iterator[Metric]:
        yield self._login_events()
        yield counter(
            "watchofficer_events_rejected_total",
            "Records that are no valid login event, by reason.",
            ("reason",),
            (((reason,), count) for reason, count in (self._rejected or {}).items()),
        )
        yield counter(
            "watchofficer_events_with_personal_fields_total",
            "Login events that came with a field that says who a person is; the field was dropped.",
            (),
            [] if self._personal_fields is None else [((), self._personal_fields)],
        )
        yield counter(
            "watchofficer_events_lost_total",
            "Records of the input that retention removed before they were read.",
            (),
            [((), self._lost)],
        )
        yield gauge(
            "watchofficer_producer_lag_seconds",
            "How far the newest event of an input partition was behind the broker's clock when it was taken.",
            ("partition",),
            (((str(partition),), lag / SECOND) for partition, lag in self._producer_lags.items()),
        )

    def _durations(self) -> Metric:
        return summary(
            "watchofficer_request_duration_seconds",
            "How long completed sign-in requests took, within 1 %, by scope and quantile.",
            ("env", "scope", "window", "quantile"),
            (((env, *key), took) for env, one in self._envs.items() for key, took in one.durations.items()),
        )

    def _watch(self) -> Iterator[Metric]:
        yield gauge(
            "watchofficer_watermark_timestamp_seconds",
            "Event time up to which the environment has been evaluated.",
            ("env",),
            (
                ((env,), snapshot.watermark / SECOND)
                for env, snapshot in self._envs.items()
                if snapshot.watermark is not None
            ),
        )
        yield counter(
            "watchofficer_sink_deliveries_total",
            "Deliveries to receivers, by how they ended.",
            ("sink", "outcome"),
            self._deliveries.items(),
        )
        yield counter(
            "watchofficer_leases_lost_total",
            "How often this process stood still for so long that it gave its partitions back and claimed them anew.",
            (),
            [((), self._leases_lost)],
        )
        yield gauge(
            "watchofficer_rejected_ratio",
            "Share of the records that this worker read in the last minute which are no login events;"
            " 0 where there were fewer than 20.",
            (),
            [((), self._rejected_ratio)],
        )
        yield gauge(
            "watchofficer_clock_offset_seconds",
            "How far the clock of this machine is ahead of the Kafka broker's; negative: behind it.",
            (),
            [((), self._clock_offset)],
        )
        yield histogram(
            "watchofficer_event_to_page_seconds",
            "Time from an incident's first failing event to the acceptance of its page.",
            self._pages,
        )
        yield gauge(
            "watchofficer_build_info",
            "Always 1; the labels say what is running.",
            ("version", "python", "policy"),
            [(self._build, 1)],
        )

    def _login_events(self) -> Metric:
        return counter(
            "watchofficer_login_events_total",
            "Accepted login events, by what policy makes of them.",
            ("env", "auth_method", "csp", "result"),
            (((env, *key), count) for env, held in self._events.items() for key, count in held.items()),
        )

    def _incidents_open(self) -> Metric:
        return gauge(
            "watchofficer_incidents_open",
            "Incidents that are not resolved.",
            ("env", "severity"),
            (
                ((env, str(severity)), snapshot.incidents_open.get(severity, 0))
                for env, snapshot in self._envs.items()
                for severity in _SEVERITIES
            ),
        )

    def _clocks(self) -> Iterator[Metric]:
        ends = [
            ((env, str(severity), clock), at, snapshot.watermark)
            for env, snapshot in self._envs.items()
            for (clock, severity), at in sorted(snapshot.clocks.items())
        ]
        soonest: dict[str, int] = {}
        for (_, severity, clock), at, _ in ends:
            if clock == "response":
                soonest[severity] = min(at, soonest.get(severity, at))
        yield gauge(
            "watchofficer_response_deadline_timestamp_seconds",
            "The soonest end of a response time that has not been met; absent when none is running.",
            ("severity",),
            (((severity,), at / SECOND) for severity, at in sorted(soonest.items())),
        )
        labels = ("env", "severity", "clock")
        yield gauge(
            "watchofficer_clock_due_timestamp_seconds",
            "The soonest end of a clock of the open incidents (response, alert, update, eta); absent when none runs.",
            labels,
            ((values, at / SECOND) for values, at, _ in ends),
        )
        yield gauge(
            "watchofficer_clock_left_seconds",
            "Event time that is left of a clock of the open incidents; below 0 once it is over.",
            labels,
            ((values, (at - now) / SECOND) for values, at, now in ends if now is not None),
        )


class _Page(Collector):
    """Adapts ``Metrics`` to the collector protocol of the Prometheus client."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics.collect()
