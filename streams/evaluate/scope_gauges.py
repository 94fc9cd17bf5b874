"""What do the gauges of an environment's scopes say: success, latency, people impacted, and error budgets?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.axes import ANY, Scopes, named, narrowness, overlaps, path_of
from detectors.detection.outage import budgets
from detectors.engine.engine import Engine
from detectors.history.error_budget import accounts, window_burns
from detectors.incidents import Incident
from detectors.instants import HOUR, MINUTE, format_duration
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, GOOD, SLOW, TIMED
from detectors.windows.impact import relative_error
from sinks.metrics.snapshot import ScopeValues

__all__ = ["ErrorBudgets", "Exported", "Ratios", "impact", "ratios", "severities"]

#: The most values that a scope with gauges names: its series are bounded, and narrower scopes have the topic ``sli``.
_MOST_VALUES = 2

#: (scope, name of a window) -> value; None where nothing completed.
Ratios = dict[tuple[ScopeValues, str], float | None]


@dataclass(frozen=True)
class Exported:
    """The scopes of an environment that have gauges: those of at most two values, and the methods of the policy.

    Of more scopes than the policy's ``max_scopes`` the widest have gauges.

    Attributes:
        paths: the path of each scope.
        values: the value of each scope on each axis, "" for all values.
        groups: the position of each scope on the axis "scope" of frames; -1 for a method without events.
        budgets: path -> the share of requests that may fail, by which the scope is judged. A scope of a method without
            an objective has none.
        version: of the environment's scopes.
    """

    paths: tuple[str, ...]
    values: tuple[ScopeValues, ...]
    groups: Ints
    budgets: Mapping[str, float]
    version: int

    @classmethod
    def of(cls, scopes: Scopes, policy: Policy) -> Exported:
        """Choose the scopes that have gauges."""
        standing = [scopes.path(group) for group, path in enumerate(scopes.paths) if path is not None]
        narrow = sorted((narrowness(path), path) for path in standing)
        paths = [path for (values, _), path in narrow if values <= _MOST_VALUES][: policy.max_scopes]
        at = scopes.axes.index("auth_method") if "auth_method" in scopes.axes else None
        chosen = tuple(dict.fromkeys([*paths, *_methods(scopes, policy)]))
        values = tuple(_values(path, len(scopes.axes)) for path in chosen)
        groups = [scopes.index(path) for path in chosen]
        by_group, may_fail = budgets(policy, scopes), {}
        for path, held, group in zip(chosen, values, groups, strict=True):
            method = "" if at is None else held[at]
            if method in policy.objectives:
                may_fail[path] = 1.0 - policy.objectives[method].availability
            elif not method and group is not None:
                may_fail[path] = float(by_group[group])
        places = np.array([-1 if group is None else group for group in groups], dtype=np.int64)
        return cls(chosen, values, places, may_fail, scopes.version)

    def rows(self, array: Ints) -> Ints:
        """Return the rows of an array (scope, …) of the last frame; zeros for scopes that the frame does not have."""
        known = (self.groups >= 0) & (self.groups < len(array))
        out = array[np.where(known, self.groups, 0)]
        out[~known] = 0
        return out


def _methods(scopes: Scopes, policy: Policy) -> list[str]:
    """Return the paths of the methods of the policy."""
    if "auth_method" not in scopes.axes:
        return []
    before = [ANY] * scopes.axes.index("auth_method")
    return [path_of(scopes.env, (*before, method)) for method in policy.values_of("auth_method")]


def _values(path: str, axes: int) -> ScopeValues:
    held = ["" if value == ANY else value for value in named(path)]
    return (*held, *[""] * (axes - len(held)))


def ratios(engine: Engine, scopes: Exported, policy: Policy) -> tuple[Ratios, Ratios]:
    """Return the success ratios and latency ratios of the policy's ``sli_windows`` at the last T."""
    success: Ratios = {}
    latency: Ratios = {}
    for window in policy.sli_windows:
        counts = _counts(engine, scopes, window)
        good, bad, slow, timed = (counts[:, counter] for counter in (GOOD, BAD, SLOW, TIMED))
        name = format_duration(window)
        _put(success, scopes.values, name, _share(good, good + bad))
        _put(latency, scopes.values, name, _share(timed - slow, timed))
    return success, latency


