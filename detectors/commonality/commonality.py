"""What do the people who fail have in common, and the others have not?

A value of an axis or of a further field, or a step, stands out where at least 60 % of the people who fail have it and
its *lift*, the share among those who fail divided by the share among the requests that succeed, is surely at least 1.5:
the lower bound of the one share divided by the upper bound of the other, both one-sided and of 99 % (E. B. Wilson
1927). Beside it the share among all is told, of those who fail and the successes together. Both shares are taken at the
steps at which people fail, each step with the weight that it has among them (direct standardisation; the variance is
that of stratified samples, Cochran 1977, section 5.4): a client that refreshes often is not more common for that.

Error codes and classes exist on failures only. One stands out where 80 % of the people who fail have it.
Steps, codes and classes are not told where they are the usual ones: the most frequent among those who failed before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.axes import ANY, named
from detectors.bounds import NAME_BYTES, cut
from detectors.commonality.completed import Population
from detectors.commonality.further import Request
from detectors.confidence import wilson_lower, wilson_upper
from detectors.incidents import Common

__all__ = ["MOST_TOLD", "in_common", "usual_failures"]

#: The most values that are told of an incident.
MOST_TOLD = 3
#: Fewer people who fail are no evidence for what they have in common.
_LEAST_PEOPLE = 10
#: Fewer people who failed before do not say what is usual.
_LEAST_BEFORE = 5
#: 60 %: most of those who fail, so that the value leads to what is wrong.
_SHARE = 0.6
_LIFT = 1.5
_CODE_SHARE = 0.8
#: Standard errors of a one-sided bound of 99 %.
_SURE = 2.326
_EVERYONE = 1.0

#: Gives the value of a request on a field; None for none.
_Values = Callable[[Request], str | None]


def _step(request: Request) -> str | None:
    return request.kind.step


def _on_axis(axis: int) -> _Values:
    return lambda request: request.kind.leaf[axis] if axis < len(request.kind.leaf) else None


def _on_further(place: int) -> _Values:
    return lambda request: request.values[place] if place < len(request.values) else None


_FAILURE_FIELDS: dict[str, _Values] = {
    "error_code": lambda request: request.kind.code or None,
    "error_class": lambda request: request.kind.error_class or None,
}


class _Shares(NamedTuple):
    """The values of one field.

    Attributes:
        values: the values that requests have, in order.
        position: (kind,) the position of the kind's value in ``values``; -1 for none.
        failing: (value,) the distinct people of the sample who failed with the value.
    """

    values: list[str]
    position: Ints
    failing: Ints


def in_common(
    found: Population,
    scope: str,
    axes: tuple[str, ...],
    breakdowns: Sequence[str],
    usual: Mapping[str, str],
) -> tuple[Common, ...] | None:
    """Return what stands out among the people who fail in a scope, by its lower bound, the greatest first.

    Args:
        found: the completed requests of the scope.
        scope: the scope's path; the axes on which it names a value are left out.
        axes: the names of the axes.
        breakdowns: the further fields that are looked at: ``error_code``, ``error_class``, and those that are recorded
            of a sample of requests, in the order of their values.
        usual: field -> the value that is not told, as ``usual_failures`` gives it.

    Returns:
        at most ``MOST_TOLD`` values; None where too few people fail to tell.
    """
    if found.people < _LEAST_PEOPLE:
        return None
    told = [*_of_axes(found, scope, axes), *_of_steps(found, usual), *_of_failures(found, breakdowns, usual)]
    if found.further is not None and found.further.people >= _LEAST_PEOPLE:
        recorded = [field for field in breakdowns if field not in _FAILURE_FIELDS]
        told += _of_further(found.further, recorded)
    told.sort(key=lambda ranked: (-ranked[0], ranked[1].field, ranked[1].value))
    return tuple(common for _, common in told[:MOST_TOLD])


def usual_failures(before: Population) -> dict[str, str]:
    """Return the most frequent step, error code and error class of those who failed before; without the unknown."""
    if before.people < _LEAST_BEFORE:
        return {}
    out = {}
    for field, value_of in {"step": _step, **_FAILURE_FIELDS}.items():
        shares = _shares(before, value_of)
        if shares.values and int(shares.failing.max()):
            # The first of the values in order where several are as frequent.
            out[field] = cut(shares.values[int(np.argmax(shares.failing))], NAME_BYTES)
    return out


def _of_axes(found: Population, scope: str, axes: tuple[str, ...]) -> Iterator[tuple[float, Common]]:
    values = named(scope)
    steps = _shares(found, _step)
    for n, axis in enumerate(axes):
        if n >= len(values) or values[n] == ANY:
            yield from _outstanding(found, axis, steps, _shares(found, _on_axis(n)))


def _of_steps(found: Population, usual: Mapping[str, str]) -> Iterator[tuple[float, Common]]:
    everyone = _Shares([""], np.zeros(len(found.kinds), dtype=np.int64), np.array([found.people]))
    for ranked in _outstanding(found, "step", everyone, _shares(found, _step)):
        if usual.get("step") != ranked[1].value:
            yield ranked


def _of_further(found: Population, recorded: Sequence[str]) -> Iterator[tuple[float, Common]]:
    """Yield what stands out on the fields that are recorded of a sample, as ``_of_axes`` does on axes."""
    steps = _shares(found, _step)
    for place, field in enumerate(recorded):
        yield from _outstanding(found, field, steps, _shares(found, _on_further(place)))


def _of_failures(
    found: Population, breakdowns: Sequence[str], usual: Mapping[str, str]
) -> Iterator[tuple[float, Common]]:
    for field in [field for field in _FAILURE_FIELDS if field in breakdowns]:
        value_of = _FAILURE_FIELDS[field]
        shares = _shares(found, value_of)
        for value, failing in zip(shares.values, shares.failing.tolist(), strict=True):
            told = cut(value, NAME_BYTES)
            if failing >= _CODE_SHARE * found.people and usual.get(field) != told:
                # No successes have it, so there is no lift: the share itself, behind all lifts.
                bound = float(wilson_lower(failing, found.people, _SURE))
                yield bound, _common(found, field, told, failing, None)


def _outstanding(
    found: Population, field: str, strata: _Shares, shares: _Shares
) -> Iterator[tuple[float, Common]]:
    """Yield the values of a field whose lift is surely great, with its lower bound.

    Args:
        strata: the values of the field by which the shares of the values are standardised. Nothing stands out where
            nobody fails with any of them: of those who fail nothing may have been recorded.
    """
    width, rows = len(shares.values), len(strata.values)
    if not width or not strata.failing.any():
        return
    both = (strata.position >= 0) & (shares.position >= 0)
    cell = np.where(both, strata.position * width + shares.position, -1)
    have: Floats = (
        np.bincount(cell[both], found.good[both], rows * width).reshape(rows, width).astype(np.float64)
    )
    failed = found.weight * _people(found, cell, rows * width).reshape(rows, width)
    known = strata.position >= 0
    every: Floats = np.bincount(strata.position[known], found.good[known], rows).astype(np.float64)
    others, trials = _standardised(have, every, strata.failing)
    usual, _ = _standardised(
        found.good_weight * have + failed,
        found.good_weight * every + found.weight * strata.failing,
        strata.failing,
    )
    lower = wilson_lower(shares.failing, found.people, _SURE)
    lift = lower / wilson_upper(others * trials, trials, _SURE)
    for n in np.flatnonzero((shares.failing >= _SHARE * found.people) & (lift >= _LIFT)).tolist():
        told = cut(shares.values[n], NAME_BYTES)
        yield float(lift[n]), _common(found, field, told, int(shares.failing[n]), float(usual[n]))


def _common(found: Population, field: str, value: str, failing: int, usual: float | None) -> Common:
    return Common(
        field=field,
        value=value,
        failing=round(failing * found.weight),
        failing_of=round(found.people * found.weight),
        usual_share=None if usual is None else round(min(usual, _EVERYONE), 4),
    )


def _shares(found: Population, value_of: _Values) -> _Shares:
    """Return the values of a field in order, and the distinct people who failed with each."""
    each = [value_of(kind) for kind in found.kinds]
    values = sorted({value for value in each if value is not None})
    places = {value: n for n, value in enumerate(values)}
    position = np.array([-1 if value is None else places[value] for value in each], dtype=np.int64)
    return _Shares(values, position, _people(found, position, len(values)))


def _people(found: Population, cell: Ints, cells: int) -> Ints:
    """Return (cell,) the distinct people who failed with a kind of each cell; ``cell`` (kind,) is -1 for none."""
    of = cell[found.kind]
    pairs = np.unique(found.person[of >= 0] * max(cells, 1) + of[of >= 0])
    return np.bincount(pairs % max(cells, 1), minlength=cells)[:cells].astype(np.int64)


def _standardised(have: Floats, every: Floats, failing: Ints) -> tuple[Floats, float]:
    """Return (value,) the share of each value, and the size of a simple random sample that says it as exactly.

    The share is the mean of the shares in the strata, weighted by the people who fail there. A stratum without requests
    says nothing: every value may have all of it.

    Args:
        have: (stratum, value) requests with the value.
        every: (stratum,) requests.
        failing: (stratum,) people who fail.
    """
    used = failing > 0
    weight = failing[used] / max(int(failing.sum()), 1)
    empty = every[used] == 0
    of = np.where(empty, 1.0, every[used])
    shares = np.where(empty[:, None], 1.0, have[used] / of[:, None])
    return weight @ shares, 1.0 / float((weight**2 / of).sum())
