"""What does an incident carry of the process: who does what, by when, what was told, what is left to do?"""

from __future__ import annotations

import msgspec

from detectors.bounds import NAME_BYTES, SENTENCE_BYTES, cut
from detectors.process.vocabulary import Role, Stage

__all__ = [
    "CHECKS_KEPT",
    "FOLLOW_UPS_KEPT",
    "FOLLOW_UP_BYTES",
    "FOLLOW_UP_LINK_BYTES",
    "WORKS_KEPT",
    "Check",
    "FollowUp",
    "Process",
    "Said",
]

#: The most follow-ups of an incident, and of each the bytes of its text and of its link.
FOLLOW_UPS_KEPT = 8
FOLLOW_UP_BYTES = 160
FOLLOW_UP_LINK_BYTES = 200
#: The most lines of a checklist.
CHECKS_KEPT = 8
#: The most scopes that are told as working.
WORKS_KEPT = 3
_ROLE_BYTES = 80


class FollowUp(msgspec.Struct, frozen=True):
    """Something that is left to do: when and by whom it was put down, what, a link to it, and when it was done."""

    at: int
    by: str
    text: str
    link: str | None = None
    done_at: int | None = None


class Check(msgspec.Struct, frozen=True):
    """A line of the recovery checklist.

    Attributes:
        item: its key, such as ``monitors`` or ``sign_in_ssoe``.
        text: what to check.
        done_at, done_by: when (T, ms) and by whom it was ticked; ``the data`` for what the findings show.
    """

    item: str
    text: str
    done_at: int | None = None
    done_by: str | None = None


class Said(msgspec.Struct, frozen=True):
    """An update by a person for those who wait; ``public``: also for the public."""

    at: int
    by: str
    text: str
    public: bool = False


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """How an incident is conducted. Instants are T, ms.

    Attributes:
        stage: how far the process is.
        roles: role -> who has it.
        eta: the estimated time of resolution.
        answer_by: when the response time that runs is over; None once somebody has answered, or it is over.
        next_update_at: when the next update is due; None once the incident is over.
        said: the last update by a person.
        works: scopes beside it on which sign-ins succeeded at the last update, at most ``WORKS_KEPT``.
        follow_ups: what is left to do, in the order in which it was put down.
        checklist: what must be seen before the incident is over.
        completed_at, completed_by: the end of the process.
        states: two-letter codes of the states that it was declared for, sorted; () for no states in particular.
    """

    stage: Stage = "detection"
    roles: dict[Role, str] = {}
    eta: int | None = None
    answer_by: int | None = None
    next_update_at: int | None = None
    said: Said | None = None
    works: tuple[str, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    checklist: tuple[Check, ...] = ()
    completed_at: int | None = None
    completed_by: str | None = None
    states: tuple[str, ...] = ()

    def bounded(self) -> Process:
        """Return the process with every text cut to its limit."""
        if self == Process():
            return self
        said = self.said
        if said is not None:
            said = Said(said.at, cut(said.by, NAME_BYTES), cut(said.text, SENTENCE_BYTES), said.public)
        return msgspec.structs.replace(
            self,
            roles={role: cut(who, _ROLE_BYTES) for role, who in self.roles.items()},
            said=said,
            follow_ups=tuple(
                msgspec.structs.replace(one, by=cut(one.by, _ROLE_BYTES), text=cut(one.text, FOLLOW_UP_BYTES))
                for one in self.follow_ups[:FOLLOW_UPS_KEPT]
            ),
            checklist=tuple(
                msgspec.structs.replace(one, done_by=cut(one.done_by, _ROLE_BYTES)) if one.done_by else one
                for one in self.checklist[:CHECKS_KEPT]
            ),
            completed_by=None if self.completed_by is None else cut(self.completed_by, NAME_BYTES),
        )
