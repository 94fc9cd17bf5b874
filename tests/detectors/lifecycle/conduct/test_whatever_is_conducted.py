"""Whatever people conduct, keep quiet and complete, in any order: nothing that they put down or hid is lost.

A machine plays the world and the acts of the process: roles, stages, estimates, updates, follow-ups, the checklist,
mutes, maintenance, the post-mortem, completion, and restarts.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from detectors.instants import HOUR, MINUTE, SECOND
from detectors.lifecycle.response_times import clocks
from detectors.notification.paging import LEVELS, may_page
from detectors.process.record import CHECKS_KEPT, FOLLOW_UPS_KEPT
from tests.detectors.lifecycle.scenario import START, Scenario
from tests.support.depth import examples

EVERY = 10
SCOPES = st.sampled_from(["prod", "prod/ssoe", "prod/ssoe/idme", "prod/sis"])
PEOPLE = st.sampled_from([20, 60, 5_000])
NAMES = st.sampled_from(["Ada", "Bob"])
ITEMS = st.sampled_from(["monitors", "sign_in_ssoe", "sign_in_sis", "statement", "1", "9"])
LINKS = st.sampled_from([None, "https://jira.example/1"])
KINDS = st.sampled_from(
    ["acknowledge", "unacknowledge", "declare", "resolve", "note", "update", "post_mortem", "complete"]
)


class Conduct(RuleBasedStateMachine):
    """One environment, an incident at least, and the people who conduct it."""

    @initialize(scope=SCOPES, people=PEOPLE)
    def begin(self, scope: str, people: int) -> None:
        self.scenario = Scenario(every=EVERY)
        self.second = self.seen = 0
        self.put_down: dict[str, tuple[str, ...]] = {}
        self.scenario.world.fires(scope, people=people)
        self.plays()

    def plays(self, steps: int = 1) -> None:
        self.second += EVERY * steps
        self.scenario.play(until=self.second - EVERY)

    def asks(self, kind: str, **more: object) -> None:
        more = {"incident": "prod-1", "by": "Ada", "text": "why", "at": self.now, **more}
        self.scenario.world.asks(kind, **more)  # type: ignore[arg-type]
        self.plays()

    @property
    def now(self) -> int:
        """The next T, ms."""
        return START + self.second * SECOND

    # -- what happens

    @rule(steps=st.sampled_from([1, 7, 31, 100, 200]))
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

    @rule(kind=KINDS, by=NAMES)
    def somebody_acts(self, kind: str, by: str) -> None:
        link = {"link": "https://wiki.example/pm", "text": ""} if kind == "post_mortem" else {}
        self.asks(kind, by=by, **link)

    @rule(role=st.sampled_from(["commander", "technical_lead"]), who=NAMES)
    def a_role_is_given(self, role: str, who: str) -> None:
        self.asks("assign", role=role, who=who)

    @rule(stage=st.sampled_from(["triage", "response", "post_incident", "completed"]))
    def the_stage_is_said(self, stage: str) -> None:
        self.asks("stage", stage=stage)

    @rule(ahead=st.sampled_from([-MINUTE, HOUR, None]))
    def an_end_is_estimated(self, ahead: int | None) -> None:
        self.asks("eta", until=None if ahead is None else self.now + ahead)

    @rule(item=st.sampled_from([None, "1", "3"]), link=LINKS)
    def a_follow_up_is_put_down_or_linked(self, item: str | None, link: str | None) -> None:
        self.asks("follow_up", item=item, link=link)

    @rule(item=ITEMS)
    def a_line_is_ticked(self, item: str) -> None:
        self.asks("check", item=item)

    @rule(kind=st.sampled_from(["mute", "maintain"]), scope=SCOPES, lasts=st.sampled_from([MINUTE, HOUR]))
    def a_scope_is_kept_quiet(self, kind: str, scope: str, lasts: int) -> None:
        self.asks(kind, incident=None, scope=scope, since=self.now, until=self.now + lasts)

    @rule(item=st.sampled_from(["prod-c1", "prod-c2"]))
    def what_is_quiet_is_ended(self, item: str) -> None:
        self.asks("unmute", incident=None, item=item)

    @rule()
    def the_worker_restarts(self) -> None:
        self.scenario.restart()
        self.plays()

    # -- what must be true

    @invariant()
    @precondition(lambda self: hasattr(self, "scenario"))
    def clocks_are_right_and_nobody_waits_in_silence(self) -> None:
        at, rules = self.now - EVERY * SECOND, self.scenario.policy
        for one in self.scenario.lifecycle.incidents():
            process = one.process
            if one.state in ("resolved", "closed"):
                assert process.next_update_at is None
                assert process.answer_by is None
                continue
            assert process.next_update_at is not None
            assert at < process.next_update_at <= at + rules.lifecycle.update_every
            ends = {clock.due_at for clock in clocks(one, rules)}
            assert (process.answer_by is None) == (one.acknowledged_at is not None)
            assert process.answer_by is None or process.answer_by in ends

    @invariant()
    @precondition(lambda self: hasattr(self, "scenario"))
    def what_is_put_down_stays_and_completion_waits_for_all_of_it(self) -> None:
        for made in self.scenario.heard.transitions[self.seen :]:
            incident, process = made.incident, made.incident.process
            texts = tuple(one.text for one in process.follow_ups)
            before = self.put_down.get(incident.id, ())
            assert len(texts) <= FOLLOW_UPS_KEPT
            assert len(process.checklist) <= CHECKS_KEPT
            if len(texts) >= len(before):
                assert texts[: len(before)] == before
                self.put_down[incident.id] = texts
            if made.kind == "completed":
                assert incident.state in ("resolved", "closed")
                assert process.completed_by == process.roles["commander"] == made.by
                assert "postmortem" in incident.links
                assert all(one.link or one.done_at for one in process.follow_ups)
        self.seen = len(self.scenario.heard.transitions)
        for one in self.scenario.lifecycle.incidents():
            assert tuple(task.text for task in one.process.follow_ups) == self.put_down[one.id]

    @invariant()
    @precondition(lambda self: hasattr(self, "scenario"))
    def nobody_is_woken_within_a_mute_and_nothing_muted_is_lost(self) -> None:
        commands = self.scenario.heard.commands
        assert len({command.id for command in commands}) == len(commands)
        for command in commands:
            if command.sink == "pagerduty" and command.action == "trigger":
                until = command.incident.muted_until
                assert until is None or command.at >= until
                assert not command.incident.in_maintenance
        for one in self.scenario.lifecycle.incidents():
            if one.state == "open" and one.severity < 3 and may_page(one) and one.said_resolved_at is None:
                assert LEVELS[one.severity] in {page.level for page in one.pages}, one


Conduct.TestCase.settings = settings(max_examples=examples(15), stateful_step_count=15, deadline=None)
TestConduct = Conduct.TestCase
