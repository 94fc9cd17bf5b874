"""What do all pages of the console share? Head, navigation, dialog, script and style, and the policy that allows these.

A page is whole without script. Its script replaces the parts that have an id and ``data-live`` with those of the same
page as it is served later, and sends what people do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import get_args

from detectors.process.vocabulary import Role, Stage
from sinks.html import Child, Html, joined, tag

__all__ = ["ASSETS", "ConsolePage", "Standing", "asset", "asset_path", "card", "document", "live"]

#: The files that pages load: name -> media type.
ASSETS = {"console.css": "text/css", "console.js": "text/javascript", "console.svg": "image/svg+xml"}
_DIRECTIVES = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
_PLACES = (("/", "Overview"), ("/history", "History"), ("/runbooks", "Runbooks"))
#: ``completed`` is reached by an act of its own.
_STAGES = tuple(stage for stage in get_args(Stage) if stage != "completed")


@dataclass(frozen=True)
class ConsolePage:
    """A page as served, and the Content-Security-Policy that allows its own script and style and nothing else."""

    body: bytes
    content_security_policy: str = "; ".join(_DIRECTIVES)


@dataclass(frozen=True)
class Standing:
    """How the watch gets on: ``ok``, ``late``, ``blind`` or ``unknown``, in words, and in few where these are many."""

    state: str
    words: str
    brief: str = ""

    @property
    def is_stale(self) -> bool:
        """Whether what is shown may no longer be so."""
        return self.state in ("blind", "unknown")


@cache
def asset(name: str) -> bytes:
    """A file that pages load.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in ASSETS:
        raise KeyError(name)
    return (resources.files(__package__) / name).read_bytes()


@cache
def asset_path(name: str) -> str:
    """Where a file is loaded from: another path after each change, so that browsers may keep it."""
    return f"/assets/{name}?v={hashlib.sha256(asset(name)).hexdigest()[:12]}"


def live(id_: str, *children: Child, element: str = "div", **attributes: str | int | bool | None) -> Html:
    """An element that the script keeps up to date."""
    return tag(element, *children, id=id_, data_live=True, **attributes)


def card(title: str, facts: Sequence[tuple[str, Child]], *more: Child) -> Html:
    """A part of a page with a heading, facts (term, words; None is left out), and more."""
    pairs = ([tag("dt", term), tag("dd", words)] for term, words in facts if words is not None)
    return tag("section", tag("h2", title), tag("dl", pairs, class_="facts"), *more, class_="card")


def document(title: str, *main: Child, path: str, standing: Standing) -> ConsolePage:
    """A page.

    Args:
        title: of the window.
        main: what it shows.
        path: of the place that it belongs to, as in the navigation.
        standing: how the watch gets on.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href=asset_path("console.svg")),
        tag("link", rel="stylesheet", href=asset_path("console.css")),
        tag("script", src=asset_path("console.js"), defer=True),
    )
    places = (
        tag("a", words, href=place, aria_current="page" if place == path else None)
        for place, words in _PLACES
    )
    words = standing.brief or standing.words
    watch = live(
        "watch",
        tag("span", class_="dot", aria_hidden="true"),
        tag("span", words) if standing.state == "ok" else tag("a", words, href="/#health"),
        element="p",
        class_="watch",
        data_state=standing.state,
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", class_="skip", href="#main"),
        tag(
            "header",
            tag("p", tag("a", "Watch officer", href="/"), class_="brand"),
            tag("nav", places, aria_label="Places"),
            watch,
        ),
        tag("p", id="lost", class_="lost", role="status", hidden=True),
        tag("main", *main, id="main", tabindex="-1"),
        _dialog(),
        tag("p", id="toast", class_="toast", role="status", hidden=True),
    )
    html = joined((Html("<!doctype html>\n"), tag("html", head, "\n", body, lang="en"), "\n"))
    return ConsolePage(html.encode("utf-8", "replace"))


def _dialog() -> Html:
    """The dialog of all acts; the script shows the fields that an act takes."""
    times = "your time"
    fields = (
        _field("by", "Your name", tag("input", name="by", autocomplete="name", maxlength=200, required=True)),
        _field("role", "Role", _select("role", get_args(Role))),
        _field("who", "Who", tag("input", name="who", maxlength=200)),
        _field("stage", "Stage", _select("stage", _STAGES)),
        _field("scope", "Scope", tag("input", name="scope", maxlength=300, placeholder="prod/ssoe")),
        _field("item", "Item", tag("input", name="item", maxlength=128)),
        _field("since", f"From ({times})", tag("input", name="since", type="datetime-local")),
        _field("until", f"Until ({times})", tag("input", name="until", type="datetime-local")),
        _field("link", "Link", tag("input", name="link", type="url", maxlength=500)),
        _field("recurs", "Recurs (RRULE)", tag("input", name="recurs", maxlength=200)),
        _field("states", "States (such as AR, TX)", tag("input", name="states", maxlength=300)),
        _field("text", "Text", tag("textarea", name="text", rows=3, maxlength=4000)),
        _field("public", "For the public too", tag("input", name="public", type="checkbox")),
        tag(
            "label",
            tag("span", "API token ", tag("span", "kept in this tab's memory only", class_="hint")),
            tag("input", name="token", type="password", autocomplete="off"),
            data_field="token",
            hidden=True,
        ),
    )
    return tag(
        "dialog",
        tag(
            "form",
            tag("h2", id="ask-title"),
            tag("p", id="ask-does"),
            tag("p", id="ask-error", class_="error", role="alert", hidden=True),
            fields,
            tag(
                "div",
                tag("button", "Cancel", type="button", id="ask-cancel"),
                tag("button", "Send", type="submit", id="ask-send", class_="primary"),
                class_="actions",
            ),
            method="dialog",
            id="ask-form",
        ),
        id="ask",
        aria_labelledby="ask-title",
    )


def _field(name: str, words: str, control: Html) -> Html:
    return tag("label", tag("span", words), control, data_field=name)


def _select(name: str, values: tuple[str, ...]) -> Html:
    options = (tag("option", value.replace("_", " "), value=value) for value in values)
    return tag("select", options, name=name)
