"""On which broker and by which policy does a campaign of faults run, and what can it not do on this machine?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.campaign.schedule import Kind
from tests.faults.judgement.figures import Broker
from tests.support.brokers import ApacheKafka, apache_kafka, embedded_broker
from tests.support.kafka.setup import Setup
from tests.support.kafka.small_disk import may_mount

__all__ = ["BLIND_AFTER", "POLICY", "broker_of", "not_here"]

BLIND_AFTER = 20.0  # seconds, of the policy
_DISK_BYTES = 2 << 30

#: The policy that ships, with its waits shortened, so that an incident lives for less than a minute.
POLICY = """
sli_every: 5s
skew_after: 8s
blind_after: 20s
severity: {severity_1_over: 60, severity_2_over: 20, dwell: 5s}
priority: {over: [60, 20]}
lifecycle:
  recovering_after: 3s
  recover_for: 5s
  reopen_within: 10s
  resolve_grace: 5s
  faded_after: 1m
  update_every: 1m
  scope_change_every: 3s
  warning_waits: 2s
  alert_target: 1m
outage: {min_people: 6}
surge: {window: 1m, user_errors: {windows: [1m]}}
banner: {republish_every: 10s}
"""


def not_here(folder: Path, broker: Broker) -> list[Kind]:
    """The kinds that cannot be had: on the embedded broker, and as another user than root."""
    missing: list[Kind] = []
    if broker == "embedded":  # whose records do not bear its own time
        missing.append("clock")
    if not may_mount(folder):
        missing.append("disk_full")
    return missing


@contextmanager
def broker_of(broker: Broker, folder: Path, *, small_disk: bool) -> Iterator[tuple[str, ApacheKafka | None]]:
    """The address of the broker of a campaign, and the broker itself where faults may befall it."""
    if broker == "kafka":
        quick = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000"}
        setup = Setup(secured=True, disk_bytes=_DISK_BYTES if small_disk else None, broker=quick)
        with apache_kafka(folder / "kafka", setup=setup) as kafka:
            yield kafka.address, kafka
    else:
        with embedded_broker() as embedded:
            yield embedded.address, None
