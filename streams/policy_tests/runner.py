"""What happens when the real engine runs over the series of a test, in memory?"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from detectors.history.history import BUCKET
from detectors.incidents import Command, Incident, Transition
from detectors.policy.policy import Policy
from streams.evaluate.evaluator import Verdict
from streams.policy_tests.document import PolicyTest
from streams.policy_tests.events import history_of, lines_of
from streams.policy_tests.notation import Events, Segment, Series
from streams.replay.replay import Replay
from streams.replay.scoring.finding_changes import Change, FindingChanges

__all__ = ["BannerChange", "Run", "run_test"]


@dataclass(frozen=True)
class BannerChange:
    """A banner's state from ``at`` (ms) on."""

    at: int
    status: str
    incident: str | None


@dataclass
class Run:
    """What happened in a test. Instants in ms.

    Attributes:
        start, until: from when to when it was run.
        step: of the policy, ms.
        findings: (detector, scope) -> changes, in order.
        incidents: (T, those that are not closed), at every T at which they changed.
        banners: key -> changes; ``ok`` before the first.
        transitions, commands: in order.
        events: how many there were.
    """

    start: int
    until: int
    step: int
    findings: dict[tuple[str, str], list[Change]] = field(default_factory=dict)
    incidents: list[tuple[int, tuple[Incident, ...]]] = field(default_factory=list)
    banners: dict[str, list[BannerChange]] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    events: int = 0

    def standing(self, at: int) -> tuple[Incident, ...]:
        """The incidents that are not closed at T."""
        place = bisect_right(self.incidents, at, key=lambda pair: pair[0])
        return self.incidents[place - 1][1] if place else ()


def run_test(
    test: PolicyTest, policy: Policy, start: int, history: Iterable[dict[str, Any]] | None = None
) -> Run:
    """Run a test from ``start`` (ms).

    Args:
        history: records of ``sli-history``, where the test names a file of them.
    """
    end = start + max((one.length for one in test.series), default=0)
    until = test.until.at(start) if test.until is not None else end
    until -= until % policy.step
    changes = FindingChanges(until)
    run = Run(start, until, policy.step, changes.found)
    if history is None:
        history = history_of(test.history, start, policy) if isinstance(test.history, tuple) else ()
    inputs = [(_due(one.at.at(start), policy.step), one.input(i)) for i, one in enumerate(test.inputs)]
    # The input goes on beyond what is looked at: the engine judges as far as there are events.
    beyond = max(end, until) + BUCKET - start
    later = Segment((), beyond), Segment((Events("started"),), 0)
    lines = lines_of((*test.series, Series("", "localhost", (("ssoe", None),), "new", later)), start)
    replay = Replay(
        [((None, line) for line in lines)],
        policy,
        now=start + beyond,
        history=history,
        inputs=inputs,
        observer=changes,
    )
    for verdict in replay.run():
        if verdict.result.at <= until:
            _note(run, verdict)
    if replay.summary.accepted != len(lines):
        raise AssertionError(f"{len(lines)} events were made, not all of which counted: {replay.summary}")
    run.events = len(lines) - 1
    return run


def _due(at: int, step: int) -> int:
    return -(-at // step) * step


def _note(run: Run, verdict: Verdict) -> None:
    step = verdict.result
    run.transitions += step.transitions
    run.commands += [command for command in step.commands if command.kind != "notice"]
    if step.incidents is not None and step.incidents != run.standing(step.at):
        run.incidents.append((step.at, step.incidents))
    for banner in verdict.banners:
        run.banners.setdefault(banner.key, []).append(
            BannerChange(banner.version, banner.state, banner.incident_id)
        )
