"""What does the first page of the console show? How sign-in stands, in one line and then in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from detectors.incidents import Incident
from detectors.instants import HOUR
from detectors.process.deploys import Deploy
from sinks.console.acts import first_acts, report_button
from sinks.console.charts import Mark, Sample, Span, budget_chart, deploy_marks, people_chart, success_chart
from sinks.console.heat import HeatView, heat_map, heat_over_time, share_words
from sinks.console.incident import Deadline, deadline_words, path_of_incident, who_words
from sinks.console.shell import ConsolePage, Standing, document, live
from sinks.console.timeline import clock, instant
from sinks.html import Child, Html, tag
from sinks.wording import (
    ScopeNames,
    common_words,
    duration_words,
    ended,
    headline,
    one_line,
    people_words,
    time_words,
)

__all__ = [
    "RANGES",
    "MethodView",
    "Notice",
    "OpenIncident",
    "OverviewView",
    "headline_words",
    "overview_page",
]

#: What of the past the charts show: its name in the path, and its length, ms.
RANGES = {"1h": HOUR, "6h": 6 * HOUR, "24h": 24 * HOUR}
_WINDOWS = "success over 5 minutes, people over the trailing hour"


@dataclass(frozen=True, kw_only=True)
class MethodView:
    """One sign-in method.

    Attributes:
        name: what people call it.
        success: the share that succeeded over five minutes; None: nothing completed.
        good, bad: sign-ins over five minutes.
        to: the end of those five minutes, ms; None: not known.
        people: who were impacted in the trailing hour; None: not known.
        objective: the share that should succeed.
        budget: the share of the month's error budget that is left; None: not known to this worker.
        budget_gone: when it will be gone (ms), if that is within the month.
        burned: instant (ms) and the share of the budget that was left, the oldest first; () where that is not known.
        month: of the budget.
        samples: over the time that the chart shows.
        banner: the state of its banner; "" where it has none.
    """

    name: str
    success: float | None
    good: int
    bad: int
    to: int | None = None
    people: int | None
    objective: float | None
    budget: float | None
    budget_gone: int | None
    burned: Sequence[tuple[int, float]]
    month: Span
    samples: Sequence[Sample]
    banner: str


class OpenIncident(NamedTuple):
    """An open incident with what stands beside it.

    Attributes:
        incident: as it stands.
        deadlines: what is due by when.
        told: whom it was told to, in words.
        runbooks: title and path of each that applies.
    """

    incident: Incident
    deadlines: Sequence[Deadline] = ()
    told: str = ""
    runbooks: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Notice:
    """Something that people should know and that is no incident: when (ms), and what."""

    at: int
    text: str


@dataclass(frozen=True, kw_only=True)
class OverviewView:
    """What is known when the page is made.

    Attributes:
        env, envs: the environment that is shown, and all of them.
        now: ms.
        range: a name of ``RANGES``.
        names: what people call the values of scopes.
        standing: how the watch gets on.
        reached: the T (ms) up to which the environment is evaluated; None: it never was.
        incidents: the open ones, the most urgent first.
        past: those that ended within the range.
        methods: in the order of the policy.
        thresholds: severity and the people an hour above which it begins.
        heat: of this moment.
        notices: the latest first.
        health: part -> how it gets on.
        obstacles: what does not get on, in words, each with what to do.
        deploys: what went into use within the range.
    """

    env: str
    envs: Sequence[str]
    now: int
    range: str
    names: ScopeNames
    standing: Standing
    reached: int | None
    incidents: Sequence[OpenIncident]
    past: Sequence[Incident]
    methods: Sequence[MethodView]
    thresholds: Sequence[tuple[int, int]]
    heat: HeatView
    notices: Sequence[Notice]
    health: Mapping[str, str]
    obstacles: Sequence[tuple[str, str]]
    deploys: Sequence[Deploy] = ()


def overview_page(view: OverviewView) -> ConsolePage:
    """The page."""
    worst = view.incidents[0].incident if view.incidents else None
    title = (
        f"({len(view.incidents)}) SEV {worst.severity} Watch officer"
        if worst is not None
        else "Watch officer"
    )
    span = Span(view.now - RANGES[view.range], view.now)
    heat = (
        tag("h2", "Method × provider × client", id="heat-title"),
        tag("h3", f"The last {view.range}: the longer the bar, the more failed"),
        heat_over_time(view.heat.past, span, view.names),
        tag("h3", "Now"),
        heat_map(view.heat, view.names),
    )
    return document(
        title,
        tag("h1", "Sign-in now", class_="skip"),
        _headline(view),
        live("open", _open(view)),
        live("methods", _methods(view), element="section", aria_labelledby="methods-title"),
        live("heat", heat, element="section", aria_labelledby="heat-title", class_="card"),
        live("more", _notices(view), _health(view), class_="columns"),
        _environments(view),
        path="/",
        standing=view.standing,
    )


def headline_words(view: OverviewView) -> tuple[int | None, str]:
    """The severity and the line that is read across the room: what fails, since when, for how many, who has it."""
    if not view.incidents:
        if view.reached is None:
            return None, f"Nothing has been evaluated in {view.env} yet."
        return 0, "People can sign in. No open incident."
    incident = view.incidents[0].incident
    lasts = duration_words(view.now - incident.first_bad_at)
    since = f"since {time_words(incident.first_bad_at)} ({lasts})"
    what = f"{headline(incident, view.names)} {since}: {people_words(incident)}."
    more = len(view.incidents) - 1
    others = "" if not more else f" And {more} more open incident{'s' if more > 1 else ''}."
    return incident.severity, f"Severity {incident.severity}. {what} {who_words(incident)}{others}"


def _headline(view: OverviewView) -> Html:
    severity, words = headline_words(view)
    stale = None
    if view.standing.is_stale and view.reached is not None:
        age = duration_words(view.now - view.reached)
        stale = tag("small", f"As it stood {age} ago, at {time_words(view.reached)}. {view.standing.words}")
    elif view.standing.is_stale and view.standing.state == "blind":
        stale = tag("small", view.standing.words)
    link = path_of_incident(view.incidents[0].incident.id) if view.incidents else None
    said: Child = words if link is None else tag("a", words, href=link)
    return live(
        "headline",
        said,
        stale,
        element="p",
        class_="headline stale" if view.standing.is_stale else "headline",
        role="status",
        data_severity="unknown" if severity is None else severity,
    )


def _open(view: OverviewView) -> list[Child]:
    return [_incident(one, view) for one in view.incidents[:20]]


def _incident(one: OpenIncident, view: OverviewView) -> Html:
    incident = one.incident
    common = common_words(incident.common)
    books = enumerate(one.runbooks)
    runbooks = ([", " if n else "", tag("a", title, href=path)] for n, (title, path) in books)
    clocks = (
        tag("li", words, data_is=state)
        for state, words in (deadline_words(one, view.now) for one in one.deadlines)
    )
    return tag(
        "article",
        tag(
            "h2",
            tag("a", f"{incident.id}: {headline(incident, view.names)}", href=path_of_incident(incident.id)),
        ),
        tag(
            "p",
            tag("span", f"Severity {incident.severity}", class_="tag", data_is=incident.severity),
            tag("span", incident.state, class_="tag", data_is=incident.state),
            tag("span", incident.priority, class_="tag"),
            tag("span", "in maintenance", class_="tag") if incident.in_maintenance else None,
            tag("span", "muted", class_="tag") if incident.muted_until is not None else None,
            class_="tags",
        ),
        tag("p", ended(incident.sentence)),
        tag("p", f"In common: {common}.") if common else None,
        tag("p", tag("strong", incident.fail_over)) if incident.fail_over else None,
        tag("p", f"Told: {one.told}.") if one.told else None,
        tag("p", "What to do: ", runbooks, ".") if one.runbooks else None,
        tag("ul", clocks, class_="deadlines"),
        first_acts(incident),
        class_="card open-incident",
        data_severity=incident.severity,
        aria_label=f"{incident.id}, severity {incident.severity}",
    )


def _methods(view: OverviewView) -> list[Html]:
    ranges = (_place(name, view.env, name, name == view.range) for name in RANGES)
    return [
        tag("h2", "Sign-in methods ", tag("span", f"({_WINDOWS})", class_="minor"), id="methods-title"),
        tag("p", "Shown: the last ", ranges, class_="ranges"),
        tag("div", (_method(one, view) for one in view.methods), class_="methods"),
    ]


def _method(method: MethodView, view: OverviewView) -> Html:
    span = Span(view.now - RANGES[view.range], view.now)
    marks = [
        Mark(
            one.first_bad_at,
            one.resolved_at if one.resolved_at is not None else view.now,
            f"{one.id}: {headline(one, view.names)}",
            one.severity,
        )
        for one in (*(each.incident for each in view.incidents), *view.past)
        if _names_method(one, view.names) in ("", method.name)
    ] + deploy_marks(view.deploys)
    share = "–" if method.success is None else share_words(method.success)
    people = "–" if method.people is None else f"{method.people:,}"
    banner = (
        tag("span", f"banner: {method.banner}", class_="tag", data_is=method.banner)
        if method.banner
        else None
    )
    name = method.name
    until = None if method.to is None else (", to ", clock(method.to), " UTC")
    return tag(
        "article",
        tag("h3", name, " ", banner),
        tag(
            "div",
            tag(
                "div",
                tag("div", share, class_="big"),
                tag("div", f"succeed: {method.good:,} good, {method.bad:,} bad", until, class_="minor"),
            ),
            tag("div", tag("div", people, class_="big"), tag("div", "people impacted", class_="minor")),
            class_="pair",
        ),
        tag(
            "figure",
            tag("figcaption", "Success, 5 minutes"),
            success_chart(
                method.samples,
                span,
                method.objective,
                marks,
                title=f"Success of {name}, the last {view.range}",
            ),
        ),
        tag(
            "figure",
            tag("figcaption", "People impacted, trailing hour"),
            people_chart(
                method.samples,
                span,
                view.thresholds,
                marks,
                title=f"People impacted on {name}, the last {view.range}",
            ),
        ),
        _budget(method),
        class_="card",
        aria_label=name,
    )


def _names_method(incident: Incident, names: ScopeNames) -> str:
    """What people call the one method that an incident is of; "" where it is of all."""
    value = names.named(incident.scope).get("auth_method")
    return "" if value is None else names.of("auth_method", value)


def _budget(method: MethodView) -> Html:
    if method.objective is None:
        return tag("p", "No objective is set.", class_="minor")
    if method.budget is None:
        return tag(
            "p",
            "This month's error budget: known to the worker that evaluates it, once it has counted.",
            class_="minor",
        )
    left = method.budget
    words = (
        f"{left:.1%} of this month's error budget is left"
        if left >= 0
        else f"This month's error budget is overspent by {-left:.1%}"
    )
    gone = (
        [", gone by ", instant(method.budget_gone), " at this rate"]
        if method.budget_gone is not None and left > 0
        else []
    )
    meter = tag(
        "meter",
        f"{left:.0%}",
        min=0,
        max=1,
        low=0.25,
        value=max(0.0, round(left, 4)),
        class_="meter",
        aria_label=f"Error budget of {method.name}",
    )
    line = tag(
        "figure",
        tag("figcaption", "Budget of the month that is left; dashed: if it were spent evenly"),
        budget_chart(method.burned, method.month, title=f"Error budget of {method.name} over the month"),
    )
    said = tag("p", words, gone, f" (objective {method.objective * 100:.4g} %)", class_="minor")
    return tag("div", said, meter, line if method.burned else None)


def _notices(view: OverviewView) -> Html:
    lines = (tag("li", instant(one.at), f": {one_line(one.text)}") for one in view.notices)
    body = tag("ul", lines, class_="plain") if view.notices else tag("p", "None.")
    return tag("section", tag("h2", "Notices"), body, class_="card")


def _health(view: OverviewView) -> Html:
    obstacles = (
        tag(
            "li",
            words,
            tag("div", f"What to do: {remedy}", class_="minor") if remedy else None,
            data_is="blind" if view.standing.state == "blind" else "late",
        )
        for words, remedy in view.obstacles
    )
    pairs = ([tag("dt", part), tag("dd", words)] for part, words in view.health.items())
    return tag(
        "section",
        tag("h2", "How this watch gets on"),
        tag("ul", obstacles, class_="obstacles") if view.obstacles else None,
        tag("dl", pairs, class_="facts"),
        class_="card",
        id="health",
    )


def _place(words: str, env: str, shown: str, current: bool) -> Html:
    return tag("a", words, href=f"/?env={env}&range={shown}", aria_current="true" if current else None)


def _environments(view: OverviewView) -> Html:
    links = (_place(env, env, view.range, env == view.env) for env in view.envs)
    return tag("p", "Environment: ", links, " ", report_button(view.env), class_="ranges actions")
