"""What may people, and PagerDuty for them, ask for, and in which words of the process?

The command line reads these words before it knows which command runs, so this module loads nothing.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["InputKind", "Role", "Stage"]

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
    "deploy",
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
