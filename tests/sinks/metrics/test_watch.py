"""Do the metrics say whether the watch itself gets on?"""

from __future__ import annotations

from prometheus_client.metrics_core import Metric

from sinks.metrics.watch import WatchMetrics


def values(watch: WatchMetrics) -> dict[tuple[str, str], float]:
    """(name, value of the first label) -> value."""
    families: list[Metric] = list(watch.collect())
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_kind_of_blindness_is_shown_whether_it_stands_or_not() -> None:
    watch = WatchMetrics(("lag", "write"))
    assert values(watch)["watchofficer_blind", "lag"] == 0
    watch.set_blind(frozenset({"write"}), {"prod": 4.5})
    seen = values(watch)
    assert (seen["watchofficer_blind", "lag"], seen["watchofficer_blind", "write"]) == (0, 1)
    assert seen["watchofficer_evaluated_lag_seconds", "prod"] == 4.5
    watch.set_blind(frozenset(), {})
    assert values(watch)["watchofficer_blind", "write"] == 0
    assert ("watchofficer_evaluated_lag_seconds", "prod") not in values(watch)


def test_stalls_are_counted_by_their_length() -> None:
    watch = WatchMetrics()
    for seconds in (0.0, 0.001, 0.15, 0.3):
        watch.observe_stall(seconds)
    seen = values(watch)
    assert seen["watchofficer_loop_stall_seconds_count", ""] == 4
    assert seen["watchofficer_loop_stall_seconds_bucket", "0.005"] == 2
    assert seen["watchofficer_loop_stall_seconds_bucket", "0.2"] == 3


def test_what_waits_for_a_receiver_is_shown_with_its_age() -> None:
    watch = WatchMetrics()
    watch.set_pending({"pagerduty": 2, "slack": 0}, {"pagerduty": 71.5, "slack": 0.0})
    seen = values(watch)
    assert seen["watchofficer_sink_pending", "pagerduty"] == 2
    assert seen["watchofficer_sink_oldest_pending_seconds", "pagerduty"] == 71.5
    assert seen["watchofficer_sink_oldest_pending_seconds", "slack"] == 0
