"""A block holds so many distinct values, the first in the order of the log, however the log is cut into batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.windows.facts import FactRow
from streams.aggregate import bounds
from streams.aggregate.bounds import Bounds
from streams.aggregate.fact_accumulator import FactAccumulator
from streams.events.columns import columns_of
from streams.events.kinds import Fields
from streams.segments.codec import BLOCK_OFFSETS, Segment, encode
from tests.streams.events.strategies import event_bytes

LISTED = ("prod", "staging")
#: An instant, ms.
SINCE = 1_800_000_000_000


def folded(values: Sequence[bytes], sizes: Sequence[int], max_envs: int = 2) -> dict[str, list[FactRow]]:
    """Return the rows of events of one pane, taken in cuts of the sizes, and the last with all that are left."""
    cells = FactAccumulator(1_000, (), lambda: Bounds(LISTED, max_envs))
    begin = 0
    for size in (*sizes, len(values)):
        _, found, refused = columns_of(values[begin : begin + size])
        assert not refused
        nothing = np.zeros(len(found), dtype=np.int64)
        cells.add_many(found, nothing, nothing)
        begin += size
    return cells.rows()


ONE = st.fixed_dictionaries(
    {
        "env": st.sampled_from(["prod", "staging", "a", "b", "c", "d"]),
        "client_id": st.sampled_from(["v", "w", "x", "y", "z", None]),
        "step": st.sampled_from(["callback", "token", "one", "two"]),
        "error_code": st.sampled_from(["007", "001", "002", None]),
        "error_class": st.sampled_from(["A", "B", "C", None]),
    }
)


@given(st.lists(ONE, max_size=30), st.lists(st.integers(1, 9), max_size=6))
def test_the_first_values_of_the_log_are_kept_whatever_the_cuts(
    events: list[dict[str, str | None]], sizes: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, most in (("_LEAVES", 3), ("_STEPS", 2), ("_CODES", 2), ("_CLASSES", 2)):
            patch.setattr(bounds, name, most)
        values = [event_bytes(event_id=f"e{n}", csp="idme", **one) for n, one in enumerate(events)]
        rows = folded(values, sizes)
        assert rows == folded(values, [])
    named = [str(one["env"]) for one in events]
    unlisted = list(dict.fromkeys(env for env in named if env not in LISTED))
    assert set(rows) == {env if env in LISTED or env in unlisted[:2] else "other" for env in named}
    for env, some in rows.items():
        if env != "other":
            clients = list(dict.fromkeys(one["client_id"] for one in events if one["env"] == env))
            leaves = {row.leaf for row in some}
            assert {leaf for leaf in leaves if "other" not in leaf} == {
                ("ssoe", "idme", c) for c in clients[:3]
            }
            assert len(leaves) <= 3 + 2
        assert sum(row.count for row in some) == sum(
            (one if one in LISTED or one in unlisted[:2] else "other") == env for one in named
        )
    steps = list(dict.fromkeys(one["step"] for one in events))
    assert {row.step for some in rows.values() for row in some} <= {*steps[:2], "other"}


#: Axes and further fields, as many as a policy may name, and the panes and first T of on-time and of late events.
AXES = ("auth_method", "csp", "client_id", "region")
ON_TIME = (lambda n: n % 300 * 1_000, lambda n: 0)
LATE = (lambda n: n % 7_200 * 1_000, lambda n: 7_201_000 + n % 10 * 1_000)


@pytest.mark.parametrize(("of", "largest"), [(ON_TIME, 256 * 1024), (LATE, 416 * 1024)])
@pytest.mark.parametrize("further", [0, 4, 16])
def test_the_largest_segment_that_a_producer_can_make_is_bounded(
    of: tuple[Callable[[int], int], Callable[[int], int]], largest: int, further: int
) -> None:
    values = [
        event_bytes(
            event_id=f"e{n}",
            auth_method=f"{n:064x}",
            csp=f"{n + 10_000:064x}",
            client_id=f"{n + 20_000:064x}",
            region=f"{n + 50_000:064x}",
            step=f"{n:064}",
            error_code="\U0001f600" * 60 + f"{n:04}",
            error_class=f"{n + 30_000:064x}",
            duration_ms=n,
            user_hash=f"h:{n}",
            **{f"x{field}": f"{n + 100_000 * field:064x}" for field in range(further)},
        )
        for n in range(BLOCK_OFFSETS)
    ]
    fields = Fields(AXES, further=tuple(f"x{field}" for field in range(further)))
    cells = FactAccumulator(1_000, (1_200.0, 2_430.0), lambda: Bounds(LISTED, 2))
    _, found, _ = columns_of(values, fields)
    pane, first_t = (np.array([SINCE * bool(at(n)) + at(n) for n in range(BLOCK_OFFSETS)]) for at in of)
    cells.add_many(found, pane, first_t)
    rows = cells.rows()["prod"]
    assert len(rows) > 500
    segment = Segment(
        1_000,
        BLOCK_OFFSETS,
        (1_200.0, 2_430.0),
        0,
        0,
        "prod",
        0,
        BLOCK_OFFSETS - 1,
        rows,
        axes=AXES,
        further=fields.further,
    )
    assert any(row.sampled for row in rows) == bool(further)
    assert len(encode(segment)) < largest


def test_values_that_are_long_take_the_room_of_many() -> None:
    values = [
        event_bytes(event_id=f"e{n}", client_id=f"{n:064x}", error_code="\U0001f600" * 60 + f"{n:04}")
        for n in range(700)
    ]
    rows = folded(values, [])["prod"]
    clients, codes = ({row.leaf[2] for row in rows}, {row.code for row in rows})
    assert len(clients) == (40_960 - len("ssoeidme")) // 64 + 1
    assert len(codes) == 16_384 // 244 + 1
