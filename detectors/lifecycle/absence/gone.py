"""Where is nothing expected to arrive any more? A silence there opens no incident and holds none open.

A scope is *gone* after its silence has ended as ``gone`` or a person has resolved it, or as a person has said that a
value is retired. It is expected again once enough has arrived after a time in which nothing did. What the policy names
as retired is never expected.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detectors.axes import ANY, contains, named, path_of
from detectors.incidents import Cause, IncidentInput
from detectors.instants import DAY, HOUR
from detectors.lifecycle.memory import View
from detectors.policy.policy import Policy

__all__ = ["Gone", "is_expected", "retired_by", "still_gone", "unexpected", "with_gone"]

#: After this time (ms) no history lets anything be expected, as it reaches back no further.
_FORGOTTEN_AFTER = 35 * DAY
#: The most scopes that are remembered; the latest are kept.
_MOST = 100
#: All detectors but silence, which alone says whether enough arrives.
_OTHERS = frozenset({"burn_rate", "outage", "funnel", "surge", "latency"})


class Gone(msgspec.Struct, frozen=True):
    """A scope in which nothing is expected to arrive.

    Attributes:
        scope: the path with its environment.
        since: T, ms.
        silent: whether hardly anything has arrived since, so that what arrives now is a return.
    """

    scope: str
    since: int
    silent: bool = True


def is_expected(scope: str, gone: Iterable[Gone], policy: Policy, at: int) -> bool:
    """Whether anything is expected to arrive in a scope at ``at`` (ms)."""
    if any(contains(one.scope, scope) for one in gone):
        return False
    values = zip(policy.axes, named(scope), strict=False)
    return not any(value != ANY and policy.is_retired(axis, value, at) for axis, value in values)


def unexpected(cause: Cause, gone: Iterable[Gone], policy: Policy, at: int) -> bool:
    """Whether a cause is a silence where nothing is expected."""
    return cause.detector == "silence" and not is_expected(cause.scope, gone, policy, at)


def still_gone(gone: Iterable[Gone], view: View, policy: Policy) -> list[Gone]:
    """The scopes of ``gone`` in which nothing has arrived yet, given the counts of a step."""
    kept = []
    for one in gone:
        arrives = _arrives(one.scope, view, policy)
        if view.at - one.since < _FORGOTTEN_AFTER and not (one.silent and arrives):
            kept.append(msgspec.structs.replace(one, silent=one.silent or not arrives))
    return kept


def with_gone(gone: list[Gone], scope: str, at: int, *, silent: bool = True) -> list[Gone]:
    """``gone`` with one scope more; scopes within it are left out."""
    return [*(one for one in gone if not contains(scope, one.scope)), Gone(scope, at, silent)][-_MOST:]


def retired_by(incident_input: IncidentInput, policy: Policy) -> str | None:
    """The scope of the value that an input of the kind ``retire`` names; None if it names no axis or no value."""
    axis, value = incident_input.axis, incident_input.value
    if axis not in policy.axes or not value or value == ANY:
        return None
    return path_of(incident_input.env, (value if one == axis else ANY for one in policy.axes))


def _arrives(scope: str, view: View, policy: Policy) -> bool:
    counts = view.counts(scope, HOUR)
    arrived = max(counts.started, counts.good + counts.bad + counts.excluded)
    return arrived >= policy.silence.min_expected and view.finding(scope, _OTHERS) != "firing"
