"""What do the life cycle, the incident log and the reports make of the stories of a month?

What is played is the shipped life cycle; its lines are encoded for the topic, decoded, and reported on as
``watchofficer report`` does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from detectors.history.history import BUCKET, History
from detectors.incidents import Incident
from detectors.instants import DAY, HOUR, SECOND, format_instant
from detectors.policy.policy import Policy
from detectors.process.alert_news import AlertNews
from detectors.windows.impact import Distinct
from streams.kafka.topics import Topics
from streams.records.log_lines import Line, read_line
from streams.records.verdicts import log_line, notice_out
from streams.reports.announced import announced
from streams.reports.availability.report import sla_report
from streams.reports.document import Report
from streams.reports.episodes import Episode, episodes_of
from streams.reports.postmortem import postmortem_report
from streams.reports.response import response_report
from streams.reports.spans import Span
from tests.detectors.lifecycle.scenario import Scenario, World
from tests.incidents.stories import GAP_BEFORE, STEP, Act, Story

__all__ = ["FAILING", "Month", "leaves", "played"]

#: Sign-ins of a leaf in five minutes, and how many of them fail where it fails.
EVERY, FAILING = 500, 100
_METHODS, _CSPS = ("ssoe", "sis"), ("idme", "logingov")


@dataclass
class _People(World):
    """A world in which people fail one after another: ``rates`` are (from, until, people an hour), instants in ms."""

    rates: list[tuple[int, int, int]] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)

    def people(self, scope: str, since: int) -> Distinct:
        """Count those who have failed in the trailing hour, since an instant."""
        since = max(since, self.at - HOUR)
        last = bisect_right(self.begins, self.at)
        near = self.rates[max(last - 8, 0) : last]
        return Distinct(sum(_hit(rate, since, self.at) for rate in near), 0.0)


def _hit(rate: tuple[int, int, int], since: int, at: int) -> int:
    begin, end, per_hour = rate

    def until(instant: int) -> int:
        return (min(max(instant, begin), end) - begin) * per_hour // HOUR

    return until(at) - until(since)


@dataclass(frozen=True)
class Month:
    """What came of the stories of a month.

    Attributes:
        span: the month.
        incidents: as they stood last, by id.
        lines: of the incident log.
        history: of the topic ``sli-history``.
        failing: the start of five minutes (ms) -> the (method, provider) that fail in them.
        gap: (from, until), ms: maintenance of SiS.
    """

    policy: Policy
    span: Span
    incidents: dict[str, Incident]
    lines: list[Line]
    history: History
    failing: dict[int, set[tuple[str, str]]]
    gap: tuple[int, int]

    def counts(self, leaf: tuple[str, str]) -> Iterator[tuple[int, int, int]]:
        """The start of each five minutes (ms) with the good and the bad of a (method, provider)."""
        for at in range(self.span.start, self.span.end, BUCKET):
            bad = FAILING if leaf in self.failing.get(at, ()) else 0
            yield at, EVERY - bad, bad

    def episodes(self) -> list[Episode]:
        """The episodes that the log tells."""
        return episodes_of(self.lines)

    def reports(self, episodes: Sequence[Episode]) -> tuple[Report, Report]:
        """The month's reports: response times, and service levels."""
        now, policy = self.span.end, self.policy
        response = response_report(
            episodes, policy, self.span, env="prod", now=now, known_from=self.span.start
        )
        said = announced(self.lines, "prod", now)
        return response, sla_report(self.history, episodes, policy, self.span, now=now, said=said)

    def postmortem(self, episodes: Sequence[Episode], incident: str) -> Report:
        """The post-mortem of an incident."""
        own = [one for one in episodes if one.incident == incident]
        others = [one for one in episodes if one.incident != incident]
        return postmortem_report(own, others, self.policy, now=self.span.end)


