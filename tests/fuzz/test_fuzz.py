"""A small part of `make fuzz`, and whether it can find anything."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from streams.evaluate.shard_state import decode_state
from streams.segments.codec import FormatError
from tests.fuzz import corpus
from tests.fuzz.run import TARGETS, run_one
from tests.fuzz.target import Target, one_by_one

#: Cases of each share: the policies are parsed, which takes a tenth of a second each.
_CASES = 30


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_an_edge_holds_whatever_bytes_come(target: Target) -> None:
    out = run_one(target, max(2, round(target.share * _CASES)), seed=1)
    assert list(out.faults.values()) == []
    assert sum(out.became.values()) == out.cases


def test_a_state_whose_head_promises_a_terabyte_is_none() -> None:
    head = b"\xc1\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little")
    with pytest.raises(FormatError, match="more than 67108864 bytes"):
        decode_state(head + bytes(16))


def _fragile(value: bytes) -> str:
    if b"NaN" in value:
        raise OverflowError("not a number")
    return "accepted"


def test_an_edge_that_does_not_hold_is_found_and_a_seed_finds_the_same_again() -> None:
    seen: list[list[bytes]] = []

    def watched() -> list[bytes]:
        return corpus.of_topic("incidents")

    def make() -> object:
        seen.append([])
        take = one_by_one(_fragile)

        def edge(values: Sequence[bytes]) -> Sequence[str]:
            seen[-1] += values
            return take(values)

        return edge

    target = Target("fragile", "json", watched, make)  # type: ignore[arg-type]
    (fault,) = run_one(target, 400, seed=7).faults.values()
    assert b"NaN" in fault.value
    first, seen[:] = list(seen), []
    assert run_one(target, 400, seed=7).faults.popitem()[1].value == fault.value
    assert seen == first


def test_a_value_that_takes_too_long_is_found() -> None:
    target = Target("slow", "json", lambda: [b"{}"], lambda: one_by_one(lambda value: "accepted"), cpu=-1.0)
    (fault,) = run_one(target, 1, seed=1).faults.values()
    assert fault.what.startswith("took ")
