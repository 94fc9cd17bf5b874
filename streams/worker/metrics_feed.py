"""What do the parts of a worker report to Prometheus, and when?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import get_args

from detectors.incidents import Command
from detectors.instants import SECOND, format_duration
from detectors.notices.notices import FIELDS, NoticeKind
from detectors.policy.policy import Policy
from sinks.delivery.gate import ReceiverGate
from sinks.metrics.notices import NoticeMetrics
from sinks.metrics.prometheus import Metrics
from streams.evaluate.metrics_snapshot import Snapshots, burn_windows
from streams.evaluate.shard import Shard
from streams.events.validation import Reason
from streams.ingest.service import Ingest
from streams.runtime.clocks import Clock
from streams.runtime.progress import Why
from streams.settings.settings import Settings

__all__ = ["MetricsFeed", "metrics_of"]


class MetricsFeed:
    """Sets the metrics of a worker.

    Args:
        metrics: what Prometheus scrapes.
        sinks: the receivers that are on.
    """

    def __init__(self, metrics: Metrics, sinks: Iterable[str] = ()) -> None:
        self._metrics = metrics
        self._snapshots = Snapshots()
        self._sinks = sorted(sinks)
        self._counted: dict[tuple[str, str], int] = {}
        self._attempts: Counter[tuple[str, str]] = Counter()
        metrics.receivers.expect(self._sinks)

    def shard_evaluated(self, shard: Shard) -> None:
        """Set the values of a shard's environments. The shard of partition 0 carries the totals of rejections."""
        for env in shard.envs:
            self._metrics.set_env(env, self._snapshots.take(shard, env))
        if shard.partition == 0:
            rejected = {str(reason): n for reason, n in shard.totals.rejected.items()}
            self._metrics.set_rejected(rejected, shard.totals.personal_fields)
            self._metrics.inputs.set(shard.totals.inputs)

    def shards_dropped(self, shards: Iterable[Shard]) -> None:
        """Remove the values of shards that another worker owns now."""
        for shard in shards:
            for env in shard.envs:
                self._metrics.forget_env(env)
            if shard.partition == 0:
                self._metrics.forget_rejected()
                self._metrics.inputs.forget()

    def delivered(self, command: Command, at: int) -> None:
        """Observe the time from the first failing event to the page, which was delivered at ``at`` (ms)."""
        # The first failing event of a reopened incident lies in the epoch before.
        if (command.sink, command.action, command.kind) == ("pagerduty", "trigger", "opened"):
            seconds = (at - command.incident.first_bad_at) / SECOND
            self._metrics.observe_event_to_page(seconds, command.incident_id)

    def begin_counting(self) -> None:
        """Take the next counts of deliveries as new ones: a new pipeline counts from 0."""
        self._counted.clear()
        self._attempts.clear()

    def clock_ahead(self, ahead: int) -> None:
        """Set how far the clock of this machine is ahead of the broker's, ms."""
        self._metrics.set_clock_offset(ahead / SECOND)

    def deliveries(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Count deliveries up to ``counts``: (receiver, outcome) -> how many since the pipeline started."""
        for (sink, outcome), times in counts.items():
            fresh = times - self._counted.get((sink, outcome), 0)
            if fresh > 0:
                self._metrics.count_delivery(sink, outcome, fresh)
                self._counted[sink, outcome] = times

    def gates(self, gates: Mapping[str, ReceiverGate]) -> None:
        """Count the requests since the pipeline started, and set whether requests go to each receiver."""
        for sink, gate in gates.items():
            for kind, times in gate.attempts.items():
                fresh = times - self._attempts[sink, kind]
                if fresh > 0:
                    self._metrics.receivers.count_attempts(sink, kind, fresh)
                    self._attempts[sink, kind] = times
        states = {sink: gate.state() for sink, gate in gates.items()}
        self._metrics.receivers.set_states(states, {sink: gate.held_for() for sink, gate in gates.items()})

    def pending(self, oldest: Mapping[str, tuple[int, int]], now: int) -> None:
        """Set receiver -> how many commands have no outcome yet, and when (ms) the oldest of them was made.

        Args:
            oldest: of each receiver that has such commands.
            now: the present, ms.
        """
        counts = {sink: oldest.get(sink, (0, now))[0] for sink in self._sinks}
        ages = {sink: max(0.0, (now - oldest.get(sink, (0, now))[1]) / SECOND) for sink in self._sinks}
        self._metrics.watch.set_pending(counts, ages)

    def ingest(self, ingest: Ingest) -> None:
        """Set the values of ingest: events lost to retention, and the lags of producers."""
        self._metrics.set_lost(ingest.lost)
        self._metrics.set_rejected_ratio(ingest.rejected_share)
        self._metrics.set_producer_lags(ingest.producer_lags())


def metrics_of(settings: Settings, policy: Policy, clock: Clock) -> Metrics:
    """The metrics of a worker; their labels are those of the policy at its start."""
    return Metrics(
        clock=clock,
        windows=[format_duration(window) for window in policy.sli_windows],
        reasons=[reason.value for reason in Reason],
        burn_windows=burn_windows(policy),
        axes=policy.axes,
        methods=policy.values_of("auth_method"),
        csps=policy.values_of("csp"),
        deliveries=[
            (sink, outcome) for sink in sorted(settings.sinks()) for outcome in ("delivered", "dead")
        ],
        whys=[why.value for why in Why],
        notices=NoticeMetrics(get_args(NoticeKind), (*FIELDS, *policy.axes)),
        version=version("watchofficer"),
        policy=policy.hash,
    )
