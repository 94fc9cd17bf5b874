"""Which smallest set of scopes explains the failures, with one cause for each scope?

A firing scope is often a symptom: the environment fires when one method fails, and a method fires when its largest
credential provider fails. Explanations are therefore compared. Each detector states for every scope how much better
"this scope as a whole is in trouble" fits than "all is as usual" (``Verdicts.gain``, nats). An explanation is a set of
disjoint scopes; its value is the sum of their gains, less ``scope_costs`` for each scope. So a second scope must gain
more than it costs, and a wide scope must fit better than the narrow scope within it. Parts that succeed count against
a scope; parts with hardly any traffic do not count.

Rules then combine scopes: three credential providers of a method, or all of at least two that have traffic, become the
method; both methods become the environment; a provider that fails on both methods is one cause, unless one of the
methods is a cause. A scope that does not fire itself is a cause only if nothing else explains a wider scope that fires.

Findings that wake nobody (surges, slowness) are compared separately, each kind by itself, so that they neither widen
nor hide causes that wake somebody; ``lifecycle.grouping`` decides which of them are symptoms of an incident.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec
import numpy as np

from detectors.arrays import Bools, Floats
from detectors.detection.verdicts import FIRING, Verdicts
from detectors.incidents import Cause
from detectors.instants import HOUR
from detectors.policy.detector_sections import Attribution
from detectors.policy.policy import Policy
from detectors.scopes import CSPS, MEMBERS, METHODS, SCOPES, scope_path
from detectors.urgency import WAKES_NOBODY
from detectors.windows.counters import BAD, EXCLUDED, GOOD, STARTED
from detectors.windows.frame import Frame

__all__ = ["attribute"]

#: Groups of detectors that react to one kind of failure; a group is compared together, and its first detector leads.
_GROUPS = (("outage", "burn_rate"), ("silence",), ("funnel",))

_ENV = SCOPES.index("")
_METHOD = [SCOPES.index(method) for method in METHODS]
_BOTH = [SCOPES.index(f"*/{csp}") for csp in CSPS]
_ONE = [[SCOPES.index(f"{method}/{csp}") for csp in CSPS] for method in METHODS]
#: (scope, scope) whether the first scope contains the second, and whether the two share a leaf.
_HOLDS = np.array([[bool(np.all(a | ~b)) for b in MEMBERS] for a in MEMBERS])
_MEETS = (MEMBERS.astype(np.int64) @ MEMBERS.T.astype(np.int64)) > 0
_SIZE = MEMBERS.sum(axis=1)
#: The gain, in nats, that each half with traffic must have by itself before a scope of both methods counts: one chance
#: in 10,000. A single failure where one in 2,500 is usual gains less (ln 2,500 = 7.8), so a stray one widens nothing.
_OWN_EXCESS = 9.2


def attribute(verdicts: Sequence[Verdicts], frame: Frame, n: int, policy: Policy) -> list[Cause]:
    """Return the causes at step ``n``, in the order of the scope axis.

    The first cause of each scope is the leading detector's finding; there should be one incident for it. Its
    numbers also hold ``explains``, the other firing scopes that it explains, and ``gain`` (nats). The findings
    of other detectors on this scope follow it.
    """
    serious = [verdict for verdict in verdicts if verdict.detector not in WAKES_NOBODY]
    minor = [[verdict] for verdict in verdicts if verdict.detector in WAKES_NOBODY]
    out = _causes(_groups(serious), verdicts, frame, n, policy)
    for group in minor:
        out += _causes([group], verdicts, frame, n, policy)
    return out


def _causes(
    groups: Sequence[Sequence[Verdicts]],
    verdicts: Sequence[Verdicts],
    frame: Frame,
    n: int,
    policy: Policy,
) -> list[Cause]:
    """Return the causes that the given groups of detectors find, in the order of the scope axis."""
    found: dict[int, list[Verdicts]] = {}
    gains: dict[int, float] = {}
    for group in groups:
        fires = np.any([verdict.state[n] == FIRING for verdict in group], axis=0)
        if not fires.any():
            continue
        gain = np.max([verdict.gain(n) for verdict in group], axis=0)
        for scope in _explain(gain, fires, _busy(frame, n, policy), policy.attribution):
            found.setdefault(scope, []).extend(group)
            gains[scope] = max(gains.get(scope, 0.0), float(gain[scope]))
    out: list[Cause] = []
    for scope in sorted(_absorb(found)):
        group = [verdict for inner, group in found.items() if _HOLDS[scope, inner] for verdict in group]
        leading, *others = sorted(group, key=lambda v: (v.state[n, scope] != FIRING, _rank(v)))
        explains = _symptoms(scope, verdicts, n)
        cause = leading.explain(n, scope)
        numbers = {
            **cause.numbers,
            "explains": ",".join(scope_path(frame.env, f) for f in explains),
            "gain": round(gains.get(scope, 0.0), 2),
        }
        out.append(msgspec.structs.replace(cause, state="firing", numbers=numbers))
        out += [verdict.explain(n, scope) for verdict in others if verdict.state[n, scope] == FIRING]
    return out


def _rank(verdict: Verdicts) -> int:
    order = [name for names in _GROUPS for name in names]
    return order.index(verdict.detector) if verdict.detector in order else len(order)


def _symptoms(scope: int, verdicts: Sequence[Verdicts], n: int) -> list[int]:
    """Return the other firing scopes that a cause explains: those within its scope, and those that contain it."""
    firing = np.flatnonzero(np.any([verdict.state[n] == FIRING for verdict in verdicts], axis=0))
    return [int(f) for f in firing if f != scope and (_HOLDS[scope, f] or _HOLDS[f, scope])]


def _groups(verdicts: Sequence[Verdicts]) -> list[list[Verdicts]]:
    by_name = {verdict.detector: verdict for verdict in verdicts}
    grouped = [[by_name.pop(name) for name in group if name in by_name] for group in _GROUPS]
    return [group for group in chain(grouped, ([verdict] for verdict in by_name.values())) if group]


def _busy(frame: Frame, n: int, policy: Policy) -> set[int]:
    """Return the scopes that had traffic within the last hour."""
    events = frame.counts[HOUR][n][:, [GOOD, BAD, EXCLUDED, STARTED]].sum(axis=1)
    return set(np.flatnonzero(events >= policy.attribution.traffic).tolist())


def _explain(gain: Floats, fires: Bools, busy: set[int], costs: Attribution) -> set[int]:
    """Return the scopes that explain the scopes which fire."""
    chosen = _by_rule(_cheapest(gain, costs, busy), busy)
    firing = np.flatnonzero(fires).tolist()
    causes = {scope for scope in chosen if fires[scope]}
    for scope in sorted(chosen - causes, key=lambda scope: -gain[scope]):
        if any(_MEETS[f, scope] and not any(_MEETS[f, c] for c in causes) for f in firing):
            causes.add(scope)
    while left := [f for f in firing if not any(_MEETS[f, c] for c in causes)]:
        causes.add(max(left, key=lambda f: (gain[f], -_SIZE[f], -f)))
    return _absorb(_by_rule(causes, busy))


def _cheapest(gain: Floats, costs: Attribution, busy: set[int]) -> set[int]:
    """Return the set of disjoint scopes whose gains less costs are greatest.

    A scope of both methods counts only if each of its halves that has traffic fails in excess by itself.
    """

    def worth(scope: int, *within: int) -> tuple[float, set[int]]:
        value = float(gain[scope]) - costs.scope_costs - (costs.widening if within else 0.0)
        return (value, {scope}) if value > 0 else (0.0, set())

    def worth_of_both(scope: int, *halves: int) -> tuple[float, set[int]]:
        alone = all(gain[half] >= _OWN_EXCESS for half in halves if half in busy)
        return worth(scope, *halves) if alone else (0.0, set())

    def together(*parts: tuple[float, set[int]]) -> tuple[float, set[int]]:
        return sum(value for value, _ in parts), set[int]().union(*(scopes for _, scopes in parts))

    def best(options: Iterable[tuple[float, set[int]]]) -> tuple[float, set[int]]:
        return max(options, key=lambda option: option[0])  # the first of equals is the narrower one

    one = [[worth(scope) for scope in scopes] for scopes in _ONE]
    csps = [
        best((together(one[0][c], one[1][c]), worth_of_both(_BOTH[c], _ONE[0][c], _ONE[1][c])))
        for c in range(len(CSPS))
    ]
    method = [worth(_METHOD[m], *_ONE[m]) for m in range(len(METHODS))]
    options = [
        together(*csps),
        together(method[0], *one[1]),
        together(method[1], *one[0]),
        together(*method),
        worth_of_both(_ENV, *_METHOD),
    ]
    return best(options)[1]


def _by_rule(scopes: set[int], busy: set[int]) -> set[int]:
    """Combine scopes: three providers of a method, or all (of at least two) with traffic, become the method.

    Both methods become the environment, and a provider that fails on both methods becomes one scope.
    """
    out = set(scopes)
    for m, method in enumerate(_METHOD):
        failing = [s for c, s in enumerate(_ONE[m]) if s in scopes or _BOTH[c] in scopes]
        if len(failing) >= 3 or (len(failing) == 2 and busy.intersection(_ONE[m]) <= set(failing)):
            out.add(method)
    for c, both in enumerate(_BOTH):
        if all(one[c] in out for one in _ONE):
            out.add(both)
    whole = [method in out for method in _METHOD]
    if all(whole):
        return {_ENV}
    if any(whole):
        other = whole.index(False)
        for c, both in enumerate(_BOTH):
            if both in out:
                out = out - {both} | {_ONE[other][c]}
    return _absorb(out)


def _absorb(scopes: Iterable[int]) -> set[int]:
    """Return the scopes that lie within no other one of them."""
    kept = set(scopes)
    return {s for s in kept if not any(other != s and _HOLDS[other, s] for other in kept)}
