"""Which records of `sli-segments` count, when a former owner of an input partition may write too late?

A worker that stood still, or that has lost a partition and does not know it yet, goes on writing for a moment. What it
writes is of an older generation than the new owner's announcement. Of such records only finished blocks that lie
before the offset at which the new owner begins count: the resume record that it found stands for them, and so it does
not write them again. The new owner writes everything else itself. Between the announcement and the beginning, records
of the older generation are kept aside.

The order of the records on the log alone decides, so fencing holds however long a worker stood still.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from streams.segments.codec import Frontier, SealedSegment, Segment, Tally
from streams.segments.input_partition import InputPartition

__all__ = ["Admitted", "Fencing"]

#: Something that counts now: a segment, or (input partition, tally).
Admitted = Segment | SealedSegment | tuple[InputPartition, Tally]
_Some = TypeVar("_Some", Segment, SealedSegment)


@dataclass
class _Owner:
    generation: int
    begun: bool = True
    before: int = -1  # the generation that counted when this one was announced
    aside: list[Admitted] = field(default_factory=list)


class Fencing:
    """The owners of all input partitions, as one partition of `sli-segments` names them."""

    def __init__(self) -> None:
        self._owners: dict[InputPartition, _Owner] = {}

    def segment(self, segment: _Some) -> list[_Some]:
        """The segments that count now that this one was read: itself, or none."""
        owner = self._owners.get(segment.partition)
        if owner is None or segment.generation >= owner.generation:
            self._own(segment.partition, segment.generation)
            return [segment]
        if not owner.begun and segment.generation >= owner.before:
            owner.aside.append(segment)
        return []

    def frontier(self, frontier: Frontier) -> tuple[bool, list[Admitted]]:
        """Whether a frontier counts, and what counts now that it was read: tallies, and what was kept aside."""
        partition = frontier.partition
        tallies: list[Admitted] = [(partition, tally) for tally in frontier.tallies]
        owner = self._owners.get(partition)
        if owner is not None and frontier.generation < owner.generation:
            if not owner.begun and frontier.generation >= owner.before:
                owner.aside += tallies
            return False, []
        begins = frontier.next_offset >= 0
        if owner is None or frontier.generation > owner.generation:
            if begins:
                self._own(partition, frontier.generation)
            else:
                self._announce(partition, frontier.generation)
            return True, tallies
        admitted: list[Admitted] = []
        if begins and not owner.begun:
            admitted = [one for one in owner.aside if _last(one) < frontier.next_offset]
            owner.begun, owner.aside = True, []
        return True, admitted + tallies

    def _own(self, partition: InputPartition, generation: int) -> None:
        owner = self._owners.get(partition)
        if owner is None or generation > owner.generation:
            self._owners[partition] = _Owner(generation)

    def _announce(self, partition: InputPartition, generation: int) -> None:
        before = self._owners.get(partition)
        if before is None:
            self._owners[partition] = _Owner(generation, begun=False)
        elif before.begun:
            self._owners[partition] = _Owner(generation, begun=False, before=before.generation)
        else:  # one that was announced and never began has written nothing
            self._owners[partition] = _Owner(generation, False, before.before, before.aside)


def _last(one: Admitted) -> int:
    return one[1].last if isinstance(one, tuple) else one.last