def impact(engine: Engine, scopes: Exported) -> tuple[dict[ScopeValues, int], dict[ScopeValues, float]]:
    """Return the people impacted in the hour before the last T, and the relative error of that number."""
    frame = engine.last
    if frame is None:
        return dict.fromkeys(scopes.values, 0), dict.fromkeys(scopes.values, 0.0)
    found = scopes.rows(frame.people[HOUR][-1]).tolist()
    level = int(frame.levels[HOUR][-1]) if HOUR in frame.levels else 0
    people = dict(zip(scopes.values, found, strict=True))
    return people, {values: relative_error(count, level) for values, count in people.items()}


def severities(
    engine: Engine, scopes: Exported, standing: Sequence[Incident], policy: Policy
) -> dict[ScopeValues, int]:
    """Return the severity of the worst incident that touches each scope; 0 for none.

    An incident touches a method whose events its scope can hold, and any other scope of which it holds some leaf: a
    client that never uses a method is not touched by the method's outage.

    Args:
        engine: of the environment.
        scopes: those that have gauges.
        standing: the incidents.
        policy: the policy.
    """
    out = dict.fromkeys(scopes.values, 0)
    members = engine.scopes.members
    listed = set(_methods(engine.scopes, policy))
    for incident in sorted(standing, key=lambda one: one.severity, reverse=True):
        group = engine.scopes.index(incident.scope)
        known = group is not None and bool(members[group].any())
        shared = np.any(members & members[group], axis=1).tolist() if known else None
        for path, values, at in zip(scopes.paths, scopes.values, scopes.groups.tolist(), strict=True):
            by_path = shared is None or at < 0 or path in listed
            if overlaps(incident.scope, path) and (by_path or (shared is not None and shared[at])):
                out[values] = incident.severity
    return out


class ErrorBudgets:
    """The error budgets of one environment's scopes. What the history says of them is looked up once a minute."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._lengths = sorted(
            {length for rule in policy.burn_rate.rules for length in (rule.short, rule.long)}
        )
        self._key: tuple[int, int] | None = None
        #: scope -> the share of the month's budget that is left, None without requests.
        self.left: dict[ScopeValues, float | None] = {}
        #: scope -> when (ms) the month's budget will be gone, if that is within the month.
        self.gone: dict[ScopeValues, int] = {}
        #: (scope, window) -> burn rate, of the windows of the policy's rules.
        self.burn: Ratios = {}
        self._long: Ratios = {}

    def update(self, engine: Engine, scopes: Exported) -> None:
        """Take the values of the last T; windows of up to an hour are live, longer ones of the history."""
        at = engine.evaluated_to
        if at is None:
            return
        if self._key != (key := (at // MINUTE, scopes.version)):
            self._look_up(engine, scopes, at)
            self._key = key
        self.burn = dict(self._long)
        of_paths = np.array([scopes.budgets.get(path, np.nan) for path in scopes.paths])
        held = ~np.isnan(of_paths)
        values = [one for one, has in zip(scopes.values, held.tolist(), strict=True) if has]
        for length in self._lengths:
            if length <= HOUR:
                counts = _counts(engine, scopes, length)[held]
                failing = _share(counts[:, BAD], counts[:, GOOD] + counts[:, BAD])
                _put(self.burn, values, format_duration(length), failing / of_paths[held])

    def _look_up(self, engine: Engine, scopes: Exported, at: int) -> None:
        """Take from the history what is left of the month's budgets, and the burn rates of long windows."""
        values = dict(zip(scopes.paths, scopes.values, strict=True))
        found = accounts(engine.history, scopes.budgets, at, self._policy, engine.exclusions())
        self.left = {values[path]: found[path].left if path in found else None for path in scopes.budgets}
        self.gone = {values[path]: one.gone_at for path, one in found.items() if one.gone_at is not None}
        self._long = {}
        for length in self._lengths:
            if length > HOUR:
                rates = window_burns(engine.history, scopes.budgets, at - length, at)
                self._long |= {(values[path], format_duration(length)): rate for path, rate in rates.items()}


def _counts(engine: Engine, scopes: Exported, window: int) -> Ints:
    """Return the counts (scope, counter) in a window (ms) at the last T; zeros before the first T."""
    if engine.last is None:
        return np.zeros((len(scopes.paths), TIMED + 1), dtype=np.int64)
    return scopes.rows(engine.last.counts[window][-1])


def _share(part: Ints, whole: Ints) -> Floats:
    """Return part / whole; nan where the whole is 0."""
    out: Floats = np.full(len(part), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _put(
    into: Ratios, scopes: tuple[ScopeValues, ...] | list[ScopeValues], window: str, ratios: Floats
) -> None:
    for scope, ratio in zip(scopes, ratios.tolist(), strict=True):
        into[scope, window] = None if ratio != ratio else ratio
