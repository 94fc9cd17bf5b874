"""What does a record of the history count, a leaf or a scope, and which groups does that belong to?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from detectors.arrays import Bools, Floats
from detectors.axes import ANY, OTHER, Leaf, Scopes, contains, named, path_of
from detectors.windows.counters import COUNTERS

__all__ = ["SESSION_FIELDS", "SIGN_IN_FIELDS", "Entries", "Entry", "record_of"]

SIGN_IN_FIELDS = COUNTERS[:6]
SESSION_FIELDS = ("good", "bad")
#: The most leaves and paths that are known; further leaves count as ``other`` on each axis on which they have a value.
_MOST = 1_000
_sign_in_of = itemgetter(*SIGN_IN_FIELDS)

#: A leaf, or the path of a scope with its environment, as records of the form before have it.
Entry = Leaf | str
#: Entry (number) -> counts (counter,), and entry -> error code -> failures.
_Read = tuple[dict[int, Sequence[int]], dict[int, dict[str, int]]]


class Entries:
    """The numbers of the entries that records of one environment have counted."""

    def __init__(self, env: str) -> None:
        self._env = env
        # The environment is always there, so that what is unknown of all entries is known to be so.
        self._known: list[Entry | None] = [env]  # None where the number is free
        self._numbers: dict[Entry, int] = {env: 0}
        self._groups: tuple[Scopes | None, int, int, Floats] = (None, 0, 0, np.zeros((0, 0)))
        self._changes = 0
        self._held: tuple[int, dict[str, Bools]] = (0, {})  # as of a number of changes, by path

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, number: int) -> Entry:
        """Return the entry of a number that is not free."""
        entry = self._known[number]
        assert entry is not None
        return entry

    def of_leaves(self, leaves: Iterable[Mapping[str, Any]], axes: Sequence[str]) -> _Read:
        """Return the counts and codes of the leaves of a record.

        Raises:
            KeyError: a counter is missing.
        """
        counts: dict[int, Sequence[int]] = {}
        codes: dict[int, dict[str, int]] = {}
        for one in leaves:
            of, session = one["axes"], one.get("session") or {}
            entry = self._number(tuple(of.get(axis) for axis in axes))
            fresh = [*_sign_in_of(one["sign_in"]), *(session.get(field, 0) for field in SESSION_FIELDS)]
            known = counts.get(entry)
            counts[entry] = fresh if known is None else [a + b for a, b in zip(known, fresh, strict=True)]
            for code, count in (one.get("codes") or {}).items():
                of_entry = codes.setdefault(entry, {})
                of_entry[code] = of_entry.get(code, 0) + count
        return counts, codes

    def of_scopes(
        self, scopes: Mapping[str, Mapping[str, int]], codes: Mapping[str, Mapping[str, int]]
    ) -> _Read:
        """Return the counts and codes of the scopes of a record of the form before.

        Raises:
            KeyError: a scope is of another environment, or a counter is missing.
        """
        for path in (*scopes, *codes):
            if path.partition("/")[0] != self._env:
                raise KeyError(path)
        values = [(*_sign_in_of(counts), 0, 0) for counts in scopes.values()]
        found: dict[int, Sequence[int]] = dict(zip(map(self._number, scopes), values, strict=True))
        return found, {self._number(path): dict(of) for path, of in codes.items()}

    def _number(self, entry: Entry) -> int:
        number = self._numbers.get(entry)
        if number is not None:
            return number
        if len(self._numbers) >= _MOST and not isinstance(entry, str):
            entry = tuple(None if value is None else OTHER for value in entry)
            if entry in self._numbers:
                return self._numbers[entry]
        number = len(self._known)
        if len(self._numbers) < number:
            number = self._known.index(None)
            self._known[number] = entry
        else:
            self._known.append(entry)
        self._numbers[entry] = number
        self._changes += 1
        return number

    def keep(self, numbers: Collection[int]) -> None:
        """Free the numbers of all other entries."""
        kept = {0, *numbers}
        self._known = [entry if number in kept else None for number, entry in enumerate(self._known)]
        self._numbers = {entry: number for entry, number in self._numbers.items() if number in kept}
        self._changes += 1

    def leaves(self, numbers: Collection[int], axes: int) -> list[Leaf]:
        """Return the leaves among entries; the path of a method with a provider stands for the leaf of both.

        Args:
            numbers: of the entries.
            axes: how many axes there are.
        """
        found: list[Leaf] = []
        for number in numbers:
            entry = self._known[number]
            if isinstance(entry, str):
                values = named(entry)
                if ANY not in values and len(values) in (1, 2):
                    found.append((*values, *(None,) * (axes - len(values))))
            elif entry is not None:
                found.append(entry)
        return found

    def held_by(self, scope: str) -> Bools:
        """Return (entry,) which entries lie within a scope (path)."""
        if self._held[0] != self._changes:
            self._held = self._changes, {}
        held = self._held[1].get(scope)
        if held is None:
            held = np.array([contains(scope, self._path_of(entry)) for entry in self._known], dtype=bool)
            self._held[1][scope] = held
        return held

    def _path_of(self, entry: Entry | None) -> str:
        """The path of an entry, with ``*`` where a leaf has no value; empty for None."""
        if entry is None or isinstance(entry, str):
            return entry or ""
        return path_of(self._env, (value or ANY for value in entry))

    def parts(self, scope: str, by_entry: Floats) -> dict[str, Floats]:
        """Return the counts (counter,) of the parts of a scope that share no events, by path.

        Parts are the leaves; of records of the form before, each provider of a method, and the method for the rest.

        Args:
            scope: the path with the environment.
            by_entry: (entry, counter).
        """
        out: dict[str, Floats] = {}
        for number, entry in enumerate(self._known[: len(by_entry)]):
            if isinstance(entry, str):
                shares = _shares(entry, scope)
            else:
                path = self._path_of(entry)
                shares = [(path, 1.0)] if contains(scope, path) else []
            for path, share in shares:
                out[path] = out.get(path, 0.0) + share * by_entry[number]
        return out

    def has_scopes(self, by_entry: Floats) -> bool:
        """Return whether counts (entry, counter) are of records of the form before, by scope."""
        counted = zip(self._known, np.nan_to_num(by_entry), strict=False)
        return any(isinstance(entry, str) and bool(np.any(counts)) for entry, counts in counted)

    def to_groups(self, by_entry: Floats, scopes: Scopes) -> Floats:
        """Return (N, group, counter) from (N, entry, counter)."""
        known, version, changes, matrix = self._groups
        if known is not scopes or (version, changes) != (scopes.version, self._changes):
            matrix = np.zeros((len(self._known), len(scopes)))
            for number, entry in enumerate(self._known):
                if isinstance(entry, str):
                    group = scopes.index(entry)
                    groups = [] if group is None else [group]
                else:
                    groups = [] if entry is None else scopes.groups_of(entry)
                matrix[number, groups] = 1.0
            self._groups = scopes, scopes.version, self._changes, matrix
        unknown = (
            np.isnan(by_entry).any(axis=(1, 2)) if by_entry.size else np.zeros(len(by_entry), dtype=bool)
        )
        out = np.tensordot(np.nan_to_num(by_entry), matrix, axes=(1, 0)).transpose(0, 2, 1)
        out = np.ascontiguousarray(out)
        out[unknown] = np.nan
        return out


def record_of(
    env: str,
    at: int,
    counts: Sequence[tuple[Entry, Sequence[int]]],
    codes: Mapping[Any, Mapping[str, int]],
    axes: Sequence[str] | None,
    excluded: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a record of the history.

    Args:
        env: the environment.
        at: the start of the five minutes, ms.
        counts: each entry with its counts (counter,).
        codes: entry -> error code -> failures.
        axes: the names of the axes, where entries are leaves; None for a record of the form before.
        excluded: the scopes that an incident or maintenance covered.
    """
    width = len(SIGN_IN_FIELDS)
    if axes is None:
        scopes = {entry: dict(zip(SIGN_IN_FIELDS, of[:width], strict=True)) for entry, of in counts}
        record: dict[str, Any] = {"env": env, "at": at, "scopes": scopes}
        return record | ({"codes": {entry: dict(of) for entry, of in codes.items()}} if codes else {})
    leaves = []
    for entry, of in counts:
        named_values = {axis: value for axis, value in zip(axes, entry, strict=True) if value is not None}
        leaf: dict[str, Any] = {
            "axes": named_values,
            "sign_in": dict(zip(SIGN_IN_FIELDS, of[:width], strict=True)),
            "session": dict(zip(SESSION_FIELDS, of[width:], strict=True)),
        }
        leaves.append(leaf | ({"codes": dict(codes[entry])} if entry in codes else {}))
    return {"v": 2, "env": env, "at": at, "leaves": leaves, "excluded": list(excluded)}


def _shares(entry: str, scope: str) -> list[tuple[str, float]]:
    """Return which parts of a scope a scope of a record of the form before adds to (1) and takes from (-1)."""
    values = named(entry)
    if not values or ANY in values or not contains(scope, entry):
        return []
    method = entry.rpartition("/")[0]
    is_provider = len(values) == 2
    return [(entry, 1.0), (method, -1.0)] if is_provider and contains(scope, method) else [(entry, 1.0)]
