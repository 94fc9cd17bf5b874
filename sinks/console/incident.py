"""What does the page of one incident show? What fails, how badly, for whom, who has it, by when, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from detectors.incidents import Counts, Incident, error_words
from detectors.process.deploys import Deploy
from sinks.console.acts import first_acts, further_acts
from sinks.console.charts import Mark, Sample, Span, deploy_marks, people_chart, success_chart
from sinks.console.conduct import PageState, conduct_cards
from sinks.console.shell import ConsolePage, Standing, card, document, live
from sinks.console.timeline import Happening, Message, instant, timeline
from sinks.html import Child, Html, tag
from sinks.wording import (
    Link,
    ScopeNames,
    capitalised,
    common_words,
    duration_words,
    headline,
    one_line,
    people_words,
    state_words,
    time_words,
)

__all__ = [
    "Deadline",
    "IncidentView",
    "PageState",
    "deadline_words",
    "incident_page",
    "path_of_incident",
    "who_words",
]

OVER = ("resolved", "closed")
_BASES = {
    "observed": "counted: distinct people whose sign-in failed in the hour before",
    "projected": "projected: what the last minutes become in an hour, if it goes on",
    "estimated": "estimated: failures leave no trace here, so it is what is missing against the usual",
}
#: What is due, by its name.
_DUE = {"response": "A response", "alert": "An answer to the page", "update": "The next update"}


@dataclass(frozen=True)
class Deadline:
    """Something that is due in an incident: its name, by when (ms), and when it was done (ms), if it was."""

    name: str
    due_at: int
    stopped_at: int | None


@dataclass(frozen=True, kw_only=True)
class IncidentView:
    """What is known of an incident when its page is made.

    Attributes:
        incident: as it stands.
        now: ms.
        names: what people call the values of scopes.
        standing: how the watch gets on; the page says so where that is not well.
        happenings: the changes, oldest first.
        messages: what receivers were told.
        pages: what became of its pages.
        deadlines: what is due by when.
        samples: success and people of its scope, or of the scope ``measured`` that holds it.
        measured: the scope of ``samples``.
        span: the time that the charts show.
        objective: the share that should succeed.
        thresholds: severity and the people an hour above which it begins.
        runbooks: title and path of each that applies.
        links: places outside.
        similar: earlier incidents of the same scope with a cause in common.
        draft: a proposed update for those who wait.
        deploys: what went into use in the time that the charts show.
    """

    incident: Incident
    now: int
    names: ScopeNames
    standing: Standing
    span: Span
    happenings: Sequence[Happening] = ()
    messages: Sequence[Message] = ()
    pages: Sequence[PageState] = ()
    deadlines: Sequence[Deadline] = ()
    samples: Sequence[Sample] = ()
    measured: str = ""
    objective: float | None = None
    thresholds: Sequence[tuple[int, int]] = ()
    runbooks: Sequence[tuple[str, str]] = ()
    links: Sequence[Link] = ()
    similar: Sequence[Incident] = ()
    draft: str = ""
    deploys: Sequence[Deploy] = ()


def path_of_incident(incident: str) -> str:
    """Where the page of an incident (id) is."""
    return f"/incidents/{incident}"


def incident_page(view: IncidentView) -> ConsolePage:
    """The page."""
    incident, over = view.incident, view.incident.state in OVER
    level = "over" if over else str(incident.severity)
    title = f"{'Resolved' if over else f'SEV {incident.severity}'} {incident.id}: {headline(incident, view.names)}"
    return document(
        title,
        live(
            "head",
            _head(view),
            class_=f"incident-head{' stale' if view.standing.is_stale else ''}",
            data_severity=level,
        ),
        live("deadlines", _deadlines(view)),
        live("acts", first_acts(incident)),
        live("facts", _facts(view), class_="columns"),
        live("charts", _charts(view), element="section", aria_labelledby="charts-title"),
        live("conduct", _conduct(view), _similar(view), class_="columns wide"),
        _section(
            "What happened, in order",
            "timeline",
            timeline(incident, view.happenings, view.messages, view.names, view.deploys),
        ),
        _section("More acts", "more", further_acts(incident, view.names)),
        path="/incidents",
        standing=view.standing,
    )


def _section(title: str, id_: str, *children: Child) -> Html:
    return tag(
        "section", tag("h2", title, id=f"{id_}-title"), live(id_, *children), aria_labelledby=f"{id_}-title"
    )


def _head(view: IncidentView) -> Html:
    incident = view.incident
    tags: list[Child] = [
        tag("span", f"Severity {incident.severity}", class_="tag", data_is=incident.severity),
        tag("span", incident.state, class_="tag", data_is=incident.state),
        tag("span", incident.priority, class_="tag"),
        tag("span", f"Datadog {incident.datadog_severity}", class_="tag"),
        tag("span", "declared", class_="tag") if incident.declared_at is not None else None,
        tag("span", "in maintenance", class_="tag") if incident.in_maintenance else None,
        tag("span", "muted", class_="tag") if incident.muted_until is not None else None,
        tag("span", "the provider's doing", class_="tag") if incident.csp_caused else None,
    ]
    stale = None
    if view.standing.is_stale:
        stale = tag(
            "p",
            f"This is how it stood at {time_words(incident.updated_at)}: {view.standing.words}",
            class_="stale-why",
        )
    lasted = _lasted(incident, view.now)
    return tag(
        "div",
        tag("p", tags, tag("span", incident.id, class_="minor"), class_="tags"),
        tag("h1", headline(incident, view.names)),
        tag("p", _summary(incident, lasted), class_="lead"),
        tag("p", who_words(incident), class_="who"),
        stale,
    )


def _summary(incident: Incident, lasted: str) -> str:
    if incident.state in OVER:
        people = f"{incident.peak_users_impacted:,}"
        return (
            f"It lasted {lasted}; at the worst {people} people an hour. {capitalised(state_words(incident))}."
        )
    since = f"Since {time_words(incident.first_bad_at)}, for {lasted}"
    return f"{capitalised(people_words(incident))}. {since}; {_failing_share(incident):.0%} of sign-ins fail."


def _failing_share(incident: Incident) -> float:
    """The share of sign-ins that fail: of the latest window, once it lies within the incident, else as was found."""
    now = incident.counts_now
    if incident.basis == "estimated" or now is None or now.success_ratio is None:
        return incident.failing_ratio
    return now.failing_ratio if now.at - now.window >= incident.first_bad_at else incident.failing_ratio


def who_words(incident: Incident) -> str:
    """Who has an incident, in a sentence."""
    commander = incident.process.roles.get("commander")
    if incident.state in OVER:
        return f"{one_line(commander)} was the commander." if commander else ""
    if incident.acknowledged_at is None:
        return "Nobody has it yet."
    by = one_line(incident.acknowledged_by or "") or "Somebody"
    led = (
        f"; {one_line(commander)} is the commander"
        if commander and commander != incident.acknowledged_by
        else ""
    )
    return f"{by} has it since {time_words(incident.acknowledged_at)}{led}."


def _lasted(incident: Incident, now: int) -> str:
    end = incident.resolved_at if incident.state in OVER and incident.resolved_at is not None else now
    return duration_words(end - incident.first_bad_at)


def deadline_words(deadline: Deadline, now: int) -> tuple[str, str]:
    """How what is due stands (``met``, ``running``, ``near``, ``over``), and that in words."""
    name = _DUE[deadline.name]
    due = time_words(deadline.due_at)
    if deadline.stopped_at is not None:
        late = deadline.stopped_at - deadline.due_at
        if late <= 0:
            return "met", f"{name} was due at {due}: met with {duration_words(-late)} to spare"
        return "over", f"{name} was due at {due}: {duration_words(late)} late"
    left = deadline.due_at - now
    if left < 0:
        return "over", f"{name} is {duration_words(-left)} overdue (since {due})"
    state: Literal["near", "running"] = "near" if left < 10 * 60_000 else "running"
    return state, f"{name} is due in {duration_words(left)}, at {due}"


def _deadlines(view: IncidentView) -> Html | None:
    lines = [deadline_words(one, view.now) for one in view.deadlines]
    return (
        tag("ul", (tag("li", words, data_is=state) for state, words in lines), class_="deadlines")
        if lines
        else None
    )


def _facts(view: IncidentView) -> list[Html]:
    incident = view.incident
    error = incident.users_impacted_error
    within = f" ({error_words(error)})" if isinstance(error, float) and error else ""
    now, peak, states = incident.counts_now, incident.counts_peak, incident.process.states
    observed = (
        "–"
        if now is None
        else f"{now.users_impacted:,} in {duration_words(now.window)}, to {time_words(now.at)}"
    )
    latest = view.samples[-1] if view.samples and view.measured == incident.scope else None
    counted = None if latest is None else latest.people
    hour = f"{counted:,}, to {time_words(latest.at)}" if latest is not None and counted is not None else None
    people: list[tuple[str, Child]] = [
        (f"{incident.basis.capitalize()}, an hour", f"{incident.users_impacted:,}{within}"),
        ("Counted, trailing hour", hour),
        ("Counted, last minutes", observed),
        ("At the worst", f"{incident.peak_users_impacted:,} an hour, severity {incident.peak_severity}"),
        ("What the figure is", capitalised(_BASES[incident.basis])),
        ("Severity", _severity_words(view)),
    ]
    failing: list[tuple[str, Child]] = [
        ("Affects", f"{capitalised(view.names.words(incident.scope))} ({incident.scope})"),
        ("Declared for", f"People in {', '.join(states)}" if states else None),
        ("Within it", ", ".join(view.names.words(scope) for scope in incident.narrower) or None),
        ("In common", capitalised(common_words(incident.common)) or "Nothing that stands out"),
        ("Evidence", one_line(incident.sentence)),
        ("Sign-ins lately", _counts_words(now, incident.first_bad_at)),
        ("When it was worst", _counts_words(peak, incident.first_bad_at)),
        ("Works beside it", ", ".join(view.names.words(scope) for scope in incident.process.works) or None),
        ("Fail-over", incident.fail_over if incident.state not in OVER else None),
        ("Found by", ", ".join(cause.replace("_", " ") for cause in incident.causes)),
    ]
    return [
        card("For whom, and how bad", people),
        card("What failed" if incident.state in OVER else "What fails", failing),
    ]


def _severity_words(view: IncidentView) -> str:
    above = ", ".join(f"{severity} above {people:,}" for severity, people in sorted(view.thresholds))
    return f"{view.incident.severity}, by {view.incident.users_impacted:,} people an hour ({above})"


def _counts_words(counts: Counts | None, began: int) -> str | None:
    """The sign-ins of a window, which may have begun before the failure did (ms)."""
    share = None if counts is None else counts.success_ratio
    if counts is None or share is None:
        return None
    span = f"{duration_words(counts.window)} to {time_words(counts.at)}"
    before = began - (counts.at - counts.window)
    mixed = f", of which {duration_words(before)} before it began" if 0 < before < counts.window else ""
    return f"{share:.1%} succeed: {counts.good:,} good, {counts.bad:,} bad, in {span}{mixed}"


def _charts(view: IncidentView) -> list[Html]:
    incident = view.incident
    end = incident.resolved_at if incident.resolved_at is not None else view.span.end
    words = f"{incident.id}: {headline(incident, view.names)}"
    marks = [Mark(incident.first_bad_at, end, words, incident.severity), *deploy_marks(view.deploys)]
    subject = view.names.words(view.measured or incident.scope)
    success = success_chart(
        view.samples, view.span, view.objective, marks, title=f"Success of {subject}, over 5 minutes each"
    )
    people = people_chart(
        view.samples,
        view.span,
        view.thresholds,
        marks,
        title=f"People impacted by {subject}, in the hour before",
    )
    return [
        tag("h2", f"{capitalised(subject)}, around the incident", id="charts-title"),
        tag(
            "div",
            tag("figure", tag("figcaption", "Success, 5 minutes"), success),
            tag("figure", tag("figcaption", "People impacted, trailing hour"), people),
            class_="columns",
        ),
    ]


def _conduct(view: IncidentView) -> list[Html]:
    return conduct_cards(view.incident, view.pages, view.links, view.runbooks, view.draft, view.messages)


def _similar(view: IncidentView) -> Html:
    lines = (
        tag(
            "li",
            tag("a", one.id, href=path_of_incident(one.id)),
            f" {headline(one, view.names)}, ",
            instant(one.opened_at),
            f", severity {one.peak_severity}, {_lasted(one, view.now)}",
        )
        for one in view.similar
    )
    body = (
        tag("ul", lines, class_="plain")
        if view.similar
        else tag("p", "None with this scope and cause is known here.")
    )
    return tag("section", tag("h2", "Earlier incidents like it"), body, class_="card")
