"""Whatever people do, by whatever door and in whatever order it arrives: nothing that fails is told as over.

A machine plays the world, people at every door, and PagerDuty, whose webhooks arrive late and out of order.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from detectors.axes import contains
from detectors.incidents import Transition
from detectors.instants import MINUTE, SECOND
from detectors.notification.paging import LEVELS, may_page
from detectors.process.alert_news import AlertNews
from tests.detectors.lifecycle.scenario import START, Scenario
from tests.support.depth import examples

EVERY = 10
SCOPES = st.sampled_from(["prod", "prod/ssoe", "prod/ssoe/idme", "prod/sis", "prod/*/logingov"])
PEOPLE = st.sampled_from([0, 20, 60, 900, 5_000])
DOORS = st.sampled_from(["http", "slack", "pagerduty"])
NAMES = st.sampled_from(["Ada", "Bob", "PagerDuty: Cy"])
INCIDENTS = st.integers(1, 3).map(lambda number: f"prod-{number}")
NEWS = st.sampled_from(
    ["linked", "acknowledge", "unacknowledge", "resolve", "merge", "auto_resolve", "reopen"]
)


class Life(RuleBasedStateMachine):
    """One environment, its incidents, and everybody who speaks of them."""

    @initialize(scope=SCOPES, people=PEOPLE)
    def begin(self, scope: str, people: int) -> None:
        self.scenario = Scenario(every=EVERY)
        self.second = 0
        self.seen = 0
        self.fired: dict[int, frozenset[str]] = {}
        self.scenario.world.fires(scope, people=people)
        self.plays()

    def plays(self, steps: int = 1) -> None:
        for _ in range(steps):
            world = self.scenario.world
            self.fired[START + self.second * SECOND] = frozenset(world.causes)
            self.scenario.play(until=self.second)
            self.second += EVERY

    # -- what happens

    @rule(steps=st.sampled_from([1, 2, 7, 31, 100, 200]))
    def time_passes(self, steps: int) -> None:
        self.plays(steps)

    @rule(scope=SCOPES, people=PEOPLE)
    def something_fails(self, scope: str, people: int) -> None:
        self.scenario.world.fires(scope, people=people)
        self.plays()

    @rule()
    def all_is_well(self) -> None:
        self.scenario.world.quiet(people=0)
        self.plays()

    @rule(people=PEOPLE)
    def more_or_fewer_are_hit(self, people: int) -> None:
        self.scenario.world.hits(people)
        self.plays()

    @rule(
        kind=st.sampled_from(["acknowledge", "unacknowledge", "note", "declare", "resolve"]),
        incident=INCIDENTS,
        by=NAMES,
        via=DOORS,
    )
    def somebody_asks(self, kind: str, incident: str, by: str, via: str) -> None:
        self.scenario.world.asks(kind, incident, by=by, via=via, text="why", at=START + self.second * SECOND)
        self.plays()

    @rule(scope=SCOPES, kind=st.sampled_from(["report", "declare"]))
    def somebody_says_that_a_scope_fails(self, scope: str, kind: str) -> None:
        self.scenario.world.asks(kind, scope=scope)
        self.plays()

    @rule(
        kind=NEWS,
        incident=INCIDENTS,
        theirs=st.sampled_from(["Q1", "Q2", "Q3"]),
        end=st.sampled_from(["", ":s1", ":r1"]),
        late=st.sampled_from([0, 1, 30, 600]),
        by=st.sampled_from(["PagerDuty: Ada", "PagerDuty"]),
    )
    def pagerduty_says(self, kind: str, incident: str, theirs: str, end: str, late: int, by: str) -> None:
        known = self.scenario.heard.incidents.get(incident)
        alert = AlertNews(
            dedup_key=f"watchofficer:{incident}:{known.epoch if known else 0}{end}",
            incident=theirs,
            into="Q9" if kind == "merge" else None,
            occurred_at=START + max(0, self.second - late) * SECOND,
        )
        self.scenario.world.asks(kind, incident, by=by, via="pagerduty", alert=alert)
        self.plays()

    @rule()
    def the_worker_restarts(self) -> None:
        self.scenario.restart()
        self.plays()

    # -- what must be true

    def news(self) -> list[Transition]:
        return self.scenario.heard.transitions[self.seen :]

    @invariant()
    @precondition(lambda self: hasattr(self, "scenario"))
    def nothing_that_fails_is_resolved(self) -> None:
        for made in self.news():
            if made.kind != "resolved" or str(made.incident.resolved_reason).startswith("merged into"):
                continue
            firing = self.fired[made.at]
            assert not [scope for scope in firing if contains(made.incident.scope, scope)], made.reason

    @invariant()
    @precondition(lambda self: hasattr(self, "scenario"))
    def an_acknowledgement_hides_no_rise(self) -> None:
        for made in self.news():
            before = made.from_severity
            if made.kind == "severity" and before is not None and made.incident.severity < before:
                loud = made.incident.acknowledged_at is None or made.incident.severity == 1
                as_loud = {LEVELS[severity] for severity in range(1, made.incident.severity + 1)}
                told = any(page.level in as_loud for page in made.incident.pages)
                assert told or not (may_page(made.incident) and loud)

    @invariant()
    @precondition(lambda self: hasattr(self, "scenario"))
    def the_worst_is_not_forgotten(self) -> None:
        worst: dict[Any, int] = {}
        for made in self.scenario.heard.transitions:
            key = made.incident.id, made.incident.epoch
            assert made.incident.peak_severity <= worst.get(key, 3)
            if made.incident.basis != "projected":  # a projection that the next minutes refute is no peak
                worst[key] = min(worst.get(key, 3), made.incident.severity)

    @invariant()
    @precondition(lambda self: hasattr(self, "scenario"))
    def each_thing_is_told_once(self) -> None:
        commands = self.scenario.heard.commands
        assert len({command.id for command in commands}) == len(commands)
        for name in self.scenario.heard.incidents:
            notes = [
                c.at
                for c in commands
                if c.incident_id == name
                and c.sink == "slack"
                and c.action == "reply"
                and c.kind in ("note", "notes")
            ]
            epochs = [t.at for t in self.scenario.heard.transitions if t.kind in ("reopened", "closed")]
            assert all(b - a >= MINUTE or any(a <= at <= b for at in epochs) for a, b in pairwise(notes))
            again = [c for c in commands if c.incident_id == name and c.kind == "still_failing"]
            said = [
                t
                for t in self.scenario.heard.transitions
                if t.incident.id == name and t.kind == "said_resolved"
            ]
            pages = [c for c in again if c.action == "trigger"]
            assert len({(c.epoch, c.dedup_key) for c in pages}) == len(pages)
            assert sum(c.sink == "slack" and c.action == "broadcast" for c in again) <= len(said)

    @invariant()
    @precondition(lambda self: hasattr(self, "scenario"))
    def nobody_has_what_was_given_back(self) -> None:
        for one in self.scenario.lifecycle.incidents():
            if one.state == "acknowledged":
                assert one.acknowledged_by is not None
            if one.said_resolved_at is not None:
                assert one.acknowledged_at is None
                assert one.state in ("open", "recovering")
        self.seen = len(self.scenario.heard.transitions)


Life.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=25, deadline=None)
TestLife = Life.TestCase
