"""How is an incident put into words? One vocabulary for the page, the thread, the event and the console."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from msgspec import UNSET

from detectors.axes import ANY, AXES
from detectors.bounds import plain_line
from detectors.incidents import Common, Incident, error_words
from detectors.instants import HOUR, MINUTE
from detectors.policy.policy import Policy

__all__ = [
    "CHART_WORDS",
    "EXERCISE",
    "UNNAMED",
    "Link",
    "ScopeNames",
    "capitalised",
    "change_title",
    "common_words",
    "conduct_words",
    "day_words",
    "duration_words",
    "ended",
    "headline",
    "links_of",
    "one_line",
    "people_words",
    "state_words",
    "time_words",
    "truncate",
    "update_words",
]

#: The ``notify.dedup_prefix`` of exercises, by which all that is said of an incident is marked.
EXERCISE = "exercise"
_ELLIPSIS = "…"
#: What the chart shows, for those who cannot see it.
CHART_WORDS = "Share of sign-ins that fail, and people impacted, over the last hour"
_LINK_TITLES = {
    "console": "Console",
    "runbook": "Runbook",
    "datadog": "Datadog event",
    "datadog_incident": "Datadog incident",
    "slack": "Slack thread",
    "pagerduty": "PagerDuty incident",
    "postmortem": "Post-mortem",
    "chart": "Chart",
}
# Detector -> what its scope does, if it alone fired; in every other case the scope "is failing".
_SYMPTOMS = {
    "latency": "is slow",
    "surge": "sees a surge of errors made by users",
    "silence": "has fallen silent",
    "funnel": "loses people before they get in",
}
# What people do who have a value of an axis or step, and what those do of whom it has the share among all.
_HAVING = {
    "auth_method": "use {}",
    "csp": "use {}",
    "client_id": "use {}",
    "step": "fail at the step {}",
    "error_code": "have the error code {}",
    "error_class": "have the error class {}",
}
_JOINERS = "\u200d"  # zero width joiner: what follows belongs to the same character


class Link(NamedTuple):
    """A link of an incident: its name in ``Incident.links``, a title for people, and its URL."""

    name: str
    title: str
    url: str


class ScopeNames:
    """What people call the values of scopes.

    Args:
        policy: has the axes and values, or returns the policy that is in force, whose names are used from then on;
            None: each value is called by itself, on the axes of the policy that ships.
    """

    def __init__(self, policy: Policy | Callable[[], Policy] | None = None) -> None:
        if policy is None or isinstance(policy, Policy):
            self._in_force: Callable[[], Policy | None] = partial(_itself, policy)
        else:
            self._in_force = policy

    @property
    def mark(self) -> str:
        """What each headline begins with: ``EXERCISE: `` in an exercise, else nothing."""
        policy = self._in_force()
        return "EXERCISE: " if policy is not None and policy.notify.dedup_prefix == EXERCISE else ""

    @property
    def _axes(self) -> Sequence[str]:
        policy = self._in_force()
        return AXES if policy is None else policy.axes

    @property
    def _all_methods(self) -> str:
        policy = self._in_force()
        listed = () if policy is None else policy.values_of("auth_method")
        return "both sign-in methods" if len(listed) == 2 else "all sign-in methods"

    def of(self, axis: str, value: str) -> str:
        """The name of a value; a client's says what kind it is, unless its name does: ``VA.gov (web)``."""
        policy = self._in_force()
        if policy is None:
            return value
        name = policy.name_of(axis, value)
        known = policy.values.get(axis, {}).get(value)
        kind = known.kind if known is not None else None
        return name if kind is None or kind in name.lower() else f"{name} ({kind})"

    def named(self, scope: str) -> dict[str, str]:
        """The values that a scope names, by axis: ``{"auth_method": "sis", "client_id": "vaweb"}``."""
        pairs = zip(self._axes, scope.split("/")[1:], strict=False)
        return {axis: value for axis, value in pairs if value != ANY}

    def words(self, scope: str) -> str:
        """A scope in words: ``SSOe sign-in``, ``ID.me on both sign-in methods``, ``SiS sign-in by VA.gov (web)``.

        The whole environment is ``all sign-in``. Outside prod the environment follows: ``SiS sign-in in staging``. A
        value without a name is called by itself. A path with more values than there are axes is returned unchanged.
        """
        env, *values = scope.split("/")
        where = "" if env == "prod" else f" in {env}"
        if not all(values) or len(values) > len(self._axes):
            return scope
        named = {axis: self.of(axis, value) for axis, value in self.named(scope).items()}
        method, csp, client = (named.pop(axis, None) for axis in ("auth_method", "csp", "client_id"))
        if csp is not None:
            words = f"{csp} on {method or self._all_methods}"
        elif method is not None:
            words = f"{method} sign-in"
        else:
            words = "sign-in" if client is not None or named else "all sign-in"
        by = "" if client is None else f" by {client}"
        rest = "".join(f", {axis} {name}" for axis, name in named.items())
        return f"{words}{by}{rest}{where}"


def _itself(policy: Policy | None) -> Policy | None:
    return policy


#: Calls each value by itself.
UNNAMED = ScopeNames()


def headline(incident: Incident, names: ScopeNames) -> str:
    """What happens, in one clause: ``SSOe sign-in is failing``."""
    subject = names.mark + capitalised(names.words(incident.scope))
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


def common_words(common: Iterable[Common]) -> str:
    """What the people who fail have in common: ``88 of 90 failing people use vamobile, which 31% of all use``.

    Several values are joined by semicolons; "" where nothing stands out.
    """
    return one_line("; ".join(_common(one) for one in common))


