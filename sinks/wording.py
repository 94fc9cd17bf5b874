"""How is an incident put into words? One vocabulary for the page, the thread, the event and the console."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import UNSET

from detectors.axes import ANY
from detectors.incidents import Incident, error_words
from detectors.instants import HOUR, MINUTE

__all__ = [
    "CLIENT_NAMES",
    "CSP_NAMES",
    "METHOD_NAMES",
    "Link",
    "capitalised",
    "day_words",
    "duration_words",
    "headline",
    "links_of",
    "one_line",
    "people_words",
    "scope_words",
    "state_words",
    "time_words",
    "truncate",
]

CSP_NAMES = {
    "idme": "ID.me",
    "logingov": "Login.gov",
    "mhv": "My HealtheVet",
    "dslogon": "DS Logon",
    "clear": "CLEAR",
}
METHOD_NAMES = {"ssoe": "SSOe", "sis": "SiS"}
#: Clients whose name is not that of a provider.
CLIENT_NAMES = {"vaweb": "VA.gov", "vamobile": "the VA mobile app", "ebenefits": "eBenefits"}

_ELLIPSIS = "…"
_LINK_TITLES = {
    "console": "Console",
    "runbook": "Runbook",
    "datadog": "Datadog event",
    "datadog_incident": "Datadog incident",
    "slack": "Slack thread",
    "pagerduty": "PagerDuty incident",
}
# Detector -> what its scope does, if it alone fired; in every other case the scope "is failing".
_SYMPTOMS = {
    "latency": "is slow",
    "surge": "sees a surge of errors made by users",
    "silence": "has fallen silent",
    "funnel": "loses people before they come back",
}
_JOINERS = "\u200d"  # zero width joiner: what follows belongs to the same character


class Link(NamedTuple):
    """A link of an incident: its name in ``Incident.links``, a title for people, and its URL."""

    name: str
    title: str
    url: str


def scope_words(scope: str) -> str:
    """A scope in words: ``SSOe sign-in``, ``ID.me on both sign-in methods``, ``VA.gov on SiS``, ``all sign-in``.

    Outside prod the environment follows: ``SiS sign-in in staging``. A value without a name is called by itself. A
    path of more than a method, a provider and a client is returned unchanged.
    """
    env, *values = scope.split("/")
    where = "" if env == "prod" else f" in {env}"
    if not all(values) or len(values) > 3:
        return scope
    method, csp, client = (*values, *(ANY,) * (3 - len(values)))
    who = " for ".join(
        names.get(value, value) for names, value in ((CSP_NAMES, csp), (CLIENT_NAMES, client)) if value != ANY
    )
    by = METHOD_NAMES.get(method, method)
    if not who:
        return f"all sign-in{where}" if method == ANY else f"{by} sign-in{where}"
    return f"{who} on {'both sign-in methods' if method == ANY else by}{where}"


def headline(incident: Incident) -> str:
    """What happens, in one clause: ``SSOe sign-in is failing``."""
    subject = capitalised(scope_words(incident.scope))
    if incident.state in ("resolved", "closed"):
        return f"{subject} works again"
    if incident.state == "recovering":
        return f"{subject} is recovering"
    symptom = _SYMPTOMS.get(incident.causes[0], "") if len(incident.causes) == 1 else ""
    return f"{subject} {symptom or 'is failing'}"


def people_words(incident: Incident) -> str:
    """The people that the severity rests on, with the basis of the figure: ``~9,400 people an hour (projected)``.

    An estimate from a sample includes its error: ``about 2,104,000 people (±0.19%) in the last hour``.
    """
    figure = incident.users_impacted
    noun = "person" if figure == 1 else "people"
    error = incident.users_impacted_error
    if incident.basis == "observed" and error is not UNSET:
        digits = len(str(int(figure * error))) - 1
        return f"about {round(figure, -digits):,} {noun} ({error_words(error)}) in the last hour"
    if incident.basis == "observed":
        return f"{figure:,} {noun} in the last hour"
    return f"~{_two_digits(figure):,} {noun} an hour ({incident.basis})"


def state_words(incident: Incident) -> str:
    """The incident's state and the person who acknowledged it: ``acknowledged by Ada at 15:07 UTC``."""
    if incident.state in ("resolved", "closed"):
        when = f" at {time_words(incident.resolved_at)}" if incident.resolved_at is not None else ""
        whom = f" by {incident.resolved_by}" if incident.resolved_by else ""
        why = f" ({incident.resolved_reason})" if incident.resolved_reason else ""
        return f"resolved{whom}{when}{why}"
    known = "not acknowledged yet"
    if incident.acknowledged_at is not None:
        whom = incident.acknowledged_by or "somebody"
        known = f"acknowledged by {whom} at {time_words(incident.acknowledged_at)}"
    if incident.state == "recovering":
        since = f" since {time_words(incident.recovering_at)}" if incident.recovering_at is not None else ""
        return f"recovering{since}, {known}"
    return known if incident.state == "acknowledged" else f"open, {known}"


def links_of(incident: Incident, found: Mapping[str, str] | None = None) -> list[Link]:
    """The incident's links and the links ``found`` at other receivers; only http and https URLs."""
    named = {**(found or {}), **incident.links}
    order = {name: place for place, name in enumerate(_LINK_TITLES)}
    return [
        Link(name, _LINK_TITLES.get(name) or capitalised(one_line(name.replace("_", " "))) or "Link", url)
        for name, url in sorted(named.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))
        if url.startswith(("https://", "http://"))
    ]


def time_words(at: int) -> str:
    """``15:05 UTC`` of an instant in ms."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%H:%M UTC")


def day_words(at: int) -> str:
    """``23 Nov 2026 15:05 UTC`` of an instant in ms."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return f"{moment.day} {moment.strftime('%b %Y %H:%M UTC')}"


def duration_words(millis: int) -> str:
    """``1 h 5 min``, ``23 min``, ``40 s`` of a duration in ms; seconds only below a minute."""
    millis = max(millis, 0)
    if millis < MINUTE:
        return f"{millis // 1000} s"
    hours, minutes = divmod(millis // MINUTE, HOUR // MINUTE)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def capitalised(text: str) -> str:
    """The text with a capital first letter, the rest (``ID.me``, ``SSOe``) untouched."""
    return text[:1].upper() + text[1:]


def one_line(text: str) -> str:
    """The text on one line: every run of white space and control characters becomes a space."""
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in text).split())


def truncate(text: str, limit: int) -> str:
    """At most ``limit`` characters, the last an ellipsis where something was cut.

    The cut never separates a letter from its accents or an emoji from its modifiers. A character that UTF-8
    cannot encode (half of a surrogate pair) becomes ``?``.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) <= limit:
        return text
    end = limit - len(_ELLIPSIS)
    while end > 0 and (_continues(text[end]) or text[end - 1] in _JOINERS):
        end -= 1
    return text[: max(end, 0)].rstrip() + _ELLIPSIS


def _continues(character: str) -> bool:
    """Whether ``character`` modifies the one before it: accents, variation selectors, joiners, skin tones."""
    return (
        unicodedata.category(character) in ("Mn", "Me", "Mc")
        or character in _JOINERS
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def _two_digits(figure: int) -> int:
    """``figure`` rounded to two significant digits, the precision of a projection."""
    scale: int = 10 ** max(len(str(abs(figure))) - 2, 0)
    return int(round(figure / scale) * scale)
