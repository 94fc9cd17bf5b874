"""Blocks are a function of the log and the marks: whatever the batches, the flushes and the restarts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from detectors.policy.policy import Policy
from detectors.windows.facts import FactRow
from streams.aggregate.acceptance import Rules
from streams.events.decode import decode
from streams.events.login_event import person_id
from streams.events.validation import Rejection
from streams.ingest.blocks import BlockFold, LogReplaced
from streams.segments.codec import BLOCK_OFFSETS, BLOCK_WATERMARK, Resume, Segment, Tally
from streams.settings.policy_file import read_policy
from tests.support.one_by_one import Record
from tests.support.oracle import MINUTE, NOON, SECOND, Judgement, judge
from tests.support.oracle_event import event_of
from tests.support.strategies import Log, Variation, kafka_logs, marked_logs, variations
from tests.support.test_oracle import login

thorough = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
PLAIN = Variation("{}")


@cache
def policy_of(yaml: str) -> Policy:
    return read_policy(yaml, "policy.yaml")


@dataclass(frozen=True)
class Part:
    """One partition's log from some offset on: its records, and the marks by the offset that they stand before."""

    records: tuple[Record, ...]
    marks: dict[int, list[int]] = field(default_factory=dict, hash=False)

    @property
    def start(self) -> int:
        return self.records[0].offset if self.records else 0


@st.composite
def parts(draw: st.DrawFn) -> tuple[Log, Part]:
    """A log, and its first partition as it may stand on Kafka: at any offset, with gaps."""
    log = draw(st.one_of(kafka_logs(), marked_logs()))
    log = Log(log.partitions[:1], log.now, {0: log.marks.get(0, [])})
    offset = draw(st.sampled_from([0, 0, BLOCK_OFFSETS - 3, 7 * BLOCK_OFFSETS - 9]))
    records = []
    places = []
    for value, stamp in log.partitions[0]:
        assert stamp is not None
        offset += draw(st.sampled_from([0, 0, 0, 0, 1, 5]))
        records.append(Record(offset, stamp, value))
        places.append(offset)
        offset += 1
    marks: dict[int, list[int]] = {}
    for place, watermark in log.marks[0]:
        # a mark stands where the one before ended: gaps come after it
        after = records[place - 1].offset + 1 if place else (places[0] if places else 0)
        marks.setdefault(after, []).append(watermark)
    return log, Part(tuple(records), marks)


@dataclass
class Written:
    """What a run has written, in order, and the tallies of its blocks as last told."""

    segments: list[Segment] = field(default_factory=list)
    resumes: list[Resume] = field(default_factory=list)
    tallies: dict[int, Tally] = field(default_factory=dict)

    def tell(self, tally: Tally) -> None:
        """A block without records, as a mark in a gap of offsets begins one, is not told of."""
        if tally.records:
            self.tallies[tally.block] = tally

    def last(self) -> dict[tuple[int, str], list[FactRow]]:
        """The rows of the records that count: the last by block and environment.

        Up to which offset a record goes depends on when it was written: records that are not accepted change no rows.
        """
        return {(one.block, one.env): one.rows for one in self.segments}


def fresh(part: Part, policy: Policy) -> Resume:
    start = part.start
    return Resume(0, 1, policy.step, BLOCK_OFFSETS, start, None, None, None, start, None)


def begin(part: Part, policy: Policy, resume: Resume, at_once: int = 1) -> BlockFold:
    fold = BlockFold(0, Rules.of(policy), resume)
    back = [record for record in part.records if resume.read_from <= record.offset < resume.start]
    for first in range(0, len(back), at_once):
        fold.read_back(back[first : first + at_once])
    fold.ready(whole=True)
    return fold


def flush(fold: BlockFold, written: Written) -> None:
    """Write the closed blocks and the open one, as ingest does."""
    for block in fold.take_closed():
        written.segments += fold.segments(block, 1)
        written.tell(block.tally)
    written.resumes.append(fold.resume_record(1))
    written.segments += fold.segments(fold.block, 1)
    written.tell(fold.block.tally)


def run(
    part: Part,
    policy: Policy,
    resume: Resume | None = None,
    cuts: Sequence[int] = (),
    flushes: Sequence[int] = (),
) -> Written:
    """Fold from a resume record to the end.

    Args:
        cuts: offsets before which a batch ends; all of them are folded one by one without any.
        flushes: offsets before which is flushed what there is.
    """
    fold = begin(part, policy, resume or fresh(part, policy), at_once=1 + len(cuts))
    written = Written()
    if resume is None:
        flush(fold, written)
    batch: list[Record] = []

    def end_batch() -> None:
        if cuts:
            fold.fold(batch)
        else:
            for one in batch:
                fold.fold([one])
        batch.clear()

    def put_marks(offset: int) -> None:
        for mark in part.marks.get(offset, ()):
            # those that stood before the resume record was written are in it
            if resume is None or (offset, mark) not in known:
                end_batch()
                fold.put_mark(mark)

    known = {
        (offset, mark)
        for offset, marks in part.marks.items()
        for mark in marks
        if resume is not None and (offset < resume.start or mark <= (resume.mark or 0))
    }
    put_marks(fold.next_offset)
    for record in part.records:
        if record.offset < fold.next_offset:
            continue
        if record.offset in cuts:
            end_batch()
        if record.offset in flushes:
            end_batch()
            flush(fold, written)
        batch.append(record)
        if part.marks.get(record.offset + 1):
            end_batch()
            put_marks(record.offset + 1)
    end_batch()
    flush(fold, written)
    return written