def _common(one: Common) -> str:
    having = _HAVING.get(one.field, f"have {one.field} {{}}").replace("{}", one.value)
    words = f"{one.failing:,} of {one.failing_of:,} failing people {having}"
    if one.usual_share is None:
        return words
    if one.field == "step":
        return f"{words}, where {one.usual_share:.0%} of all requests complete"
    verb = having.partition(" ")[0]
    return f"{words}, which {one.usual_share:.0%} of all {verb}"


def state_words(incident: Incident) -> str:
    """The incident's state and the person who acknowledged it: ``acknowledged by Ada at 15:07 UTC``."""
    if incident.state in ("resolved", "closed"):
        when = f" at {time_words(incident.resolved_at)}" if incident.resolved_at is not None else ""
        whom = f" by {one_line(incident.resolved_by)}" if incident.resolved_by else ""
        why = f" ({one_line(incident.resolved_reason)})" if incident.resolved_reason else ""
        return f"resolved{whom}{when}{why}"
    known = "not acknowledged yet"
    if incident.acknowledged_at is not None:
        whom = one_line(incident.acknowledged_by or "") or "somebody"
        known = f"acknowledged by {whom} at {time_words(incident.acknowledged_at)}"
    if incident.said_resolved_at is not None:
        whom = one_line(incident.said_resolved_by or "") or "somebody"
        known += f", resolved by {whom} at {time_words(incident.said_resolved_at)} while failing"
    if incident.state == "recovering":
        since = f" since {time_words(incident.recovering_at)}" if incident.recovering_at is not None else ""
        return f"recovering{since}, {known}"
    return known if incident.state == "acknowledged" else f"open, {known}"


def conduct_words(incident: Incident) -> dict[str, str]:
    """Who does what in an incident, and by when what is due, by name of the fact; "" for what is open."""
    process = incident.process
    over = incident.state in ("resolved", "closed")
    roles = (f"{one_line(who)} ({role.replace('_', ' ')})" for role, who in process.roles.items())
    return {
        "Acknowledge by": day_words(process.answer_by) if process.answer_by is not None else "",
        "Roles": ", ".join(roles),
        "Expected to be over by": day_words(process.eta) if process.eta is not None and not over else "",
    }


def update_words(incident: Incident, names: ScopeNames) -> str:
    """An update for those who wait: what fails since when, who, what works, what is done, until when, and what is next.

    ``SSOe sign-in is failing since 23 Nov 2026 15:00 UTC: 400 people in the last hour. SiS sign-in works. Ada, 15:10
    UTC: IAM restarts it. It is expected to be over by 23 Nov 2026 16:00 UTC. Next update by 15:40 UTC.``
    """
    process = incident.process
    since = day_words(incident.first_bad_at)
    parts = [f"{headline(incident, names)}, since {since}: {people_words(incident)}."]
    if process.works:
        works = capitalised(" and ".join(names.words(scope) for scope in process.works))
        parts.append(f"{works} {'works' if len(process.works) == 1 else 'work'}.")
    if incident.notes:
        note = incident.notes[-1]
        parts.append(f"{one_line(note.by)}, {time_words(note.at)}: {one_line(note.text).rstrip('.')}.")
    if process.eta is not None:
        parts.append(f"It is expected to be over by {day_words(process.eta)}.")
    else:
        parts.append("It is not known yet when it will be over.")
    if process.next_update_at is not None:
        parts.append(f"Next update by {time_words(process.next_update_at)}.")
    return " ".join(parts)


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


_CHANGES = {
    "share": "More of the sign-ins fail than was told",
    "page_due": "The page that was held back is due",
    "relapsed": "Fails again before it has recovered",
    "recovering": "Sign-ins succeed again",
    "still_failing": "Still fails after a person has resolved it",
    "cause": "It is more than it seemed",
    "notes": "More notes were put down",
    "linked": "PagerDuty has an incident for it",
    "reminder": "Half of a response time is gone",
    "breach": "A response time is over",
}
#: What people do; their names follow.
_DEEDS = {
    "unacknowledged": "Given back",
    "assigned": "Role given",
    "staged": "Stage set",
    "eta": "Expected end set",
    "follow_up": "Follow-up",
    "checked": "Checklist ticked",
    "post_mortem": "Post-mortem linked",
    "completed": "Process completed",
}


def change_title(kind: str, by: str | None, asked: str | None) -> str:
    """Return the title of a change of an incident, on one line, for those kinds that need no figures.

    Args:
        kind: the kind of the change, as the incident log names it.
        by: who made it; none if nobody did.
        asked: what was asked for, of a change that was refused.
    """
    actor = f" by {one_line(by)}" if by else ""
    match kind:
        case "declared":
            return f"Declared a service outage{actor or ' by the policy'}"
        case "said_resolved":
            return f"Resolved{actor} while it fails"
        case "refused":
            return f"Refused: {one_line(asked or 'what was asked for').replace('_', ' ')}{actor}"
        case "update":
            return f"Update{actor}" if actor else "Routine update"
    return _CHANGES.get(kind) or f"{_DEEDS.get(kind) or capitalised(kind.replace('_', ' '))}{actor}"


def ended(text: str) -> str:
    """The text on one line, with a full stop where it does not end a sentence: it may end in what a person wrote.

    Without any text it stays so.
    """
    line = one_line(text)
    return line if not line or line.endswith((".", "!", "?", _ELLIPSIS)) else f"{line}."


def one_line(text: str) -> str:
    """The text on one line, without control and invisible characters (``detectors.bounds``)."""
    return plain_line(text)


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
