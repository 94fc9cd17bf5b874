"""How are inputs read twice? Files are opened again; inputs that can be read only once are spooled to disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from streams.mappings.inputs import Input
from streams.replay.entries import Entry, Spool
from streams.replay.places import PlacedEntries
from streams.replay.sources import partitions

__all__ = ["TwoPass"]


class TwoPass:
    """Inputs for two runs; the second run starts after the first has read everything.

    Args:
        names, partitioned, back, inputs, sort: the arguments of ``sources.partitions``.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        partitioned: bool = False,
        back: int = 0,
        inputs: Sequence[Input] = (),
        sort: bool = False,
    ) -> None:
        self._names = names
        self._read = partial(partitions, names, partitioned=partitioned, inputs=inputs, sort=sort)
        self._back = back
        self._kept: list[Spool] | None = None

    def first(self) -> list[Iterator[Entry]]:
        """The partitions for the first run, each an iterator over its entries.

        Raises:
            SourceError: an input cannot be read (also while iterating).
        """
        read = self._read(back=self._back)
        if all(Path(name).is_file() for name in self._names):
            return read
        self._kept = [Spool() for _ in read]
        return [_copied(entries, spool) for entries, spool in zip(read, self._kept, strict=True)]

    def second(self) -> list[Iterator[Entry]]:
        """The partitions for the second run, with equal entries."""
        if self._kept is None:
            return self._read()
        return [spool.entries() for spool in self._kept]


def _copied(entries: Iterator[Entry], spool: Spool) -> Iterator[Entry]:
    copied = _copying(entries, spool)
    return PlacedEntries(copied, entries.places) if isinstance(entries, PlacedEntries) else copied


def _copying(entries: Iterator[Entry], spool: Spool) -> Iterator[Entry]:
    for entry in entries:
        spool.append(entry)
        yield entry