def every_offset(part: Part) -> list[int]:
    return [record.offset for record in part.records]


# -- against the definitions ---------------------------------------------------------------------------------


def facts(judgement: Judgement, policy: Policy) -> Counter[Any]:
    """Every accepted event, as its cell."""
    out: Counter[Any] = Counter()
    for one in judgement.counted:
        happened = one.event
        failed = happened.outcome == "failure"
        code, error_class = ((happened.code or ""), happened.error_class) if failed else ("", "")
        place = (one.pane, one.first_t(policy.step, policy.watermark_delay), *happened.leaf)
        out[(happened.env, *place, happened.step, happened.outcome, code, error_class)] += 1
    return out


def cell(env: str, row: FactRow) -> Any:
    return (
        env,
        row.pane,
        row.first_t,
        *row.leaf,
        row.step,
        row.outcome,
        row.code,
        row.error_class,
    )


def rows(written: Written) -> list[tuple[str, FactRow]]:
    return [(env, row) for (_, env), some in written.last().items() for row in some]


@thorough
@given(parts(), variations())
def test_facts_and_tallies_are_those_of_the_definitions(
    given_log: tuple[Log, Part], variation: Variation
) -> None:
    log, part = given_log
    policy = policy_of(variation.yaml)
    said = judge(log.partitions, variation.numbers | {"now": log.now}, log.marks)
    written = run(part, policy)
    counted: Counter[Any] = Counter()
    people: dict[Any, set[int]] = {}
    for env, row in rows(written):
        counted[cell(env, row)] += row.count
        people.setdefault(cell(env, row), set()).update(row.people)
        assert row.timed == sum(row.durations.values())
    assert counted == facts(said, policy)
    for name in ("accepted", "duplicates", "late", "too_late"):
        assert sum(getattr(tally, name) for tally in written.tallies.values()) == getattr(said, name)
    assert sum(sum(tally.rejected.values()) for tally in written.tallies.values()) == said.rejected
    hurt: dict[Any, set[int]] = {}
    for record, fate in zip(part.records, said.acceptance[0], strict=True):
        happened = decode(record.value)
        if fate in ("accepted", "late", "too_late") and not isinstance(happened, Rejection):
            spelt = event_of(record.value)
            failed = spelt.outcome == "failure"
            place = (spelt.env, spelt.step, failed)
            hurt.setdefault(place, set()).update({person_id(happened)} if failed else ())
    for key, some in people.items():
        assert some <= hurt[key[0], key[6], key[7] == "failure"]
    assert set().union(*people.values(), set()) == set().union(*hurt.values(), set())


# -- blocks --------------------------------------------------------------------------------------------------


@thorough
@given(parts(), variations(), st.data())
def test_batches_and_flushes_change_nothing(
    given_log: tuple[Log, Part], variation: Variation, data: st.DataObject
) -> None:
    _, part = given_log
    policy = policy_of(variation.yaml)
    offsets = every_offset(part)
    some = st.lists(st.sampled_from(offsets), unique=True) if offsets else st.just([])
    expected = run(part, policy, flushes=offsets)
    written = run(part, policy, cuts=data.draw(some) or [-1], flushes=data.draw(some))
    assert written.last() == expected.last()
    assert written.tallies == expected.tallies
    # What a flush writes on the way is what had been folded: the same as whoever else stops there.
    for one in written.segments:
        up_to = [known for known in expected.segments if known.last <= one.last]
        known = {(known.block, known.env): known.rows for known in up_to}
        assert one.rows == known[one.block, one.env]
    assert [one for one in unique(expected.resumes) if one in written.resumes] == unique(written.resumes)


def unique(resumes: Sequence[Resume]) -> list[Resume]:
    return [one for n, one in enumerate(resumes) if one not in resumes[:n]]


