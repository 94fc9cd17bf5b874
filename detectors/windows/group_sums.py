"""What do the groups of an environment hold, where counts are kept by leaf? The sum over the leaves of each group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats, Ints

__all__ = ["Computed", "GroupSums", "Pairs"]


class Pairs:
    """The groups of each leaf.

    Args:
        members: bool (group, leaf).
    """

    def __init__(self, members: Bools) -> None:
        leaf, self._groups = np.nonzero(members.T)
        self._begin = np.searchsorted(leaf, np.arange(members.shape[1] + 1))

    def of(self, leaves: Ints) -> tuple[Ints, Ints]:
        """Return the place in ``leaves`` and the group of each pair, in the order of the places, then of the groups."""
        begin, end = self._begin[leaves], self._begin[leaves + 1]
        sizes = end - begin
        place = np.repeat(np.arange(len(leaves)), sizes)
        within = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return place, self._groups[begin[place] + within]


class GroupSums:
    """Sums of columns over the leaves of each group.

    Args:
        members: bool (group, leaf): the leaves of each group.
        leaf: (column,) the leaf of each column.
        kind: (column,) what each column counts, 0 to ``kinds`` - 1.
        kinds: how many kinds there are.
    """

    def __init__(self, members: Bools, leaf: Ints, kind: Ints, kinds: int) -> None:
        self._shape = (len(members), kinds)
        # (kind, its columns, the groups of each of these)
        self._products: list[tuple[int, Ints, Floats]] = []
        for one in np.unique(kind).tolist():
            columns = np.flatnonzero(kind == one)
            self._products.append((one, columns, members[:, leaf[columns]].T.astype(np.float64)))

    def __call__(self, values: npt.NDArray[Any]) -> Ints:
        """Return int64 (N, group, kind) from integers (N, column), of which sums are below 2^53."""
        groups, kinds = self._shape
        # Readers want one kind at a time, so the counts of a kind lie together.
        out: Ints = np.zeros((kinds, len(values), groups), dtype=np.int64)
        exact = values.astype(np.float64)
        for kind, columns, members in self._products:
            out[kind] = exact[:, columns] @ members
        return out.transpose(1, 2, 0)


class Computed(Mapping[int, Ints]):
    """Window (ms) -> array, computed when it is first read and then kept.

    Args:
        windows: the windows, ms.
        compute: window (ms) -> array.
        valid: whether arrays can still be computed.
    """

    def __init__(
        self, windows: tuple[int, ...], compute: Callable[[int], Ints], valid: Callable[[], bool]
    ) -> None:
        self._windows = windows
        self._compute = compute
        self._valid = valid
        self._known: dict[int, Ints] = {}

    def __getitem__(self, window: int) -> Ints:
        """Return the array of a window (ms).

        Raises:
            KeyError: there is no such window.
            RuntimeError: the windows have moved on since, and nobody has read this one before.
        """
        if window not in self._known:
            if window not in self._windows:
                raise KeyError(window)
            if not self._valid():
                raise RuntimeError("the windows have moved on")
            self._known[window] = self._compute(window)
        return self._known[window]

    def __iter__(self) -> Iterator[int]:
        return iter(self._windows)

    def __len__(self) -> int:
        return len(self._windows)
