"""What is known of an incident: its log, its notifications, what fired, and the numbers around it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.incidents import Command
from detectors.instants import MINUTE, parse_instant
from detectors.policy.policy import Policy
from detectors.process.deploys import Deploy, shown_with
from streams.records.log_lines import Line, each_once

__all__ = ["CaseFile", "Fired", "Receipt", "Sample", "Sampled"]


@dataclass(frozen=True)
class Receipt:
    """What became of a command: delivered, superseded, dropped or dead, and why; ms."""

    outcome: str
    at: int
    reason: str = ""


@dataclass(frozen=True)
class Fired:
    """A finding that fired from ``begin`` to ``end`` (the first T at which it did not; None: to the last), ms.

    Attributes:
        times: in how many separate spells the finding fired.
        sentence: the finding's first sentence.
    """

    detector: str
    scope: str
    begin: int
    end: int | None
    times: int
    sentence: str


@dataclass(frozen=True)
class Sample:
    """Sign-ins of a scope in the window before ``at`` (ms), and the people who failed recently."""

    at: int
    good: int
    bad: int
    people: int


@dataclass(frozen=True)
class Sampled:
    """The windows of samples, ms: of sign-ins, and of the people who failed; and a remark on the samples."""

    sign_ins: int
    people: int
    remark: str = ""


@dataclass
class CaseFile:
    """All that is known of one incident.

    Attributes:
        incident: its id.
        lines: of the incident log, in order, each once; at least one of them is a change.
        commands: the commands to receivers, in order; None where they are unknown.
        receipts: command id -> the outcome of the delivery, of those that have one; None where they are unknown.
        fired: findings that fired on the incident's scope, within it or around it; None where only the log is known.
        samples: samples of the incident's scope, in order.
        sampled: how the samples were taken.
        policy: the policy that was in force; None if it is not available.
        deploys: what went into use, of any scope and time.
    """

    incident: str
    lines: Sequence[Line]
    commands: Sequence[Command] | None = None
    receipts: dict[str, Receipt] | None = None
    fired: Sequence[Fired] | None = None
    samples: Sequence[Sample] = ()
    sampled: Sampled = Sampled(5 * MINUTE, 5 * MINUTE)
    policy: Policy | None = None
    deploys: Sequence[Deploy] = ()

    def __post_init__(self) -> None:
        self.lines = each_once(self.lines)

    @property
    def changes(self) -> list[Line]:
        """The lines that changed something: what was asked for and refused did not."""
        return [line for line in self.lines if line.kind != "refused"]

    @property
    def scope(self) -> str:
        """The last scope of the incident."""
        return self.changes[-1].scope

    @property
    def deploys_beside(self) -> list[Deploy]:
        """The deploys that the incident may have to do with: within an hour before its first failure, or later."""
        return [one for one in self.deploys if shown_with(one, self.scope, self.began, self.ended)]

    @property
    def began(self) -> int:
        """The incident's first failing event, or else its opening; ms."""
        known = (line.first_bad_at or line.at for line in self.changes)
        return min(parse_instant(one) for one in known)

    @property
    def ended(self) -> int:
        """The incident's last change, without its closing; ms."""
        changes = self.changes
        return max(line.instant for line in changes if line.kind != "closed" or len(changes) == 1)
