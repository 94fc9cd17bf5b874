"""What do the groups of an environment hold, where counts are kept by leaf? The sum over the leaves of each group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats, Ints

__all__ = ["Computed", "GroupSums", "Pairs"]


_Singles = npt.NDArray[np.float32]
#: Integers below this are exact in single precision.
_EXACT_IN_SINGLE = 1 << 24


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
        # (kind, its columns, the groups of each of these in single and in double precision)
        self._products: list[tuple[int, Ints, _Singles, Floats]] = []
        for one in np.unique(kind).tolist():
            columns = np.flatnonzero(kind == one)
            of = members[:, leaf[columns]].T
            self._products.append((one, columns, of.astype(np.float32), of.astype(np.float64)))
        self._without = np.setdiff1d(np.arange(kinds), kind)

    def __call__(self, values: npt.NDArray[Any]) -> Ints:
        """Return int64 (N, group, kind) from integers (N, column), of which sums are below 2^53."""
        groups, kinds = self._shape
        # Readers want one kind at a time, so the counts of a kind lie together.
        out: Ints = np.empty((kinds, len(values), groups), dtype=np.int64)
        out[self._without] = 0
        # Single precision takes half the time.
        greatest = max(int(values.max(initial=0)), -int(values.min(initial=0)))
        is_small = greatest * values.shape[1] < _EXACT_IN_SINGLE
        exact: npt.NDArray[Any] = values.astype(np.float32 if is_small else np.float64)
        for kind, columns, single, double in self._products:
            np.copyto(out[kind], exact[:, columns] @ (single if is_small else double), casting="unsafe")
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
        known = self._known.get(window)
        if known is None:
            if window not in self._windows:
                raise KeyError(window)
            if not self._valid():
                raise RuntimeError("the windows have moved on")
            known = self._known[window] = self._compute(window)
        return known

    def __iter__(self) -> Iterator[int]:
        return iter(self._windows)

    def __len__(self) -> int:
        return len(self._windows)
