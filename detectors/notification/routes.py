"""Which receivers of the policy's routes hear of a change of an incident?

Who has heard of an incident stands on it (``Incident.routed``). So a receiver whose route matches only later, as an
incident rises or widens, hears of it then, and whoever has heard that it began hears that it is over, whatever the
route says by then.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from detectors.axes import overlaps
from detectors.incidents import Incident, Told, TransitionKind
from detectors.policy.policy import Policy
from detectors.policy.routes import RECEIVER_KINDS, STANDING, Route, RouteMatch, kind_of
from detectors.process.actions import SPOKEN
from detectors.urgency import is_serious

__all__ = ["IMPLIED", "asks_for_hours", "named_receivers", "tell", "unheard", "with_told"]

#: News for people who read and do nothing: bounded by the life cycle to one in 30 minutes, and the changes.
_NEWS: frozenset[TransitionKind] = frozenset(
    {
        "opened",
        "reopened",
        "cause",
        "page_due",
        "uncovered",
        "severity",
        "share",
        "declared",
        "breach",
        "said_resolved",
        "still_failing",
        "update",
        "resolved",
    }
)
#: Changes that the public sees.
_VISIBLE: frozenset[TransitionKind] = frozenset(
    {
        "opened",
        "reopened",
        "cause",
        "page_due",
        "uncovered",
        "severity",
        "scope",
        "declared",
        "recovering",
        "relapsed",
        "resolved",
    }
)
#: Changes of the record, as programs follow it.
_RECORD: frozenset[TransitionKind] = _VISIBLE | {
    "acknowledged",
    "unacknowledged",
    "share",
    "notes",
    "said_resolved",
    "still_failing",
    "reminder",
    "breach",
    "update",
    *SPOKEN,
}
#: Kind of receiver -> the changes that it is made for.
_HEARS: dict[str, frozenset[TransitionKind]] = {
    "alertmanager": _RECORD - {"notes", "reminder", *SPOKEN},
    "email": _NEWS,
    "statuspage": _VISIBLE,
    "teams": _NEWS | {"acknowledged", "unacknowledged", "recovering", "relapsed", "notes", *SPOKEN},
    "webhook": _RECORD,
}
#: Kinds of receivers that show people each message, so that a fall of the severity is none.
_READ_BY_PEOPLE = frozenset({"email", "teams"})
#: Changes that say nothing of an incident to somebody who has not heard of it.
_NEVER_FIRST: frozenset[TransitionKind] = frozenset(
    {"resolved", "closed", "notes", "linked", "said_resolved", "unacknowledged", *SPOKEN}
)
#: Receivers that no route needs to name: where they are on, and no route names them, they hear of production.
IMPLIED = ("alertmanager", "email", "teams", "webhook")
_PRODUCTION = RouteMatch(env=("prod",))


def named_receivers(policy: Policy) -> frozenset[str]:
    """The receivers that the routes of a policy name, without PagerDuty, Datadog and Slack."""
    return frozenset(name for route in policy.routes for name in route.receivers if name not in STANDING)


def unheard(policy: Policy, on: frozenset[str]) -> tuple[str, ...]:
    """A sentence for each receiver that hears nothing: one that a route names and that is not on, or the reverse.

    Args:
        policy: its routes.
        on: the receivers that are on.
    """
    named = named_receivers(policy)
    hear_anyway = {*STANDING, *IMPLIED, *named}
    return (
        *(
            f"a route of the policy names {name}, which is not set up: it hears nothing"
            for name in sorted(named - on)
        ),
        *(
            f"{name} is set up, and no route of the policy names it: it hears nothing"
            for name in sorted(on - hear_anyway)
        ),
    )


def asks_for_hours(policy: Policy) -> bool:
    """Whether a route depends on business hours."""
    return any(route.match.hours is not None for route in policy.routes)


def tell(
    kind: TransitionKind,
    incident: Incident,
    policy: Policy,
    *,
    worse: bool,
    quietly: bool,
    business: bool,
) -> tuple[Told, ...]:
    """The receivers that hear of a change, and as what: ``open`` for their first message of the incident.

    Args:
        kind: what happened.
        incident: after it; ``routed`` holds who had heard of it before.
        worse: whether the severity has risen, of a change of severity.
        quietly: whether receivers are not to be told, as the last such change was too recent: notes wait.
        business: whether it happened within business hours.
    """
    if kind == "closed":
        return ()
    if kind == "resolved":
        return tuple(Told(name, "resolve") for name in incident.routed)
    if incident.is_hidden:
        return ()
    heard = frozenset(incident.routed)
    found: dict[str, Told] = {}
    for route in _routes(policy):
        if not _matches(route.match, kind, incident, business):
            continue
        for name in route.receivers:
            if name in STANDING or name in found:
                continue
            if name not in heard:
                if kind not in _NEVER_FIRST:
                    found[name] = Told(name, "open")
            elif _hears(name, route.match, kind, worse=worse, quietly=quietly):
                found[name] = Told(name, "update")
    return tuple(found[name] for name in sorted(found))


def with_told(incident: Incident, told: tuple[Told, ...]) -> Incident:
    """The incident with the receivers that have now heard of it."""
    new = tuple(one.receiver for one in told if one.action == "open")
    return replace(incident, routed=(*incident.routed, *new)) if new else incident


def _routes(policy: Policy) -> Iterator[Route]:
    yield from policy.routes
    named = {name for route in policy.routes for name in route.receivers}
    implied = tuple(name for name in IMPLIED if name not in named)
    if implied:
        yield Route(match=_PRODUCTION, receivers=implied)


def _matches(match: RouteMatch, kind: TransitionKind, incident: Incident, business: bool) -> bool:
    return (
        (match.env is None or incident.env in match.env)
        and (match.scope is None or any(overlaps(scope, incident.scope) for scope in match.scope))
        and (match.severity is None or incident.severity in match.severity)
        and (match.kind is None or kind in match.kind)
        and (
            is_serious(incident) if match.cause is None else not set(match.cause).isdisjoint(incident.causes)
        )
        and (match.hours is None or (match.hours == "business") == business)
    )


def _hears(name: str, match: RouteMatch, kind: TransitionKind, *, worse: bool, quietly: bool) -> bool:
    if match.kind is not None:
        return kind in match.kind
    of_kind = kind_of(name)
    if kind in SPOKEN and quietly:
        return False
    if of_kind in _READ_BY_PEOPLE and (quietly or (kind == "severity" and not worse)):
        return False
    return kind in _HEARS[of_kind]


assert frozenset(_HEARS) == frozenset(RECEIVER_KINDS)
