"""An environment that the policy does not list has an engine if it is one of the first, in whatever steps T moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from hypothesis import example, given
from hypothesis import strategies as st

from detectors.windows.facts import ON_TIME, TOO_LATE, FactRow
from streams.evaluate.evaluator import Evaluator
from streams.evaluate.shard import Shard
from streams.records.reading import Stored
from streams.segments.codec import BLOCK_OFFSETS, Frontier, Segment, encode, segment_key
from streams.settings.policy_file import read_policy

POLICY = read_policy("max_envs: 2", "two unlisted environments")
STEP = POLICY.step
START = 1_795_435_200_000
STEPS = 8


class Engine:
    """Notes which rows it is given."""

    def __init__(self, evaluated_to: int | None = None) -> None:
        self.evaluated_to = evaluated_to
        self.rows: list[tuple[int, str | None]] = []

    def doubt(self, to: int) -> None:
        """Take that a span of the log is in doubt, which changes no rows."""

    def advance_in_parts(self, to: int, rows: Sequence[FactRow], *_: Any, **__: Any) -> Iterator[Any]:
        counting = [row for row in rows if row.first_t != TOO_LATE]
        assert all(row.arrives(STEP) > (self.evaluated_to or 0) for row in counting)
        self.rows += [(row.pane, row.leaf[2]) for row in counting]
        self.evaluated_to = to
        return iter(())

    def restore_in_parts(self, rows: Sequence[FactRow], covered_from: int) -> Any:
        assert all(row.arrives(STEP) <= (self.evaluated_to or 0) for row in rows)
        self.rows += [(row.pane, row.leaf[2]) for row in rows]
        yield


def row(place: int, env: str, late: int = 0) -> FactRow:
    """A row of the pane at a place, whose client tells which environment it was in."""
    pane = START + place * STEP
    first = ON_TIME if not late else TOO_LATE if late == -1 else pane + (1 + late) * STEP
    return FactRow(pane, first, ("sis", None, env), "token", "success", count=1)


def given_rows(
    rows: Sequence[tuple[int, str, int]], cuts: Sequence[int]
) -> dict[str, list[tuple[int, str | None]]]:
    """Return the rows that each engine had, with T moved on in cuts; all rows are known from the first on."""
    evaluator = Evaluator(POLICY, lambda env: cast(Any, Engine()))
    for place, env, late in rows:
        one = [row(place, env, late)]
        evaluator.settle_arrivals(env, one)
        evaluator.add({env: one})
    for cut in (*sorted(set(cuts)), 3 * STEPS):
        evaluator.advance(START + cut * STEP)
    return {env: sorted(cast(Any, engine).rows) for env, engine in evaluator.engines.items()}


ROWS = st.lists(
    st.tuples(
        st.integers(0, STEPS - 1),
        st.sampled_from(["prod", "qa", "blue", "green", "perf", "other"]),
        st.sampled_from([0, 0, 0, 1, 4, -1, -4]),
    ),
    max_size=16,
)


@given(ROWS, st.lists(st.integers(1, 2 * STEPS), max_size=5))
@example([(0, "green", 0), (0, "other", 0), (1, "qa", -4), (1, "blue", 0)], [1])
def test_the_first_in_the_order_of_t_and_name_are_kept_however_t_moves(
    rows: list[tuple[int, str, int]], cuts: list[int]
) -> None:
    found = given_rows(rows, cuts)
    counting = [(row(place, env, late).counts_from(STEP), env) for place, env, late in rows if late != -1]
    unlisted = dict.fromkeys(env for _, env in sorted(counting) if env not in ("prod", "other"))
    kept = {"prod", "other", *list(unlisted)[:2]}
    expected: dict[str, list[tuple[int, str | None]]] = {}
    for place, env, late in rows:
        if late != -1:
            name = env if env in kept else "other"
            expected.setdefault(name, []).append((START + place * STEP, env))
    assert {env: some for env, some in found.items() if some} == {
        env: sorted(some) for env, some in expected.items()
    }


def records(rows: Sequence[tuple[int, str, int]]) -> list[Stored]:
    """The segments of rows, one for each environment."""
    out = []
    for n, env in enumerate(sorted({env for _, env, _ in rows})):
        some = [row(place, env, late) for place, one, late in rows if one == env]
        segment = Segment(STEP, BLOCK_OFFSETS, POLICY.thresholds, 0, 0, env, 0, 1, some)
        out.append(Stored(n, segment_key(segment), encode(segment)))
    return out


def shard_of(engines: dict[str, Engine]) -> tuple[Shard, Evaluator]:
    """A shard of a partition with unlisted environments, of which these have engines already."""
    evaluator = Evaluator(POLICY, lambda env: cast(Any, engines.setdefault(env, Engine())))
    for env in list(engines):
        evaluator.engine(env)
    return Shard(0, (), evaluator, 0, unlisted=True), evaluator


@given(
    ROWS.map(
        lambda rows: [one for one in rows if one[1] != "prod" and one[2] != -1 and one[1:] != ("other", -4)]
    ),
    st.integers(1, STEPS),
)
def test_after_a_restart_each_engine_has_the_rows_that_it_would_have_had(
    rows: list[tuple[int, str, int]], stop: int
) -> None:
    begun = [one for one in rows if row(*one).counts_from(STEP) <= START + stop * STEP]
    engines: dict[str, Engine] = {}
    before, _ = shard_of(engines)
    for record in records(rows):
        before.restore_record(record)
    list(before.restore_windows(START))
    before.finish_restore()
    before.collect(START + stop * STEP)
    list(before.advance_in_parts(START + stop * STEP, [], catching_up=False))
    assert sum(len(engine.rows) for engine in engines.values()) == len(begun)

    restored = {env: Engine(engine.evaluated_to) for env, engine in engines.items()}
    after, _ = shard_of(restored)
    for record in records(rows):
        after.restore_record(record)
    list(after.restore_windows(START))
    assert {env: sorted(engine.rows) for env, engine in restored.items()} == {
        env: sorted(engine.rows) for env, engine in engines.items()
    }
    after.finish_restore()
    for one in (before, after):
        one.collect(START + 3 * STEPS * STEP)
        list(one.advance_in_parts(START + 3 * STEPS * STEP, [], catching_up=False))
    assert {env: sorted(engine.rows) for env, engine in restored.items()} == {
        env: sorted(engine.rows) for env, engine in engines.items()
    }
    assert set(after.envs) == set(engines)


def test_a_segment_of_a_listed_environment_of_another_partition_is_passed_by() -> None:
    shard, evaluator = shard_of({})
    for record in records([(0, "staging", 0), (0, "qa", 0)]):
        shard.restore_record(record)
    shard.restore_record(Stored(9, b"frontier/0/1", encode(Frontier(0, 1, 1, 2, START, "", None, START, []))))
    list(shard.restore_windows(START))
    shard.finish_restore()
    shard.collect(START + STEPS * STEP)
    list(shard.advance_in_parts(START + STEPS * STEP, [], catching_up=False))
    assert set(evaluator.engines) == {"qa"}
