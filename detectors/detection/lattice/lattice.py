"""Which scopes of an environment hold which, which parts has each, and which leaves?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats, Ints
from detectors.axes import ANY, ENVIRONMENT, Leaf, Scopes, named, narrowness

__all__ = ["CSP", "METHOD", "Lattice", "lattice_of"]

#: The axes to which the policy gives objectives, and of which failures are those of a provider.
METHOD, CSP = "auth_method", "csp"
#: A scope of so many values is narrow.
_NARROW = 2
#: The code of an axis without a value.
_NONE = -1
#: So many choices are kept for a lattice.
_CHOSEN_KEPT = 500


class Lattice:
    """How the groups of one environment lie in each other, as of one version of its ``Scopes``.

    Attributes:
        env: the environment.
        axes: the names of the axes.
        size: number of positions of groups.
        paths: the path of each group with the environment; None for a group that is no scope.
        is_scope: bool (group,).
        members: float64 (group, leaf), 1 for the leaves of a group, so that matrix products are fast.
        holds: bool (group, group): whether the first group holds all events that the second one can hold.
        contains: bool (group, group): whether the first scope holds the second one by its values, or both are the same.
        meets: bool (group, group): whether two groups share a leaf, or may, as one of them has none.
        order: the scopes from the widest to the narrowest: by the number of their values, then by their axes.
        same: int (group,) of all scopes that hold the same leaves the first in ``order``; a scope that names a value
            on one of the first two axes stays apart from the environment. The group itself for a group without leaves
            or that no scope equals.
        names: bool (axis, group): whether a group names a value on an axis.
        parts: parts[axis][group] are the scopes that name a value of this axis besides the group's own values.
        distinct: like ``parts``, without the parts that hold all that the group holds.
        divided: bool (group,) whether a group has such parts on any axis.
        around: around[group] are the scopes of which a scope is a part.
        narrow: bool (group,) whether a scope names at least two values.
        valued: bool (axis, leaf): whether a leaf has a value on an axis.
        rank: int (group,) the position of a scope in ``order``.
        nameless: bool (group, leaf) whether a scope may hold the events of a leaf which lacks a value that it names.
        exact: int (leaf,) the scope that names exactly the values of a leaf; -1 without one.
        rest: int (group,) the group that consists of the events without any value but those of the scope; -1 without
            such a group.
        methods: the authentication methods that groups name, None for none.
        method: int (group,) positions in ``methods``.
    """

    def __init__(self, scopes: Scopes) -> None:
        self.env, self.axes, self.size = scopes.env, scopes.axes, len(scopes)
        self.paths = [None if path is None else scopes.path(group) for group, path in enumerate(scopes.paths)]
        self.is_scope: Bools = np.array([path is not None for path in self.paths], dtype=bool)
        self.members: Floats = scopes.members.astype(np.float64)
        shared = self.members @ self.members.T
        sizes = np.diagonal(shared)
        codes, words = _codes(self.paths, len(self.axes))
        self._codes, self._words = codes, words
        self.names: Bools = (codes != _NONE).T
        by_path = np.all((codes[:, None] == _NONE) | (codes[:, None] == codes[None]), axis=2)
        by_path &= self.is_scope[:, None] & self.is_scope[None]
        held = sizes > 0
        self.holds: Bools = by_path | ((shared >= sizes[None]) & held[None])
        of_paths = codes[:, None] == codes[None]
        of_paths |= (codes[:, None] == _NONE) | (codes[None] == _NONE)
        unseen = np.all(of_paths, axis=2) & self.is_scope[:, None] & self.is_scope[None]
        self.meets: Bools = (shared > 0) | (unseen & ~(held[:, None] & held[None]))
        scope_groups = np.flatnonzero(self.is_scope).tolist()
        self.order: list[int] = sorted(scope_groups, key=lambda group: (narrowness(self.path(group)), group))
        self.rank: Ints = np.full(self.size, self.size, dtype=np.int64)
        self.rank[self.order] = np.arange(len(self.order))
        self.same = self._same(sizes)
        self.contains: Bools = by_path | (self.same[:, None] == self.same[None])
        self.parts = self._parts()
        self.distinct = [
            [[part for part in parts if not self.holds[part, group]] for group, parts in enumerate(of_axis)]
            for of_axis in self.parts
        ]
        self.divided: Bools = np.array([any(of) for of in zip(*self.distinct, strict=True)], dtype=bool)
        self._chosen: dict[tuple[object, ...], frozenset[int]] = {}
        self._shared: dict[tuple[int, int], int | None] = {}
        self._busy_parts: tuple[frozenset[int], list[list[list[int]]]] | None = None
        self.around: list[list[int]] = [[] for _ in range(self.size)]
        for of_axis in self.parts:
            for group, parts in enumerate(of_axis):
                for part in parts:
                    self.around[part].append(group)
        self.narrow: Bools = self.names.sum(axis=0) >= _NARROW
        leaves = [leaf or (None,) * len(self.axes) for leaf in scopes.leaves]
        self.valued: Bools = np.array([[v is not None for v in leaf] for leaf in leaves], dtype=bool).T
        self.valued = self.valued.reshape(len(self.axes), len(leaves))
        self._index = {path: group for group, path in enumerate(scopes.paths) if path is not None}
        of_values = {named(self.path(group)): group for group in scope_groups}
        self.nameless: Bools = self._nameless(leaves)
        own = [leaf[self.axes.index(METHOD)] if METHOD in self.axes else None for leaf in leaves]
        self._of_method: Floats = np.array(
            [[a == b for b in dict.fromkeys(own)] for a in own], dtype=np.float64
        )
        self.exact: Ints = np.array([of_values.get(_trimmed(leaf), -1) for leaf in leaves], dtype=np.int64)
        self._alone = self._alone_of(sizes)
        self._absent: Bools = (self._alone < 0) & ((self.exact < 0) | ~self.members.any(axis=0))
        self.rest: Ints = np.full(self.size, -1, dtype=np.int64)
        named_leaves = np.flatnonzero((self.exact >= 0) & (self._alone >= 0))
        self.rest[self.exact[named_leaves]] = self._alone[named_leaves]
        of_method = [self.value(group, METHOD) for group in range(self.size)]
        self.methods = list(dict.fromkeys(of_method))
        self.method: Ints = np.array([self.methods.index(method) for method in of_method], dtype=np.int64)

    def path(self, group: int) -> str:
        """Return the path of a scope, with the environment."""
        path = self.paths[group]
        if path is None:
            raise KeyError(group)
        return path

    def index(self, path: str) -> int | None:
        """Return the position of a scope by its path without the environment; None if there is none."""
        return self._index.get(path)

    def busy_parts(self, busy: frozenset[int]) -> list[list[list[int]]]:
        """Return ``distinct`` without the parts that are not in ``busy``, which hardly changes between steps."""
        if self._busy_parts is None or self._busy_parts[0] != busy:
            kept = [[[part for part in parts if part in busy] for parts in axis] for axis in self.distinct]
            self._busy_parts = busy, kept
        return self._busy_parts[1]

    def shared(self, group: int, other: int) -> int | None:
        """Return the scope of what two scopes share, the values of both; None if there is none."""
        if (group, other) not in self._shared:
            codes = np.maximum(self._codes[group], self._codes[other])
            found = np.flatnonzero((self._codes == codes).all(axis=1) & self.is_scope)
            self._shared[group, other] = int(found[0]) if len(found) else None
        return self._shared[group, other]

    def value(self, group: int, axis: str) -> str | None:
        """Return the value that a group names on an axis (name); None without one."""
        if axis not in self.axes:
            return None
        code = int(self._codes[group, self.axes.index(axis)])
        return None if code == _NONE else self._words[code]

    def chosen(self, asked: tuple[object, ...], choose: Callable[[], Iterable[int]]) -> set[int]:
        """Return ``choose()``, or what it was when the same was asked before: most steps of an outage ask the same.

        Args:
            asked: all that the choice follows from, besides the lattice.
            choose: chooses groups.
        """
        found = self._chosen.get(asked)
        if found is None:
            if len(self._chosen) >= _CHOSEN_KEPT:
                self._chosen.clear()
            found = self._chosen[asked] = frozenset(choose())
        return set(found)

    def by_method(self, known: Mapping[str, float], others: float, without: float) -> Floats:
        """Return (group,) a number by the method that a group names.

        Args:
            known: method -> number.
            others: the number of another method.
            without: the number of a group that names no method.
        """
        values = [without if method is None else known.get(method, others) for method in self.methods]
        return np.array(values)[self.method]

    def leaves(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the counts (..., leaf) that counts (..., group) hold.

        A leaf without a group of its own has what the other leaves of the scope that names it have left.
        """
        out = array[..., np.maximum(self._alone, 0)]
        out[..., self._absent] = 0
        for leaf in np.flatnonzero((self._alone < 0) & ~self._absent):
            group = self.exact[leaf]
            others = self.members[group].astype(bool)
            others[leaf] = False
            out[..., leaf] = np.maximum(array[..., group] - out[..., others].sum(axis=-1), 0)
        return out

    def tokens(self, good: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return (..., group) the successes that are no sign-ins of their own, of all successes (..., group).

        A token has no credential provider, and follows a callback that has one. Successes without a provider are tokens
        as far as their method has as many with a provider.
        """
        if CSP not in self.axes or METHOD not in self.axes:
            return np.zeros_like(good)
        axis = self.axes.index(CSP)
        leaves = self.leaves(good)
        of_method = self._of_method
        without = leaves * ~self.valued[axis]
        all_without, all_with = (part.astype(np.float64) @ of_method for part in (without, leaves - without))
        share = np.minimum(all_with / np.maximum(all_without, 1.0), 1.0) @ of_method.T
        tokens: npt.NDArray[Any] = np.rint((without * share) @ self.members.T).astype(good.dtype)
        return tokens

    def _nameless(self, leaves: Sequence[Leaf]) -> Bools:
        words = {word: code for code, word in enumerate(self._words)}
        own = [[_NONE if v is None else words.get(v, len(words)) for v in leaf] for leaf in leaves]
        codes = np.array(own, dtype=np.int64).reshape(1, len(leaves), len(self.axes))
        asked, lacking = self.names.T[:, None] & self.is_scope[:, None, None], codes == _NONE
        fits = ~asked | lacking | (codes == self._codes[:, None])
        return np.asarray(fits.all(axis=2) & (asked & lacking).any(axis=2))

    def _same(self, sizes: Floats) -> Ints:
        same = np.arange(self.size)
        first: dict[bytes, int] = {}
        whole = self.members[ENVIRONMENT].tobytes()
        for group in self.order:
            leaves = self.members[group].tobytes()
            if not sizes[group] or group == ENVIRONMENT:
                continue
            # That all use one method or provider says where they fail; that all use one client does not.
            is_whole = leaves == whole and not self.names[:2, group].any()
            same[group] = ENVIRONMENT if is_whole else first.setdefault(leaves, group)
        return same

    def _parts(self) -> list[list[list[int]]]:
        parts: list[list[list[int]]] = [[[] for _ in range(self.size)] for _ in self.axes]
        place = {self._codes[group].tobytes(): group for group in self.order}
        for group in self.order:
            for axis in np.flatnonzero(self._codes[group] != _NONE).tolist():
                around = self._codes[group].copy()
                around[axis] = _NONE
                wider = place.get(around.tobytes())
                if wider is not None:
                    parts[axis][wider].append(group)
        return parts

    def _alone_of(self, sizes: Floats) -> Ints:
        """Return (leaf,) a group that consists of the leaf alone; -1 without one."""
        alone: Ints = np.full(self.members.shape[1], -1, dtype=np.int64)
        single = np.flatnonzero(sizes == 1)[::-1]
        if len(single):
            alone[self.members[single].argmax(axis=1)] = single
        return alone


def _codes(paths: Sequence[str | None], axes: int) -> tuple[Ints, list[str]]:
    """Return int (group, axis) positions of the values that groups name, ``_NONE`` for none; and the values."""
    words: dict[str, int] = {}
    codes = np.full((len(paths), axes), _NONE, dtype=np.int64)
    for group, path in enumerate(paths):
        for axis, value in enumerate(named(path) if path is not None else ()):
            if value != ANY:
                codes[group, axis] = words.setdefault(value, len(words))
    return codes, list(words)


def _trimmed(leaf: Sequence[str | None]) -> tuple[str, ...]:
    values = [ANY if value is None else value for value in leaf]
    while values and values[-1] == ANY:
        values.pop()
    return tuple(values)


def lattice_of(scopes: Scopes) -> Lattice:
    """Return the lattice of an environment's scopes; built once for each of their versions."""
    found = scopes.derived.get(Lattice)
    if not isinstance(found, Lattice):
        found = scopes.derived[Lattice] = Lattice(scopes)
    return found
