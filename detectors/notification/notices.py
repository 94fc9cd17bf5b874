"""Which command tells people of a notice? One message in Slack, which belongs to no incident."""

from __future__ import annotations

from detectors.incidents import Command, Incident
from detectors.notices.notices import Notice
from detectors.policy.policy import Policy

__all__ = ["notice_command"]


def notice_command(notice: Notice, policy: Policy) -> Command:
    """The command for Slack. Its id is a function of the notice alone, so that a repeat is recognised.

    A command carries an incident; that of a notice is closed from the start, and stands on no topic of incidents.
    """
    name = f"{notice.env}-notices"
    incident = Incident(
        id=name,
        env=notice.env,
        epoch=0,
        scope=notice.env,
        state="closed",
        causes=(),
        sentence=notice.text,
        severity=3,
        peak_severity=3,
        priority="P4",
        datadog_severity="SEV-5",
        basis="observed",
        users_impacted=0,
        peak_users_impacted=0,
        first_bad_at=notice.at,
        opened_at=notice.at,
        updated_at=notice.at,
        policy_hash=policy.hash,
    )
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
        incident=incident,
    )
