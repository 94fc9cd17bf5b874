"""Which values does a policy name that it does not list, where its author seems to have meant one that it lists?

A value that is like no listed one is taken as it stands: scopes are made by the traffic.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from detectors.policy.runbooks import ANY_OTHER, CAUSES
from detectors.policy.source import Path
from detectors.policy.types import Fault

if TYPE_CHECKING:
    from detectors.policy.policy import Policy

__all__ = ["SERVICES", "reference_faults", "unlisted"]

#: What a runbook may be for beside values and scopes: systems that both methods depend on, and parts of a sign-in.
SERVICES = ("mvi", "usip", "tou", "secure_sign_in")
#: How alike two words are where one is taken for a slip of the other, 0-1.
_ALIKE = 0.8


def reference_faults(policy: Policy) -> Iterator[Fault]:
    """Every value of a policy that contradicts those that it lists."""
    yield from _axis_faults(policy)
    yield from _alias_faults(policy)
    yield from _class_faults(policy)
    for path, methods in (
        (("objectives",), policy.objectives),
        (("funnel", "monitors"), policy.funnel.monitors),
    ):
        for method in methods:
            if method not in policy.values.get("auth_method", {}):
                near = _meant(method, policy.values_of("auth_method"))
                message = f"unknown key: values.auth_method does not list it{near}"
                yield Fault((*path, method), message, "unknown-name")
    yield from _value(("banner", "default_client"), policy.banner.default_client, policy, "client_id")
    for i, window in enumerate(policy.maintenance):
        yield from _scope(("maintenance", i, "scope"), window.scope, policy)
    for i, route in enumerate(policy.routes):
        for n, env in enumerate(route.match.env or ()):
            yield from _like_none(("routes", i, "match", "env", n), env, policy.envs)
        for n, scope in enumerate(route.match.scope or ()):
            yield from _scope(("routes", i, "match", "scope", n), scope, policy)
    for key in policy.runbooks:
        if "/" in key:
            yield from _scope(("runbooks", key), key, policy)
        else:
            aliases = {alias: value for known in policy.aliases.values() for alias, value in known.items()}
            values = [value for axis in policy.axes for value in policy.values_of(axis)]
            if key in aliases and key not in values:
                yield Fault(
                    ("runbooks", key), f"{key} is read as {aliases[key]}: name {aliases[key]}", "unknown-name"
                )
            known = (*policy.envs, *values, *SERVICES, *CAUSES, *policy.codes.root, ANY_OTHER)
            yield from _like_none(("runbooks", key), key, known)


def unlisted(scope: str, policy: Policy) -> str | None:
    """Say what the policy does not list of a scope: its environment or one of its values; None if it lists all."""
    env, *below = scope.split("/")
    if env not in policy.envs:
        return f"must be a scope such as prod/ssoe: envs does not list {env}"
    for axis, part in zip(policy.axes, below, strict=False):
        if part != "*" and part not in policy.values.get(axis, {}):
            return f"must be a scope such as prod/*/idme: values.{axis} does not list {part}"
    too_many = len(below) > len(policy.axes)
    return f"has {len(below)} values, and axes has {len(policy.axes)} entries" if too_many else None


def _axis_faults(policy: Policy) -> Iterator[Fault]:
    for name, fields in (("axes", policy.axes), ("breakdowns", policy.breakdowns), ("envs", policy.envs)):
        for i, field in enumerate(fields):
            if field in fields[:i]:
                yield Fault((name, i), f"stands twice: {field}", "listed-twice")
    for i, field in enumerate(policy.breakdowns):
        if field in policy.axes:
            yield Fault(
                ("breakdowns", i), f"{field} is an axis, and its values are scopes already", "listed-twice"
            )
    for section, keys, known in (
        ("values", tuple(policy.values), policy.axes),
        ("aliases", tuple(policy.aliases), ("env", *policy.axes)),
    ):
        for key in keys:
            yield from _like_none((section, key), key, known)


def _alias_faults(policy: Policy) -> Iterator[Fault]:
    for field, aliases in policy.aliases.items():
        listed: Collection[str] = policy.envs if field == "env" else policy.values.get(field, {})
        for alias, value in aliases.items():
            path = ("aliases", field, alias)
            if value in aliases:
                yield Fault(path, f"leads to {value}, which is an alias itself: name {aliases[value]}")
            elif alias in listed:
                where = "envs" if field == "env" else f"values.{field}"
                yield Fault(path, f"{where} lists {alias} as a value of its own", "listed-twice")


def _class_faults(policy: Policy) -> Iterator[Fault]:
    for i, rule in enumerate(policy.classes):
        for n, step in enumerate(rule.step):
            if step not in policy.steps.slis:
                near = _meant(step, tuple(policy.steps.slis))
                message = f"steps does not list {step}: it counts nowhere, whatever the rule says{near}"
                yield Fault(("classes", i, "step", n), message, "unknown-name")


def _scope(path: Path, scope: str, policy: Policy) -> Iterator[Fault]:
    env, *below = scope.split("/")
    if env in policy.aliases.get("env", {}):
        meant = policy.aliases["env"][env]
        yield Fault(path, f"{env} is read as {meant}: name {meant}", "unknown-name")
    else:
        yield from _like_none(path, env, policy.envs)
    if len(below) > len(policy.axes):
        yield Fault(path, f"has {len(below)} values below {env}, and axes has {len(policy.axes)} entries")
        return
    for n, (axis, part) in enumerate(zip(policy.axes, below, strict=False)):
        if part == "*" or part in policy.values.get(axis, {}):
            continue
        elsewhere = [m for m, other in enumerate(policy.axes) if part in policy.values.get(other, {})]
        if elsewhere and elsewhere[0] > n:
            meant = "/".join((env, *("*",) * elsewhere[0], part))
            message = f"{part} is no {axis} but a {policy.axes[elsewhere[0]]}; did you mean {meant}?"
            yield Fault(path, message, "unknown-name")
        else:
            yield from _value(path, part, policy, axis)


def _value(path: Path, value: str, policy: Policy, axis: str) -> Iterator[Fault]:
    aliases = policy.aliases.get(axis, {})
    if value in aliases:
        yield Fault(path, f"{value} is read as {aliases[value]}: name {aliases[value]}", "unknown-name")
    elif value not in policy.values.get(axis, {}):
        yield from _like_none(path, value, policy.values_of(axis), f"values.{axis}")


def _like_none(path: Path, word: str, known: Sequence[str], where: str = "") -> Iterator[Fault]:
    near = _meant(word, known)
    if word not in known and near:
        hint = f" If it is another, list it in {where}." if where else ""
        yield Fault(path, f"{word} is listed nowhere{near}{hint}", "unknown-name")


def _meant(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1, _ALIKE)
    return f"; did you mean {near[0]}?" if near else ""
