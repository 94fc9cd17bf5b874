"""How is an incident conducted: by whom, until when, what is left to do, and who was told?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.incidents import Incident
from detectors.process.actions import OF_INCIDENTS
from sinks.console.acts import act_button
from sinks.console.shell import card
from sinks.console.timeline import Message, instant, told_words
from sinks.html import Child, Html, tag
from sinks.wording import Link, capitalised, one_line, time_words

__all__ = ["PageState", "conduct_cards"]

_PAGES = {
    "delivered": "went out",
    "pending": "has not gone out yet",
    "refused": "was refused",
    "not_sent": "was not sent",
    "off": "goes nowhere: PagerDuty is not set up",
    "unknown": "is not known to have gone out",
}


@dataclass(frozen=True)
class PageState:
    """A page: its level, what became of it, when (ms) and why."""

    level: str
    state: str
    at: int | None = None
    reason: str = ""


def conduct_cards(
    incident: Incident,
    pages: Sequence[PageState],
    links: Sequence[Link],
    runbooks: Sequence[tuple[str, str]],
    draft: str,
    messages: Sequence[Message],
) -> list[Html]:
    """How an incident is conducted, what to do, and who was told.

    Args:
        incident: as it stands.
        pages: what became of its pages.
        links: places outside.
        runbooks: title and path of each that applies.
        draft: a proposed update for those who wait; "" for none.
        messages: what receivers were told, in the order of their outcomes.
    """
    process = incident.process
    over = incident.state in ("resolved", "closed")
    roles = ", ".join(f"{one_line(who)} ({role.replace('_', ' ')})" for role, who in process.roles.items())
    said = process.said
    how: list[tuple[str, Child]] = [
        ("Stage", process.stage.replace("_", " ")),
        ("Roles", roles or "none given"),
        (
            "Expected to be over by",
            None if over else instant(process.eta) if process.eta is not None else "not known",
        ),
        (
            "Next update by",
            instant(process.next_update_at) if process.next_update_at is not None and not over else None,
        ),
        (
            "Last update",
            None if said is None else f"{one_line(said.by)}, {time_words(said.at)}: {one_line(said.text)}",
        ),
        ("A draft of the next", draft or None),
    ]
    muted = ", as it is muted" if incident.muted_until is not None and not over else ""
    went = [_page_words(page) for page in pages]
    told: list[tuple[str, Child]] = [
        ("Told", capitalised(told_words(messages))),
        ("Pages", tag("ul", went, class_="plain") if went else f"none: nobody was woken{muted}"),
        (
            "Links",
            tag("ul", (tag("li", _outside(link)) for link in links), class_="plain") if links else "none yet",
        ),
    ]
    books = (
        tag("ul", (tag("li", tag("a", title, href=path)) for title, path in runbooks), class_="plain")
        if runbooks
        else "none"
    )
    return [
        card("How it is conducted", how),
        card("What to do", [("Runbooks", books)], _checklist(incident), _follow_ups(incident)),
        card("Who was told", told),
    ]


def _page_words(page: PageState) -> Html:
    when = f" at {time_words(page.at)}" if page.at is not None else ""
    why = f": {one_line(page.reason)}" if page.reason else ""
    words = f"{page.level.capitalize()} page {_PAGES.get(page.state, page.state)}{when}{why}"
    return tag("li", words, class_="page", data_is=page.state)


def _outside(link: Link) -> Html:
    return tag("a", one_line(link.title), href=link.url, rel="noreferrer noopener")


def _checklist(incident: Incident) -> Html | None:
    lines = []
    for one in incident.process.checklist:
        done = one.done_at is not None
        by = f" ({one_line(one.done_by or '')}, {time_words(one.done_at)})" if one.done_at is not None else ""
        tick = None if done else act_button(incident, OF_INCIDENTS["check"], label="Tick", item=one.item)
        lines.append(
            tag(
                "li",
                tag("span", "☑ " if done else "☐ ", aria_label="done" if done else "to do", role="img"),
                capitalised(one.text),
                by,
                " ",
                tick,
            )
        )
    return tag("ul", lines, class_="plain checklist", aria_label="Checklist") if lines else None


def _follow_ups(incident: Incident) -> Html | None:
    lines = []
    for number, one in enumerate(incident.process.follow_ups, 1):
        link = tag("a", "link", href=one.link, rel="noreferrer noopener") if one.link else None
        done = one.done_at is not None
        button = (
            None
            if done
            else act_button(incident, OF_INCIDENTS["follow-up"], label="Link, or done", item=str(number))
        )
        lines.append(
            tag(
                "li",
                "☑ " if done else "☐ ",
                f"{number}. {one_line(one.text)} ({one_line(one.by)}) ",
                link,
                " ",
                button,
            )
        )
    return tag("div", tag("h3", "Follow-ups"), tag("ul", lines, class_="plain checklist")) if lines else None
