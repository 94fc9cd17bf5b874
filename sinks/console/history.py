"""Which incidents were there, how soon were they answered, and how long did they last? With a search."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from detectors.incidents import Incident
from sinks.console.incident import path_of_incident
from sinks.console.shell import ConsolePage, Standing, document, live
from sinks.console.timeline import instant
from sinks.html import Html, tag
from sinks.wording import ScopeNames, duration_words, headline, one_line

__all__ = ["STATES", "Filter", "HistoryView", "history_page", "matching"]

STATES = ("open", "acknowledged", "recovering", "resolved", "closed")
_SHOWN = 200


@dataclass(frozen=True)
class Filter:
    """What is looked for; empty for everything.

    Attributes:
        words: all of which stand in an incident's id, scope, sentence, notes or names of people.
        env: the environment.
        state: where it is in its life.
        severity: the worst that it had, 1-3; 0 for any.
    """

    words: str = ""
    env: str = ""
    state: str = ""
    severity: int = 0


@dataclass(frozen=True, kw_only=True)
class HistoryView:
    """What is shown: the filter, the incidents that match it, the latest first, and how many are known in all.

    ``months`` are those that have reports, such as 2026-11, the latest first, each with whether the service levels of
    production are known for it.
    """

    filter: Filter
    found: Sequence[Incident]
    known: int
    envs: Sequence[str]
    names: ScopeNames
    standing: Standing
    now: int
    months: Sequence[tuple[str, bool]] = ()


def matching(incidents: Sequence[Incident], wanted: Filter, names: ScopeNames) -> list[Incident]:
    """Return the incidents that match a filter, the latest first."""
    words = wanted.words.lower().split()
    found = [
        one
        for one in incidents
        if (not wanted.env or one.env == wanted.env)
        and (not wanted.state or one.state == wanted.state)
        and (not wanted.severity or one.peak_severity == wanted.severity)
        and all(word in _text(one, names) for word in words)
    ]
    return sorted(found, key=lambda one: (-one.opened_at, one.id))


def _text(one: Incident, names: ScopeNames) -> str:
    people = (one.acknowledged_by or "", one.resolved_by or "", *one.process.roles.values())
    notes = (f"{note.by} {note.text}" for note in one.notes)
    return " ".join(
        (one.id, one.scope, names.words(one.scope), one.sentence, *one.causes, *people, *notes)
    ).lower()


def history_page(view: HistoryView) -> ConsolePage:
    """The page."""
    return document(
        "Incidents: Watch officer",
        tag("h1", "Incidents"),
        _search(view),
        _reports(view.months),
        live("found", _figures(view.found), _table(view)),
        path="/history",
        standing=view.standing,
    )


def _search(view: HistoryView) -> Html:
    wanted = view.filter
    severities = ("", "1", "2", "3")
    return tag(
        "form",
        tag("label", "Search", tag("input", type="search", name="q", value=wanted.words, maxlength=200)),
        tag("label", "Environment", _select("env", ("", *view.envs), wanted.env)),
        tag("label", "State", _select("state", ("", *STATES), wanted.state)),
        tag("label", "Severity", _select("severity", severities, str(wanted.severity or ""))),
        tag("button", "Search", type="submit"),
        class_="search",
        method="get",
        action="/history",
        role="search",
    )


def _reports(months: Sequence[tuple[str, bool]]) -> Html | None:
    """Links to the reports of production, by month."""
    if not months:
        return None
    rows = (
        tag(
            "li",
            tag("b", month),
            ": ",
            tag(
                "a", "response times", href=f"/reports/{month}/mtta", aria_label=f"Response times of {month}"
            ),
            (
                ", ",
                tag(
                    "a",
                    "service levels",
                    href=f"/reports/{month}/sla",
                    aria_label=f"Service levels of {month}",
                ),
            )
            if has_levels
            else None,
        )
        for month, has_levels in months
    )
    return tag("details", tag("summary", "Reports of production by month"), tag("ul", rows), class_="reports")


def _select(name: str, values: Sequence[str], chosen: str) -> Html:
    options = (tag("option", value or "any", value=value, selected=value == chosen) for value in values)
    return tag("select", options, name=name)


def _figures(found: Sequence[Incident]) -> Html:
    answers = [one.acknowledged_at - one.opened_at for one in found if one.acknowledged_at is not None]
    ends = [one.resolved_at - one.opened_at for one in found if one.resolved_at is not None]
    return tag(
        "p",
        f"{len(found):,} found. ",
        _mean("To acknowledge (MTTA)", answers),
        "; ",
        _mean("to resolve (MTTR)", ends),
        ".",
        class_="lead",
    )


def _mean(what: str, spans: Sequence[int]) -> str:
    if not spans:
        return f"{what}: no incident yet"
    mean, median = (
        duration_words(round(statistics.fmean(spans))),
        duration_words(round(statistics.median(spans))),
    )
    return f"{what}: mean {mean}, median {median}, of {len(spans):,}"


def _table(view: HistoryView) -> Html:
    if not view.found:
        return tag("p", f"No incident of the {view.known:,} that are known here matches.")
    titles = (
        "Opened",
        "Incident",
        "Severity",
        "State",
        "People, at most",
        "Answered after",
        "Lasted",
        "Found by",
    )
    rows = (_row(one, view) for one in view.found[:_SHOWN])
    more = len(view.found) - _SHOWN
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", (tag("th", title, scope="col") for title in titles))),
            tag("tbody", rows),
        ),
        tag("p", f"{more:,} older ones are not shown: search for less.") if more > 0 else None,
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Incidents",
    )


def _row(one: Incident, view: HistoryView) -> Html:
    answered = "–" if one.acknowledged_at is None else duration_words(one.acknowledged_at - one.opened_at)
    end = one.resolved_at if one.resolved_at is not None else view.now
    lasted = duration_words(end - one.opened_at)
    cells = (
        instant(one.opened_at),
        tag("a", f"{one.id}: {headline(one, view.names)}", href=path_of_incident(one.id)),
        tag("span", one.peak_severity, class_="tag", data_is=one.peak_severity),
        one.state,
        f"{one.peak_users_impacted:,}",
        answered,
        lasted if one.resolved_at is not None else f"{lasted} so far",
        one_line(", ".join(one.causes)).replace("_", " "),
    )
    return tag("tr", (tag("td", cell) for cell in cells))