@thorough
@given(parts(), variations(), st.data())
@example(  # restarted at the second block, the third's memory begins where it would have begun
    (
        Log([], NOON),
        Part(
            tuple(
                Record(n, NOON + at * MINUTE, login(at * MINUTE, f"e{n}"))
                for n, at in enumerate([0, 4, 8, 12, 13, 16, 20, 24])
            )
        ),
    ),
    PLAIN,
    None,
)
def test_a_restart_at_any_resume_record_writes_the_same(
    given_log: tuple[Log, Part], variation: Variation, data: st.DataObject | None
) -> None:
    _, part = given_log
    policy = policy_of(variation.yaml)
    expected = run(part, policy, flushes=every_offset(part))
    resumes = unique(expected.resumes)
    event(f"{min(len(resumes), 5)} resume records")
    for n, resume in enumerate(resumes):
        offsets = every_offset(part)
        some = st.lists(st.sampled_from(offsets), unique=True) if offsets else st.just([])
        cuts, flushes = (offsets, offsets) if data is None else (data.draw(some) or [-1], data.draw(some))
        again = run(part, policy, resume, cuts, flushes)
        assert again.last() == {key: one for key, one in expected.last().items() if key[0] >= resume.start}
        assert [one for one in resumes[n:] if one in again.resumes] == unique(again.resumes)


@thorough
@given(parts(), variations())
def test_blocks_end_at_every_multiple_and_where_the_watermark_passes_one(
    given_log: tuple[Log, Part], variation: Variation
) -> None:
    _, part = given_log
    policy = policy_of(variation.yaml)
    fold = begin(part, policy, fresh(part, policy))
    for record in part.records:
        watermark = fold.acceptance.watermark()
        fold.fold([record])
        block = fold.block
        assert block.start <= record.offset == block.tally.last
        assert block.start // BLOCK_OFFSETS == record.offset // BLOCK_OFFSETS
        if watermark is not None and block.start < record.offset:
            before = fold.resume_record(1)
            assert before.start == block.start
            reached = min(before.greatest or 0, before.recorded or 0) - policy.watermark_delay
            assert before.greatest is None or reached // BLOCK_WATERMARK == watermark // BLOCK_WATERMARK


def test_a_mark_begins_a_block_and_is_in_its_resume_record() -> None:
    records = tuple(Record(n, NOON, login(0, f"e{n}")) for n in range(3))
    part = Part(records, {2: [NOON + 5 * SECOND]})
    written = run(part, policy_of(PLAIN.yaml))
    assert [(one.block, one.last) for one in written.segments] == [
        (0, 0),
        (1, 1),
        (2, 2),
    ]  # the first has no watermark
    assert (written.resumes[-1].start, written.resumes[-1].mark) == (2, NOON + 5 * SECOND)
    assert [row.first_t for row in written.segments[2].rows] == [NOON + 6 * SECOND]


def test_a_mark_that_moves_nothing_is_none() -> None:
    fold = begin(Part(()), policy_of(PLAIN.yaml), fresh(Part(()), policy_of(PLAIN.yaml)))
    fold.fold([Record(0, NOON, login(0, "a"))])
    assert not fold.put_mark(NOON - 2 * SECOND)
    assert fold.put_mark(NOON - 2 * SECOND + 1)
    assert not fold.put_mark(NOON - 2 * SECOND + 1)


# -- reading back --------------------------------------------------------------------------------------------


def test_a_resume_record_of_another_log_is_refused() -> None:
    part = Part(tuple(Record(n, NOON, login(n * SECOND, f"e{n}")) for n in range(40)))
    policy = policy_of(PLAIN.yaml)
    resume = run(part, policy).resumes[-1]
    assert resume.start > resume.read_from
    other = Part(tuple(Record(n, NOON, login(n * SECOND + 7, f"o{n}")) for n in range(40)))
    with pytest.raises(LogReplaced, match="WATCHOFFICER_TOPIC_PREFIX"):
        begin(other, policy, resume)


@thorough
@given(parts(), st.data())
def test_where_the_head_of_what_is_read_back_is_gone_only_copies_of_it_are_not_known(
    given_log: tuple[Log, Part], data: st.DataObject
) -> None:
    _, part = given_log
    policy = policy_of(PLAIN.yaml)
    expected = run(part, policy, flushes=every_offset(part))
    resume = data.draw(st.sampled_from(unique(expected.resumes)))
    kept_from = data.draw(st.integers(resume.read_from, resume.start))
    fold = BlockFold(0, Rules.of(policy), resume)
    gone = set()
    for record in part.records:
        if resume.read_from <= record.offset < kept_from and not isinstance(
            known := decode(record.value), Rejection
        ):
            gone.add(known.event_id)
    fold.read_back([record for record in part.records if kept_from <= record.offset < resume.start])
    fold.ready(whole=kept_from == resume.read_from)
    whole = begin(part, policy, resume)
    for record in part.records:
        if record.offset < resume.start:
            continue
        fold.fold([record])
        whole.fold([record])
        assert fold.acceptance.watermark() == whole.acceptance.watermark()
        assert fold.block.start == whole.block.start
    lost = whole.block.tally.duplicates - fold.block.tally.duplicates
    ids = [known.event_id for one in part.records if not isinstance(known := decode(one.value), Rejection)]
    assert 0 <= lost <= sum(one in gone for one in ids)
