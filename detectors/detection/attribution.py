"""Which smallest set of scopes explains the failures, with one cause for each scope?

A firing scope is often a symptom: the environment fires when one method fails, and a method fires when its largest
credential provider fails. Explanations are therefore compared. Each detector states for every scope how much better
"this scope as a whole is in trouble" fits than "all is as usual" (``Verdicts.gain``, nats). An explanation is a set of
disjoint scopes; its value is the sum of their gains, less ``scope_costs`` for each scope. So a second scope must gain
more than it costs, and a wide scope must fit better than the narrow scope within it. Parts that succeed count against
a scope; parts with hardly any traffic do not count.

Rules then combine scopes along each axis: all of at least two values that have traffic become the scope around them,
and so do three of them if they are half of those with traffic. So all providers, or all clients, of a method become the
method; all methods become the environment; a provider that fails on both methods is one cause, unless one of these
methods is a cause. Scopes that hold the same events are one candidate (``Lattice.same``). A scope that does not fire
itself is a cause only if nothing else explains a wider scope that fires. What an announced maintenance covers is no
evidence that a scope around it fails. A scope that overlaps a known incident is a cause if it also fails in excess
beside it, and has begun when that part has; else the cause is what both share.

Findings that wake nobody (surges, slowness) are compared separately, each kind by itself, so that they neither widen
nor hide causes that wake somebody; ``lifecycle.grouping`` decides which of them are symptoms of an incident.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain

import msgspec
import numpy as np

from detectors.arrays import Bools, Floats
from detectors.axes import contains
from detectors.detection.lattice.lattice import Lattice, lattice_of
from detectors.detection.lattice.selection import Selection, absorbed
from detectors.detection.outage import needed_evidence
from detectors.detection.verdicts import Verdicts
from detectors.incidents import Cause
from detectors.instants import HOUR
from detectors.policy.policy import Policy
from detectors.urgency import WAKES_NOBODY
from detectors.windows.counters import BAD, EXCLUDED, GOOD, SESSION_BAD, STARTED
from detectors.windows.frame import Frame

__all__ = ["attribute", "explaining"]

#: Groups of detectors that react to one kind of failure; a group is compared together, and its first detector leads.
_GROUPS = (("outage", "burn_rate"), ("silence",), ("funnel",))

#: Failures began with the shortest window that holds this share of the hour's: the others are strays.
_NEARLY_ALL = 0.9
#: The most other scopes that a cause names as explained by it.
_MOST_NAMED = 40


def attribute(
    verdicts: Sequence[Verdicts],
    frame: Frame,
    n: int,
    policy: Policy,
    known: Collection[str] = (),
    maintained: Sequence[str] = (),
) -> list[Cause]:
    """Return the causes at step ``n``, in the order of the scope axis.

    The first cause of each scope is the leading detector's finding; there should be one incident for it. Its
    numbers also hold ``explains``, the other firing scopes that it explains, and ``gain`` (nats). The findings
    of other detectors on this scope follow it.

    Args:
        known: the scopes of open incidents that may wake somebody.
        maintained: the scopes of maintenance that was announced at run time.
    """
    serious = [verdict for verdict in verdicts if verdict.detector not in WAKES_NOBODY]
    minor = [[verdict] for verdict in verdicts if verdict.detector in WAKES_NOBODY]
    busy = _busy(frame, n, policy)
    lattice, at = lattice_of(frame.scopes), int(frame.ends[n])
    announced = [window.scope for window in policy.maintenance if window.start <= at < window.end]
    announced += maintained
    planned = frozenset[int]()
    if announced:
        planned = frozenset(group for group in lattice.order if _within(lattice.path(group), announced))
    indices = (frame.scopes.index(scope) for scope in known)
    around = _Around(busy, lattice, planned, tuple(index for index in indices if index is not None))
    out = _causes(_groups(serious), verdicts, frame, n, policy, around)
    around = _Around(busy, lattice, planned)
    for group in minor:
        out += _causes([group], verdicts, frame, n, policy, around)
    return out


@dataclass(frozen=True)
class _Around:
    """What bears on the causes of a step: groups with traffic, or under announced maintenance; known incidents."""

    busy: frozenset[int]
    lattice: Lattice
    planned: frozenset[int]
    known: tuple[int, ...] = ()


def _within(path: str, scopes: Sequence[str]) -> bool:
    return any(contains(scope, path) for scope in scopes)


def _causes(
    groups: Sequence[Sequence[Verdicts]],
    verdicts: Sequence[Verdicts],
    frame: Frame,
    n: int,
    policy: Policy,
    around: _Around,
) -> list[Cause]:
    """Return the causes that the given groups of detectors find, in the order of the scope axis."""
    found: dict[int, list[Verdicts]] = {}
    gains: dict[int, float] = {}
    begun: dict[int, int] = {}
    lattice = around.lattice
    for group in groups:
        if not any(verdict.fires_at[n] for verdict in group):
            continue
        fires = reduce(np.logical_or, (verdict.fires[n] for verdict in group))
        if not (fires & lattice.is_scope).any():
            continue
        gain = reduce(np.maximum, (verdict.gain(n) for verdict in group))
        selection = Selection(lattice, gain, around.busy, policy.attribution, around.planned)
        causes = explaining(selection, lattice, gain, fires)
        if around.known and group[0].detector == "outage":
            causes |= selection.unnamed_beside([*around.known, *causes], needed_evidence(policy))
        for cause_of in causes:
            scope, beside = _beside_known(cause_of, selection, lattice, around.known)
            if scope is None:
                continue
            if beside is not None:
                begun[scope] = _first_bad(frame, n, beside)
            found.setdefault(scope, []).extend(group)
            gains[scope] = max(gains.get(scope, 0.0), float(gain[scope]))
    if not found:
        return []
    out: list[Cause] = []
    for scope in sorted(absorbed(lattice, found)):
        group = [
            verdict for inner, group in found.items() if lattice.holds[scope, inner] for verdict in group
        ]
        leading, *others = sorted(group, key=lambda v: (not v.fires[n, scope], _rank(v)))
        explains = _symptoms(lattice, scope, verdicts, n)
        cause = leading.explain(n, scope)
        first_bad = begun.get(scope, cause.first_bad)
        numbers = {
            **cause.numbers,
            "explains": ",".join(lattice.path(f) for f in explains[:_MOST_NAMED]),
            "gain": round(gains.get(scope, 0.0), 2),
        }
        out.append(msgspec.structs.replace(cause, state="firing", numbers=numbers, first_bad=first_bad))
        out += [verdict.explain(n, scope) for verdict in others if verdict.fires[n, scope]]
    return out


def _beside_known(
    scope: int, selection: Selection, lattice: Lattice, known: Sequence[int]
) -> tuple[int | None, int | None]:
    """Return the scope that a cause has in view of known incidents that it overlaps, and the part that shows it.

    The part (None where there is no such incident) fails in excess and shares nothing with these incidents. Without
    one the cause has what it shares with an incident, and none (None) where nothing names that and they hold all of it.
    """
    holders = [one for one in known if lattice.holds[one, scope]]
    if holders:
        # What a known incident holds is named within it, also where only the traffic shows that it holds it.
        within = [lattice.shared(one, scope) for one in holders]
        if scope in within:
            return scope, None
        return next((one for one in within if one is not None), holders[0]), None
    across = [one for one in known if lattice.meets[one, scope] and not lattice.holds[scope, one]]
    if not across:
        return scope, None
    beside = selection.beside(scope, across)
    if beside is not None:
        return scope, beside
    for one in across:
        shared = lattice.shared(one, scope)
        if shared is not None:
            return int(lattice.same[shared]), None
    is_explained = bool((lattice.members[scope] <= lattice.members[across].sum(axis=0)).all())
    return None if is_explained else scope, None


def _first_bad(frame: Frame, n: int, part: int) -> int:
    """Return when the failures of a part (group) began: with the shortest window that holds nearly all of them."""
    bad = {window: int(frame.counts[window][n, part][[BAD, SESSION_BAD]].sum()) for window in frame.windows}
    most = max(bad.values())
    return int(frame.ends[n]) - min(window for window, count in bad.items() if count >= _NEARLY_ALL * most)


def _rank(verdict: Verdicts) -> int:
    order = [name for names in _GROUPS for name in names]
    return order.index(verdict.detector) if verdict.detector in order else len(order)


def _symptoms(lattice: Lattice, scope: int, verdicts: Sequence[Verdicts], n: int) -> list[int]:
    """Return the other firing scopes that a cause explains: those within its scope, and those that contain it.

    Of scopes that hold the same events one is returned; the widest come first.
    """
    firing = reduce(np.logical_or, (verdict.fires[n] for verdict in verdicts if verdict.fires_at[n]))
    related = lattice.holds[scope] | lattice.holds[:, scope]
    found = {int(f) for f in lattice.same[np.flatnonzero(firing & related & lattice.is_scope)]}
    return sorted(found - {scope}, key=lambda f: int(lattice.rank[f]))


def _groups(verdicts: Sequence[Verdicts]) -> list[list[Verdicts]]:
    by_name = {verdict.detector: verdict for verdict in verdicts}
    grouped = [[by_name.pop(name) for name in group if name in by_name] for group in _GROUPS]
    return [group for group in chain(grouped, ([verdict] for verdict in by_name.values())) if group]


def _busy(frame: Frame, n: int, policy: Policy) -> frozenset[int]:
    """Return the scopes that had traffic within the last hour."""
    counts = frame.counts[HOUR][n].T
    events = counts[GOOD] + counts[BAD] + counts[EXCLUDED] + counts[STARTED]
    return frozenset(np.flatnonzero(events >= policy.attribution.traffic).tolist())


def explaining(selection: Selection, lattice: Lattice, gain: Floats, fires: Bools) -> set[int]:
    """Return the scopes that explain the scopes which fire.

    Args:
        selection: of the step.
        lattice: the scopes.
        gain: (group,) nats.
        fires: (group,) whether a detector of failures fires.
    """
    asked = (*selection.asked, fires.tobytes())
    return lattice.chosen(asked, lambda: _explaining(selection, lattice, gain, fires))


def _explaining(selection: Selection, lattice: Lattice, gain: Floats, fires: Bools) -> set[int]:
    chosen = selection.by_rule(selection.cheapest())
    firing = fires & lattice.is_scope
    causes = {scope for scope in chosen if fires[scope]}
    left = _unexplained(lattice, firing, causes)
    for scope in sorted(chosen - causes, key=lambda scope: (-gain[scope], scope)):
        met = left & lattice.meets[:, scope]
        if met.any():
            causes.add(scope)
            left ^= met
    _explain(left, causes, lattice, gain)
    causes = absorbed(lattice, selection.by_rule(causes))
    # A rule may have taken a part away that hardly fails.
    _explain(_unexplained(lattice, firing, causes), causes, lattice, gain)
    return absorbed(lattice, causes)


def _unexplained(lattice: Lattice, firing: Bools, causes: set[int]) -> Bools:
    """Return (group,) which of the groups that fire meet no cause."""
    return np.asarray(firing & ~lattice.meets[:, sorted(causes)].any(axis=1))


def _explain(left: Bools, causes: set[int], lattice: Lattice, gain: Floats) -> None:
    """Add causes, in place, until each group of ``left`` (group,) meets one: the one with the most gain comes first."""
    while left.any():
        most = max(np.flatnonzero(left).tolist(), key=lambda f: (gain[f], lattice.rank[f]))
        cause = int(lattice.same[most])
        causes.add(cause)
        left = left & ~lattice.meets[:, cause]
