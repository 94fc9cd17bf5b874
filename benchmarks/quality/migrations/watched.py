"""What does the watch say of a move? Each stretch is replayed, with the history before it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from benchmarks.quality.migrations.migration import Migration, Stretch
from benchmarks.quality.migrations.traffic import events, history
from detectors.instants import DAY, SECOND, format_instant
from detectors.policy.policy import Policy
from streams.replay.replay import Replay
from streams.settings.policy_file import default_policy, read_policy

__all__ = ["PAGED_WITHIN", "SIGNED_IN", "Watched", "watch"]

#: An outage of the newcomer is paged within this time, ms, once so many people have signed in by it.
PAGED_WITHIN = 60 * SECOND
SIGNED_IN = 200
#: The moves are judged every five seconds, their outages every second as by the policy that ships.
_COARSE = "step: 5s"


@dataclass
class Watched:
    """What came of a move.

    Attributes:
        events, rejected: how many were read, and rejected.
        pages: of each message to PagerDuty before an outage: when, level, scope and causes.
        opened: of each incident that opened before an outage, the same; those that woke nobody too.
        notices: how many notices there were.
        signed_in: people who had signed in by the newcomer in the hour before its outage.
        paged_after: time from the start of the newcomer's outage to the page, ms; None for no page.
        paged_scope: the scope of the incident that paged.
        seconds: CPU seconds.
    """

    migration: Migration
    events: int = 0
    rejected: int = 0
    pages: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    notices: int = 0
    signed_in: int = 0
    paged_after: int | None = None
    paged_scope: str = ""
    seconds: float = 0.0

    def faults(self) -> list[str]:
        """Return what should not be."""
        out = [f"paged: {page}" for page in self.pages]
        if self.rejected:
            out.append(f"{self.rejected} events were rejected")
        if self.paged_after is None:
            out.append("the newcomer's outage was not paged")
        elif self.paged_after > PAGED_WITHIN:
            out.append(f"the newcomer's outage was paged after {self.paged_after / SECOND:.0f} s")
        return out


def watch(migration: Migration) -> Watched:
    """Judge all stretches of a move."""
    out = Watched(migration)
    began = time.process_time()
    coarse = read_policy(_COARSE, "judged every five seconds")
    for stretch in migration.stretches:
        _judge(out, stretch, coarse if stretch.outage is None else default_policy())
    out.seconds = time.process_time() - began
    return out


def _judge(out: Watched, stretch: Stretch, policy: Policy) -> None:
    lines = events(out.migration, stretch)
    if stretch.outage is not None:
        out.signed_in = _signed_in(out.migration, stretch.outage, lines)
    replay = Replay(
        [iter([(None, line) for line in lines])],
        policy,
        now=stretch.end + DAY,
        history=history(out.migration, stretch.begin),
    )
    for verdict in replay.run():
        result = verdict.result
        before = stretch.outage is None or result.at <= stretch.outage
        out.notices += len(result.notices) if before else 0
        for transition in result.transitions:
            if before and transition.kind == "opened":
                one = transition.incident
                out.opened.append(f"{format_instant(result.at)} severity {one.severity} {one.scope}")
        for command in result.commands:
            if command.sink != "pagerduty" or command.action != "trigger":
                continue
            scope = command.incident.scope
            if before:
                causes = ", ".join(command.incident.causes)
                out.pages.append(f"{format_instant(result.at)} {command.level} {scope} ({causes})")
            elif out.paged_after is None and stretch.outage is not None and command.level != "warning":
                out.paged_after, out.paged_scope = result.at - stretch.outage, scope
    out.events += replay.summary.events
    out.rejected += replay.summary.rejected


def _signed_in(one: Migration, until: int, lines: list[bytes]) -> int:
    """Count those who have signed in by the newcomer until an instant (ms)."""
    name, limit = f'"{one.new}"'.encode(), f'"occurred_at":"{format_instant(until)}'.encode()
    return sum(
        name in line and b'"success"' in line and line[line.index(b'"occurred_at"') :] < limit
        for line in lines
    )
