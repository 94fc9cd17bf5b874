"""However workers' writes fall on the log, each offset counts once, and none is missing behind a frontier."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from streams.segments.codec import BLOCK_OFFSETS, Frontier, Segment, Tally
from streams.segments.fencing import Fencing


def segment(generation: int, first: int, last: int) -> Segment:
    return Segment(1000, BLOCK_OFFSETS, (), 0, first, "prod", first, last, [], generation)


def frontier(generation: int, next_offset: int, tallies: list[Tally] | None = None) -> Frontier:
    return Frontier(0, 1, generation, next_offset, None, "", None, 0, tallies or [])


@dataclass
class Logs:
    """`sli-segments` as a reader takes it in, and `ingest-state`."""

    owners: Fencing = field(default_factory=Fencing)
    resumes: list[tuple[int, int]] = field(default_factory=list)  # (generation, start)
    covered: dict[int, int] = field(default_factory=dict)  # block -> last
    counted: dict[int, int] = field(default_factory=dict)  # block -> last, by the tallies
    reached: int = 0
    end: int = 0  # of the input's log, as far as anybody has read it

    def write_segment(self, one: Segment) -> None:
        for admitted in self.owners.segment(one):
            self._note(admitted)

    def write_frontier(self, one: Frontier) -> None:
        counts, admitted = self.owners.frontier(one)
        for each in admitted:
            if isinstance(each, Segment):
                self._note(each)
            elif isinstance(each, tuple):
                self.counted[each[1].block] = max(self.counted.get(each[1].block, 0), each[1].last)
        if counts:
            self.reached = max(self.reached, one.next_offset)
            assert self.once_each(self.covered) >= self.reached, "a frontier ran ahead of the facts"

    def _note(self, one: Segment) -> None:
        self.covered[one.block] = max(self.covered.get(one.block, 0), one.last)

    def resume(self) -> int:
        found = (-1, 0)
        for generation, start in self.resumes:
            if generation >= found[0]:
                found = (generation, start)
        return found[1]

    def once_each(self, blocks: dict[int, int]) -> int:
        """Up to where offsets are covered without a gap; none may be covered twice."""
        end = 0
        for block, last in sorted(blocks.items()):
            assert block >= end, f"offsets from {block} to {end - 1} count twice"
            if block > end:
                break
            end = last + 1
        return end


def worker(generation: int, logs: Logs, marks: Iterator[bool]) -> Iterator[None]:
    """A worker's writes, one at a time.

    Blocks end at multiples of 5, which everybody knows, and at the worker's own marks, which nobody knows of until they
    are written. It puts none before it has read to where the log ended when it began.
    """
    logs.write_frontier(frontier(generation, -1))
    yield
    end = logs.end
    start = logs.resume()
    yield
    logs.resumes.append((generation, start))
    yield
    logs.write_frontier(frontier(generation, start))
    yield
    position = start
    while True:
        if position > start and (position % 5 == 0 or (position >= end and next(marks))):
            logs.write_segment(segment(generation, start, position - 1))
            logs.write_frontier(frontier(generation, start, [Tally(start, start, position - 1)]))
            yield
            logs.resumes.append((generation, position))
            start = position
            yield
        position += 1
        logs.end = max(logs.end, position)
        logs.write_segment(segment(generation, start, position - 1))
        yield
        logs.write_frontier(frontier(generation, position, [Tally(start, start, position - 1)]))
        yield


@pytest.mark.parametrize("how_often_a_new_one_begins", [0.02, 0.1, 0.3])
def test_each_offset_counts_once_whatever_former_owners_write_late(
    how_often_a_new_one_begins: float,
) -> None:
    for seed in range(1_500):
        rng = random.Random(seed)
        logs = Logs()
        marks = iter(lambda rng=rng: rng.random() < 0.4, None)  # type: ignore[misc]
        workers = [worker(0, logs, marks)]
        for _ in range(80):
            # They begin generation by generation; all before go on whenever they like, the last ones mostly.
            if rng.random() < how_often_a_new_one_begins:
                workers.append(worker(len(workers), logs, marks))
            next(workers[-1 - min(int(rng.expovariate(1.0)), len(workers) - 1)])
            logs.once_each(logs.covered)
            logs.once_each(logs.counted)
        assert logs.once_each(logs.covered) >= logs.reached


def test_a_finished_block_counts_if_the_new_owner_begins_after_it() -> None:
    owners = Fencing()
    assert owners.segment(segment(1, 0, 9)) == [segment(1, 0, 9)]
    owners.frontier(frontier(2, -1))
    assert owners.segment(segment(1, 10, 19)) == []
    assert owners.segment(segment(1, 20, 24)) == []
    assert owners.frontier(frontier(2, 20))[1] == [segment(1, 10, 19)]
    assert owners.segment(segment(1, 20, 29)) == []
    assert owners.segment(segment(2, 20, 22)) == [segment(2, 20, 22)]


def test_a_frontier_of_a_former_owner_does_not_count() -> None:
    owners = Fencing()
    assert owners.frontier(frontier(1, 10))[0]
    assert owners.frontier(frontier(2, -1))[0]
    assert not owners.frontier(frontier(1, 20))[0]
    assert owners.frontier(frontier(2, 10))[0]
