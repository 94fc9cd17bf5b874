"""Which leaves and scopes does an environment have, as its traffic makes them?

A *leaf* is a value or None on each axis (by default ``auth_method``, ``csp``, ``client_id``): events of one leaf are
counted together. A *scope* names values on some axes: its path is the environment and a value or ``*`` for each axis,
without the ``*`` at the end, such as ``prod``, ``prod/ssoe``, ``prod/*/idme`` or ``prod/sis/*/vaweb``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from itertools import product, zip_longest
from types import MappingProxyType

import msgspec
import numpy as np

from detectors.arrays import Bools, Ints
from detectors.values import OTHER

__all__ = [
    "ANY",
    "AXES",
    "ENVIRONMENT",
    "OTHER",
    "Leaf",
    "Scopes",
    "ScopesMemory",
    "contains",
    "named",
    "narrowness",
    "overlaps",
    "path_of",
    "shared",
]

#: The axes of the policy that ships.
AXES = ("auth_method", "csp", "client_id")
#: What stands in a path for an axis on which the scope names no value.
ANY = "*"
#: The position of the group that is the environment itself.
ENVIRONMENT = 0
#: The most leaves of an environment, as of a segment.
_MOST_LEAVES = 1_000
#: The most raw leaves of which the position is remembered.
_MOST_KNOWN = 20_000

#: So many answers about paths are remembered; the steps of an incident ask the same again and again.
_ANSWERS_KEPT = 4_096

#: A value or None on each axis.
Leaf = tuple[str | None, ...]


@lru_cache(_ANSWERS_KEPT)
def named(path: str) -> tuple[str, ...]:
    """The values of a path that begins with its environment, without the environment: ``("*", "idme")``."""
    return tuple(path.split("/")[1:])


@lru_cache(_ANSWERS_KEPT)
def narrowness(path: str) -> tuple[int, tuple[int, ...]]:
    """How narrow a scope is, for comparing scopes: by the number of its values, then by their axes, later ones last."""
    axes = tuple(axis for axis, value in enumerate(named(path)) if value != ANY)
    return len(axes), axes


def path_of(env: str, values: Iterable[str]) -> str:
    """The path of an environment and a value or ``*`` for each axis."""
    return "/".join((env, *values)).rstrip("/*") if env else "/".join(values).rstrip("/*")


@lru_cache(_ANSWERS_KEPT)
def contains(wide: str, narrow: str) -> bool:
    """Whether every event that the scope ``narrow`` can hold is one that ``wide`` holds; a scope contains itself."""
    if wide.partition("/")[0] != narrow.partition("/")[0]:
        return False
    outer, inner = named(wide), named(narrow)
    if len(outer) > len(inner):
        return False
    return all(value in (ANY, own) for value, own in zip(outer, inner, strict=False))


@lru_cache(_ANSWERS_KEPT)
def shared(path: str, other: str) -> str:
    """Return the scope of what two scopes of an environment that overlap have in common: the values of both."""
    values = zip_longest(named(path), named(other), fillvalue=ANY)
    return path_of(path.partition("/")[0], [b if a == ANY else a for a, b in values])


@lru_cache(_ANSWERS_KEPT)
def overlaps(one: str, other: str) -> bool:
    """Whether an event can be in both scopes: in ``prod/*/idme`` and ``prod/ssoe``, though neither holds the other."""
    if one.partition("/")[0] != other.partition("/")[0]:
        return False
    pairs = zip(named(one), named(other), strict=False)
    return all(a == b or ANY in (a, b) for a, b in pairs)


class ScopesMemory(msgspec.Struct, frozen=True):
    """The places of an environment's leaves and groups, for a restart.

    Attributes:
        leaves: the leaf at each position; None where the place is free.
        axes: the names of the axes; of a memory with other axes nothing is taken over.
        groups: the path below the environment of each group; for a group that is a single leaf without a path, the
            leaf's position; None where the place is free.
    """

    leaves: tuple[Leaf | None, ...] = ()
    groups: tuple[str | int | None, ...] = ("",)
    axes: tuple[str, ...] = ()


class Scopes:
    """The leaves and groups of one environment. Positions stay as they are until a leaf is released.

    A *group* is a set of leaves that is counted together: a scope, or a single leaf that no scope names exactly. The
    group at position 0 is the environment itself.

    Args:
        env: the environment.
        axes: the names of the axes; values that a leaf has beyond these are passed by.
        max_values: the most values of an axis; a further value is ``other``.
        max_scopes: the most scopes; the events of a further scope count in wider ones alone.
        aliases: axis -> raw value -> the value that it stands for.
        memory: the places of an earlier run.

    Attributes:
        leaves: the leaf at each position; None where the place is free.
        paths: the path below the environment of each group; None for a group that is no scope, and for a free place.
        members: bool (group, leaf): which leaves a group is made of.
        alone: (leaf,) the group that consists of the leaf alone; 0 for a free place.
        version: changes whenever any of these does.
        derived: type -> what others have made of these; forgotten whenever any of them changes.
    """

    def __init__(
        self,
        env: str,
        axes: tuple[str, ...] = AXES,
        *,
        max_values: int = 64,
        max_scopes: int = 500,
        aliases: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        memory: ScopesMemory | None = None,
    ) -> None:
        self.env = env
        self.axes = axes
        self._max_values = max_values
        self._max_scopes = max_scopes
        self._aliases = [aliases.get(axis, {}) for axis in axes]
        kept = memory if memory is not None and memory.axes == axes else ScopesMemory()
        self.leaves: list[Leaf | None] = [leaf and tuple(leaf) for leaf in kept.leaves]
        self._groups: list[str | int | None] = list(kept.groups)
        self.version = 0
        self.derived: dict[type, object] = {}
        self._free_leaves = [n for n, leaf in enumerate(self.leaves) if leaf is None]
        self._free_groups = [n for n, group in enumerate(self._groups) if group is None]
        self._changed()

    def memory(self) -> ScopesMemory:
        """The places, for a restart."""
        return ScopesMemory(tuple(self.leaves), tuple(self._groups), self.axes)

    def _changed(self) -> None:
        """Build what follows from the leaves and groups."""
        self.version += 1
        self._known: dict[Leaf, int] = {}
        self._places = {leaf: n for n, leaf in enumerate(self.leaves) if leaf is not None}
        self._index = {group: n for n, group in enumerate(self._groups) if isinstance(group, str)}
        self._values = [
            {leaf[axis] for leaf in self._places if leaf[axis] is not None} for axis in range(len(self.axes))
        ]
        self.paths = [group if isinstance(group, str) else None for group in self._groups]
        self._whole_paths = [path and f"{self.env}/{path}" for path in self.paths]
        self._whole_paths[ENVIRONMENT] = self.env
        self._of_path = {path: n for n, path in enumerate(self._whole_paths) if path is not None}
        self.derived = {}
        self.members: Bools = np.zeros((len(self._groups), len(self.leaves)), dtype=bool)
        self.alone: Ints = np.zeros(len(self.leaves), dtype=np.int64)
        for leaf, place in self._places.items():
            for path in _paths(leaf):
                group = self._index.get(path)
                if group is not None:
                    self.members[group, place] = True
                    if None not in leaf and path.count(ANY) == 0 and path.count("/") == len(self.axes) - 1:
                        self.alone[place] = group
        for group, leaf_position in enumerate(self._groups):
            if isinstance(leaf_position, int):
                self.members[group, leaf_position] = True
                self.alone[leaf_position] = group
        self._holds: Bools | None = None

    # -- questions --------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """The number of positions of groups, free ones included."""
        return len(self._groups)

    def path(self, group: int) -> str:
        """The path of a group that is a scope, with the environment.

        Raises:
            KeyError: the group is no scope.
        """
        path = self._whole_paths[group]
        if path is None:
            raise KeyError(group)
        return path

    def index(self, path: str) -> int | None:
        """The position of the scope with this path, which begins with the environment; None if there is none."""
        return self._of_path.get(path)

    def position(self, leaf: Leaf) -> int:
        """The position of the leaf that events with these raw values are counted on.

        Raises:
            KeyError: the leaf has not been admitted.
        """
        known = self._known.get(leaf)
        if known is None:
            known = self._places[self._placed(leaf)]
            if len(self._known) < _MOST_KNOWN:
                self._known[leaf] = known
        return known

    def place(self, leaf: Leaf) -> int:
        """The position of the leaf that these raw values stand for; -1 if it has none of its own."""
        return self._places.get(self.aliased(leaf), -1)

    def is_new(self, leaf: Leaf) -> bool:
        """Whether events with these raw values may need a place that is not there yet."""
        return leaf not in self._known and self.aliased(leaf) not in self._places

    def groups_of(self, leaf: Leaf) -> list[int]:
        """The positions of the groups that events with these raw values count in, admitted or not."""
        placed = self._placed(leaf)
        groups = [self._index[path] for path in _paths(placed) if path in self._index]
        place = self._places.get(placed)
        alone = ENVIRONMENT if place is None else int(self.alone[place])
        return groups if alone in groups or not alone else [*groups, alone]

    def holds(self) -> Bools:
        """Whether each group (first axis) holds all leaves of another (second axis); a group without leaves is held."""
        if self._holds is None:
            inside = self.members.astype(np.float64)
            self._holds = inside @ inside.T >= self.members.sum(axis=1)[None, :]
        return self._holds

    # -- changes ----------------------------------------------------------------------------------------------

    def admit(self, leaves: Collection[Leaf]) -> bool:
        """Give places to the leaves whose events count for the first time at one T; whether anything changed.

        New values get their places in the order of axis and bytes, whatever the order of ``leaves``.

        Args:
            leaves: raw leaves, known ones too.
        """
        fresh = sorted({self.aliased(leaf) for leaf in leaves if leaf not in self._known}, key=_in_order)
        if not fresh:
            return False
        for axis, values in enumerate(self._values):
            for value in sorted({leaf[axis] for leaf in fresh if leaf[axis] is not None} - values, key=str):
                if len(values - {OTHER}) < self._max_values:
                    values.add(value)
        wanted = dict.fromkeys(self._within_bounds(leaf) for leaf in fresh)
        new = [leaf for leaf in wanted if leaf not in self._places]
        for leaf in new:
            self._add(leaf)
        if new:
            self._changed()
        return bool(new)

    def release(self, positions: Collection[int], keep: Collection[str] = ()) -> None:
        """Free the places of leaves, and of the groups and values that are then without one.

        Args:
            positions: of the leaves; no window holds an event of theirs any more.
            keep: paths with the environment, of scopes that stay nevertheless.
        """
        gone = [position for position in positions if self.leaves[position] is not None]
        if not gone:
            return
        for position in gone:
            self.leaves[position] = None
        left = {path for leaf in self.leaves if leaf is not None for path in _paths(leaf)}
        for n, group in enumerate(self._groups):
            if isinstance(group, int):
                stays = self.leaves[group] is not None
            else:
                stays = group is None or group in left or f"{self.env}/{group}" in keep or not group
            if not stays:
                self._groups[n] = None
        self._free_leaves = [n for n, leaf in enumerate(self.leaves) if leaf is None]
        self._free_groups = [n for n, group in enumerate(self._groups) if group is None]
        self._changed()

    def expect(self, paths: Iterable[str]) -> None:
        """Give places to scopes that need one without events, such as those of open incidents.

        Args:
            paths: with the environment; those of other environments are passed by.
        """
        before = len(self._index)
        for path in paths:
            env, _, below = path.partition("/")
            if env == self.env and below not in self._index:
                self._index[below] = self._put_group(below)
        if len(self._index) != before:
            self._changed()

    def aliased(self, leaf: Leaf) -> Leaf:
        """The leaf with each raw value replaced by the value that it stands for."""
        return tuple(
            aliases.get(value, value) if value is not None else None
            for value, aliases in zip(leaf, self._aliases, strict=False)
        )

    def _placed(self, leaf: Leaf) -> Leaf:
        """The leaf that stands for one with raw values."""
        return self._within_bounds(self.aliased(leaf))

    def _within_bounds(self, leaf: Leaf) -> Leaf:
        kept = tuple(
            value if value is None or value in values else OTHER
            for value, values in zip(leaf, self._values, strict=True)
        )
        if kept not in self._places and len(self._places) >= _MOST_LEAVES:
            return tuple(None if value is None else OTHER for value in leaf)
        return kept

    def _add(self, leaf: Leaf) -> None:
        position = self._free_leaves.pop(0) if self._free_leaves else len(self.leaves)
        if position == len(self.leaves):
            self.leaves.append(leaf)
        else:
            self.leaves[position] = leaf
        self._places[leaf] = position
        made = False
        for path in _paths(leaf):
            if path not in self._index and len(self._index) < self._max_scopes:
                self._index[path] = self._put_group(path)
            made = path in self._index
        if None in leaf or not made:  # the last path names the whole leaf
            self._put_group(position)

    def _put_group(self, group: str | int) -> int:
        if self._free_groups:
            place = self._free_groups.pop(0)
            self._groups[place] = group
            return place
        self._groups.append(group)
        return len(self._groups) - 1


def _paths(leaf: Leaf) -> list[str]:
    """The paths below the environment of all scopes that hold a leaf: fewest values first, then by axis."""
    options = [(ANY,) if value is None else (ANY, value) for value in leaf]
    chosen = sorted(product(*options), key=lambda values: _named_axes(values))
    return [path_of("", values) for values in chosen]


def _named_axes(values: Iterable[str]) -> tuple[int, list[int]]:
    axes = [n for n, value in enumerate(values) if value != ANY]
    return len(axes), axes


def _in_order(leaf: Leaf) -> list[tuple[bool, str]]:
    return [(value is not None, value or "") for value in leaf]