def played(stories: Sequence[Story], policy: Policy, span: Span) -> Month:
    """Play the stories, one after another, in the month ``span``."""
    scenario = Scenario(policy, every=STEP, start=span.start)
    world = scenario.world = _People(at=span.start)
    lines = list[Line]()
    gap_from = -(-(stories[GAP_BEFORE - 1].ends + 600) // 300) * 300 if len(stories) > GAP_BEFORE else 9_000
    gap = (span.start + gap_from * SECOND, span.start + gap_from * SECOND + HOUR)
    _maintain(scenario, gap)
    for number, story in enumerate(stories, 1):
        _tell(scenario, world, story, number)
        scenario.play(until=story.ends)
        lines += _lines(scenario, policy)
        scenario._now = max(scenario._now, story.ends + STEP)
    failing = _failing(stories, span, gap)
    history = _history(failing, policy, span)
    return Month(policy, span, scenario.heard.incidents, lines, history, failing, gap)


def _lines(scenario: Scenario, policy: Policy) -> Iterator[Line]:
    """The lines of what has happened since the last call, as the topic holds them."""
    made, scenario.heard.transitions = scenario.heard.transitions, []
    scenario.heard.commands = []
    for transition in made:
        yield read_line(msgspec.json.encode(log_line(transition, {}, policy.hash)))
    for notice in scenario.lifecycle.take_notices():
        yield read_line(notice_out(Topics(), 0, notice).value or b"")


def _maintain(scenario: Scenario, gap: tuple[int, int]) -> None:
    """Announce maintenance of SiS long before it."""
    said = gap[0] - 10 * DAY
    before = Scenario(scenario.policy, every=STEP, start=said)
    before.at(0).asks(
        "maintain", None, by="Bo Ek", scope="prod/sis", since=gap[0], until=gap[1], text="patching"
    )
    before.play(until=0)
    scenario.lifecycle = before.lifecycle


def _tell(scenario: Scenario, world: _People, story: Story, number: int) -> None:
    """Put what happens in a story, and what people say, onto the scenario."""
    start, incident = scenario.heard.start, f"prod-{number}"

    def at(second: int) -> int:
        return start + second * SECOND

    rates = list[tuple[int, int, int]]()
    for n, epoch in enumerate(story.epochs):
        for m, (begin, last) in enumerate(epoch.spans):
            first = story.began if n == m == 0 else begin - STEP
            changes = [x for x in (story.rises,) if x is not None and first < x < last]
            after = story.rate[1] if story.rises is not None and first >= story.rises else story.rate[0]
            for since, until in zip([first, *changes], [*changes, last], strict=True):
                rates.append(
                    (at(since), at(until), story.rate[1] if changes and since == changes[-1] else after)
                )
            if story.detector != "report":
                first_bad = at(story.began) if n == m == 0 else at(begin)
                scenario.at(begin).fires(
                    story.scope, detector=story.detector, first_bad=first_bad, csp_caused=story.csp_caused
                )
                scenario.at(last + STEP).quiet(story.scope)
        for act in epoch.acts:
            _ask(scenario, act, incident, n, story, start)
        if epoch.resolved_by is not None:
            second, by = epoch.resolved_by
            scenario.at(second).asks("resolve", incident, by=by, text="It works.")
    world.rates += rates
    world.begins += [begin for begin, _, _ in rates]
    if story.muted:
        until = at(story.epochs[-1].over + 600)
        scenario.at(story.began - 2 * STEP).asks(
            "mute", None, scope=story.scope, since=at(story.began - 2 * STEP), until=until, text="a drill"
        )
    for act in story.after:
        _ask(scenario, act, incident, 0, story, start)


def _ask(scenario: Scenario, act: Act, incident: str, epoch: int, story: Story, start: int) -> None:
    """Hand in an act as its door does: PagerDuty with its alert, everybody else by name."""
    now, more = start + act.at * SECOND, dict[str, Any](act.more)
    way, number = more.pop("way", "us"), more.pop("n", 0)
    target: str | None = incident
    match act.kind:
        case "acknowledge" if way != "us":
            alert = AlertNews(
                dedup_key=f"watchofficer:{incident}:{epoch}",
                incident=f"Q{incident}.{epoch}",
                into="Q-other" if way == "merge" else None,
                occurred_at=now,
            )
            kind = "merge" if way == "merge" else "acknowledge"
            scenario.at(act.at).asks(
                kind, incident, by=f"PagerDuty: {act.by}", via="pagerduty", alert=alert, at=now
            )
            return
        case "note":
            more = {"text": "IAM was called.", "since": now - more["ago"] * SECOND}
        case "update":
            more = {"text": "Please use the other method."}
        case "eta":
            more = {"until": now + more["ahead"] * SECOND}
        case "follow_up":
            more["text"] = f"task {number}"
        case "report":
            target, more = None, {"scope": story.scope, "text": "I cannot sign in."}
    scenario.at(act.at).asks(act.kind, target, by=act.by, at=now, **more)


def leaves(scope: str) -> list[tuple[str, str]]:
    """The (method, provider) that a scope holds."""
    _, *values = scope.split("/")
    wanted = [*values, "*", "*"][:2]
    return [(m, c) for m in _METHODS for c in _CSPS if wanted[0] in ("*", m) and wanted[1] in ("*", c)]


def _failing(stories: Sequence[Story], span: Span, gap: tuple[int, int]) -> dict[int, set[tuple[str, str]]]:
    """What fails in which five minutes: what the stories say, and SiS in its maintenance."""
    failing = dict[int, set[tuple[str, str]]]()
    for story in stories:
        if story.detector != "outage":
            continue
        for n, epoch in enumerate(story.epochs):
            for m, (begin, last) in enumerate(epoch.spans):
                first = story.began if n == m == 0 else begin
                for at in _buckets(span.start + first * SECOND, span.start + last * SECOND):
                    failing.setdefault(at, set()).update(leaves(story.scope))
    for at in _buckets(gap[0], gap[1] - 1):
        failing.setdefault(at, set()).update(leaves("prod/sis"))
    return failing


def _history(failing: dict[int, set[tuple[str, str]]], policy: Policy, span: Span) -> History:
    """The five-minute records of the month."""
    found = History.of("prod", policy)
    for at in range(span.start, span.end, BUCKET):
        bad = failing.get(at, set())
        records = [_leaf(*one, failing=one in bad) for one in leaves("prod")]
        found.add({"v": 2, "env": "prod", "at": format_instant(at), "leaves": records})
    return found


def _buckets(begin: int, last: int) -> range:
    """The starts (ms) of the five minutes that begin within a span."""
    return range(begin + -begin % BUCKET, last + 1, BUCKET)


def _leaf(method: str, csp: str, *, failing: bool) -> dict[str, Any]:
    bad = FAILING if failing else 0
    counts = {"good": EVERY - bad, "bad": bad, "excluded": 0, "started": EVERY, "slow": 5, "timed": EVERY}
    return {"axes": {"auth_method": method, "csp": csp}, "sign_in": counts}
