"""Which receivers of the policy's routes hear nothing, or nothing of what is worst?"""

from __future__ import annotations

from collections.abc import Iterator

from detectors.lint.rule import Ground, Rule
from detectors.policy.policy import Policy
from detectors.policy.routes import STANDING, Route, kind_of
from detectors.policy.source import Path
from detectors.policy.types import Fault

__all__ = ["RULES"]

_PRODUCTION = "prod"
#: Changes of which a receiver hears only if it has heard of the incident before.
_NEVER_FIRST = frozenset({"resolved", "closed", "note", "notes", "linked", "said_resolved", "unacknowledged"})


def _why_never(route: Route, policy: Policy, now: int) -> tuple[Path, str] | None:
    """Where and why a route matches nothing whatever happens; None if it can match."""
    match = route.match
    if match.kind is not None and _NEVER_FIRST.issuperset(match.kind):
        return ("kind",), f"begins with no message: nobody is told first that an incident {match.kind[0]}"
    only_other = match.env is not None and _PRODUCTION not in match.env
    if only_other and match.severity is not None and 3 not in match.severity:
        return ("severity",), "matches nothing: outside prod every incident has severity 3"
    if match.scope is None:
        return None
    reasons = [_why_not(scope, route, policy, now) for scope in match.scope]
    if all(reasons):
        return ("scope",), f"matches nothing: {reasons[0]}"
    return None


def _why_not(scope: str, route: Route, policy: Policy, now: int) -> str:
    """Why no incident that the route matches can have requests of a scope in it; "" if one can."""
    env, *below = scope.split("/")
    if route.match.env is not None and env not in route.match.env:
        return f"{scope} is not in {' or '.join(route.match.env)}"
    for axis, value in zip(policy.axes, below, strict=False):
        if policy.is_retired(axis, value, now):
            return f"{value} has retired"
    return ""


def _never(ground: Ground) -> Iterator[Fault]:
    for i, route in enumerate(ground.policy.routes):
        found = _why_never(route, ground.policy, ground.now)
        if found is not None:
            field, why = found
            alone = [name for name in _further(route) if _only_by(name, i, ground)]
            heard = (
                f"; {' and '.join(alone)} {'hears' if len(alone) == 1 else 'hear'} nothing" if alone else ""
            )
            yield Fault(("routes", i, "match", *field), why + heard)


def _only_by(name: str, place: int, ground: Ground) -> bool:
    """Whether no route but that at ``place`` brings a receiver anything."""
    policy = ground.policy
    return not any(
        name in route.receivers and _why_never(route, policy, ground.now) is None
        for i, route in enumerate(policy.routes)
        if i != place
    )


def _not_the_worst(ground: Ground) -> Iterator[Fault]:
    reported: set[str] = set()
    routes = ground.policy.routes
    for i, route in enumerate(routes):
        for n, name in enumerate(route.receivers):
            if name in STANDING or name in reported:
                continue
            reported.add(name)
            mine = [one for one in routes if name in one.receivers]
            if all(_why_never(one, ground.policy, ground.now) is not None for one in mine):
                continue  # said of the routes
            production = [one for one in mine if one.match.env is None or _PRODUCTION in one.match.env]
            if production and not any(
                one.match.severity is None or 1 in one.match.severity for one in production
            ):
                yield Fault(
                    ("routes", i, "receivers", n),
                    f"{name} hears of production, and nothing of severity 1 there",
                )


def _standing(ground: Ground) -> Iterator[Fault]:
    for i, route in enumerate(ground.policy.routes):
        for n, name in enumerate(route.receivers):
            if name in STANDING:
                yield Fault(
                    ("routes", i, "receivers", n),
                    f"{name} hears by rules of its own, with a route or without: a route only adds receivers",
                )


def _public(ground: Ground) -> Iterator[Fault]:
    for i, route in enumerate(ground.policy.routes):
        for n, name in enumerate(route.receivers):
            envs = route.match.env
            if kind_of(name) == "statuspage" and (envs is None or set(envs) != {_PRODUCTION}):
                yield Fault(
                    ("routes", i, "receivers", n),
                    "the public status page would show environments that are no production: match env: prod",
                )


def _further(route: Route) -> list[str]:
    return [name for name in route.receivers if name not in STANDING]


RULES = (
    Rule("route-hears-nothing", "error", "a route that matches nothing, and who hears nothing by it", _never),
    Rule("route-without-the-worst", "warning", "a receiver that hears of all but the worst", _not_the_worst),
    Rule("route-adds-nothing", "warning", "a route to a receiver that hears by rules of its own", _standing),
    Rule("route-makes-public", "warning", "a status page that shows more than production", _public),
)
