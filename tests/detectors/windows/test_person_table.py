"""The table of people agrees with a dictionary for any sequence of calls."""

from __future__ import annotations

from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.arrays import Ids, Ints
from detectors.windows.people.person_table import STRATA, PersonTable, stratum_of

#: Zero is an id like any other; some lie close together, some fill all 64 bits.
IDS = st.integers(0, 40) | st.sampled_from(
    [n * 0x9E3779B97F4A7C15 % 2**64 for n in range(1, 60)] + [2**64 - 1]
)
WRITES = st.lists(st.tuples(IDS, st.integers(0, 900), st.integers(1, 90_000)), max_size=40)
SWEEPS = st.tuples(
    st.integers(0, 100_000), st.lists(st.integers(1, 90_000), min_size=STRATA, max_size=STRATA)
)


def found(ids: Ids, place: Ints, leaf: Ints, offset: Ints) -> list[tuple[int, int, int]]:
    """Return (person, leaf, offset) of entries, in order."""
    return sorted(zip(ids[place].tolist(), leaf.tolist(), offset.tolist(), strict=True))


@given(calls=st.lists(st.tuples(WRITES, st.none() | SWEEPS), max_size=6))
def test_a_table_knows_what_a_dictionary_knows(
    calls: list[tuple[list[tuple[int, int, int]], tuple[int, list[int]] | None]],
) -> None:
    table, known = PersonTable(), dict[int, dict[int, int]]()
    for writes, sweep in calls:
        ids = np.array(sorted({person for person, _, _ in writes}), dtype=np.uint64)
        numbers = table.numbers(ids)
        table.hold(90_000)
        of = dict(zip(ids.tolist(), numbers.tolist(), strict=True))
        put = [(of[person], leaf, offset) for person, leaf, offset in writes]
        table.put(*np.array(put, dtype=np.int64).reshape(-1, 3).T)
        for person, leaf, offset in writes:
            offsets = known.setdefault(person, {})
            offsets[leaf] = max(offset, offsets.get(leaf, 0))
        if sweep is not None:
            shift, floors = sweep
            table.sweep(np.array(floors), shift)
            strata = stratum_of(np.array(list(known), dtype=np.uint64)).tolist()
            known = {
                person: {leaf: offset - shift for leaf, offset in offsets.items() if offset > shift}
                for (person, offsets), stratum in zip(known.items(), strata, strict=True)
                if max(offsets.values(), default=0) >= floors[stratum]
            }
        assert len(table) == len(known)
        everybody = np.array(sorted(known), dtype=np.uint64)
        numbers = table.numbers(everybody)
        assert len(table) == len(known)
        expected = {
            (person, leaf, offset) for person, offsets in known.items() for leaf, offset in offsets.items()
        }
        assert found(everybody, *table.entries(numbers)) == sorted(expected)
        who = np.argsort(numbers)
        for level in (0, 2):
            told = [found(everybody[who], *some) for some in table.everybody(level)]
            sampled = stratum_of(everybody) >= level
            of_level = set(everybody[sampled].tolist())
            assert sorted(chain.from_iterable(told)) == sorted(e for e in expected if e[0] in of_level)


def test_a_hundred_thousand_people_each_have_a_place_of_their_own() -> None:
    table = PersonTable()
    ids = np.arange(100_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    first = np.concatenate([table.numbers(part) for part in np.array_split(ids, 37)])
    assert len(table) == len(np.unique(first)) == len(ids)
    assert (table.numbers(ids[::-1]) == first[::-1]).all()
    table.put(first, np.full(100_000, 3), 1 + np.arange(100_000) % 2)
    table.sweep(np.full(STRATA, 2), 1)
    assert len(table) == 50_000
    place, leaf, offset = table.entries(table.numbers(ids[1::2]))
    assert sorted(place.tolist()) == list(range(50_000))
    assert ((leaf == 3) & (offset == 1)).all()


def test_half_of_those_in_a_stratum_or_later_are_in_a_later_one() -> None:
    strata = stratum_of(np.arange(1 << 18, dtype=np.uint64))
    shares = [np.count_nonzero(strata >= level) / (1 << (18 - level)) for level in range(10)]
    # of n in the sample: 1 within four standard errors
    assert all(abs(share - 1) <= 4 / np.sqrt(1 << (18 - n)) for n, share in enumerate(shares))
    assert strata.max() == STRATA - 1
