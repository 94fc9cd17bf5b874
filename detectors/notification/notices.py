"""Which commands tell people of what belongs to no incident: a notice in Slack, a change of the watch in PagerDuty?"""

from __future__ import annotations

from collections.abc import Iterable

from detectors.incidents import Command, Incident
from detectors.instants import format_instant
from detectors.notices.notices import Notice
from detectors.policy.policy import Policy

__all__ = ["CHANGES", "change_command", "notice_command", "notice_commands"]

#: What stands for the incident of a change.
CHANGES = "watch-changes"


def notice_commands(notices: Iterable[Notice], policy: Policy) -> list[Command]:
    """The commands for Slack of the notices that it is told: all but deploys, which CI jobs tell there themselves."""
    return [notice_command(notice, policy) for notice in notices if notice.deploy is None]


def notice_command(notice: Notice, policy: Policy) -> Command:
    """The command for Slack. Its id is a function of the notice alone, so that a repeat is recognised."""
    name = f"{notice.env}-notices"
    return Command(
        id=f"notice:{notice.env}:{notice.kind}:{notice.field}:{notice.value}@{notice.at}:slack",
        sink="slack",
        action="notice",
        level="info",
        dedup_key=f"{policy.notify.dedup_prefix}:{name}",
        incident_id=name,
        epoch=0,
        at=notice.at,
        kind="notice",
        reason=notice.text,
        incident=_no_incident(name, notice.env, notice.text, notice.at, policy),
    )


def change_command(
    version: str, policy: Policy, at: int, *, sink: str = "pagerduty", since: int | None = None
) -> Command:
    """The change event of the watch itself for PagerDuty or Datadog.

    Its id names version and policy, and the T of a change, so that a start and each change are told once.

    Args:
        version: of this program.
        policy: by which it judges.
        at: when that became so, ms.
        sink: pagerduty or datadog.
        since: the T (ms) from which another policy judges; None at the start of a worker.
    """
    said = f"The watch on sign-in is version {version} and judges by policy {policy.hash}"
    if since is not None:
        said += f" from {format_instant(since)} on"
    of_change = "" if since is None else f"@{since}"
    return Command(
        id=f"change:{version}:{policy.hash}{of_change}:{sink}",
        sink=sink,
        action="change",
        level="info",
        dedup_key=f"{policy.notify.dedup_prefix}:{CHANGES}",
        incident_id=CHANGES,
        epoch=0,
        at=at,
        kind="notice",
        reason=said,
        incident=_no_incident(CHANGES, "prod", said, at, policy),
    )


def _no_incident(name: str, env: str, text: str, at: int, policy: Policy) -> Incident:
    """What a command carries that belongs to no incident: one that is closed from the start, and stands on no topic."""
    return Incident(
        id=name,
        env=env,
        epoch=0,
        scope=env,
        state="closed",
        causes=(),
        sentence=text,
        severity=3,
        peak_severity=3,
        priority="P4",
        datadog_severity="SEV-5",
        basis="observed",
        users_impacted=0,
        peak_users_impacted=0,
        first_bad_at=at,
        opened_at=at,
        updated_at=at,
        policy_hash=policy.hash,
    )
