"""What may people, and PagerDuty for them, ask for, and in which words of the process?"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["AlertNews", "InputKind", "Role", "Stage"]

#: What a person or a webhook may ask for. PagerDuty's webhooks alone say the last four.
InputKind = Literal[
    "acknowledge",
    "unacknowledge",
    "note",
    "update",
    "declare",
    "assign",
    "stage",
    "eta",
    "follow_up",
    "check",
    "post_mortem",
    "complete",
    "resolve",
    "report",
    "retire",
    "mute",
    "maintain",
    "correct",
    "unmute",
    "linked",
    "merge",
    "auto_resolve",
    "reopen",
]
#: What somebody does in an incident. The commander is whoever acknowledged it first, unless assigned.
Role = Literal[
    "commander",
    "technical_lead",
    "responder",
    "security_analyst",
    "support_coordinator",
    "liaison",
    "communications",
    "scribe",
]
#: How far the process is, in order; ``completed`` is reached by the act ``complete`` alone.
Stage = Literal["detection", "triage", "response", "resolution", "post_incident", "completed"]


class AlertNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook of PagerDuty says of an alert.

    Attributes:
        dedup_key: the alert's key; None where the webhook names PagerDuty's incident alone.
        incident: PagerDuty's id of the incident that holds the alert.
        into: PagerDuty's id of the incident into which a merge has moved the alert.
        url: the address of PagerDuty's incident.
        occurred_at: when it happened, ms by PagerDuty's clock; webhooks arrive in any order.
    """

    dedup_key: str | None = None
    incident: str | None = None
    into: str | None = None
    url: str | None = None
    occurred_at: int | None = None
