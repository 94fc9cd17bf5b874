"""Blocks of mapped records are a function of the log: a record with several events is never divided between two."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.aggregate.acceptance import Rules
from streams.aggregate.source import Source
from streams.ingest.blocks import BlockFold, RefusedRecord
from streams.ingest.rejected_copies import copy_of
from streams.kafka.topics import Topics
from streams.mappings.mapping import compile_mapping
from streams.segments.codec import BLOCK_OFFSETS, BLOCK_WATERMARK, Resume, Tally
from streams.settings.policy_file import default_policy
from tests.support.one_by_one import Record
from tests.support.oracle import NOON

RULES = Rules.of(default_policy())
MAPPING = b"""
name: pages
topic: pages
format: json
unwrap: 'events[]'
skip: {silent: type == 'SILENT'}
fields:
  event_id: {path: id}
  occurred_at: {path: time, unit: ms}
  env: {const: prod}
  auth_method: {const: sis}
  step: {const: callback}
  outcome: {path: type, table: {ERROR: failure, OK: success}}
  user_hash: {path: user, hash: person}
"""
SOURCE = Source([compile_mapping(MAPPING, "pages.yaml")])
_ONE: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["OK", "OK", "ERROR", "SILENT", "NEW"]),
        "id": st.sampled_from([None, None, "a", "b"]),
        "after": st.sampled_from([0, 5, 400, BLOCK_WATERMARK - 1, BLOCK_WATERMARK, 90_000_000]),
        "user": st.sampled_from([None, "kim", "lee"]),
    }
)


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Records that hold pages of up to four events, or no JSON, at growing offsets."""
    at, offset = NOON, draw(st.sampled_from([0, BLOCK_OFFSETS - 3]))
    records = []
    for page in draw(st.lists(st.one_of(st.none(), st.lists(_ONE, max_size=4)), max_size=12)):
        events = []
        for one in page or ():
            moved = at + one["after"]
            at = moved if one["after"] < BLOCK_WATERMARK * 2 else at  # one from the future moves nothing
            events.append({**one, "time": moved})
        value = b"{no json" if page is None else json.dumps({"events": events}).encode()
        records.append(Record(offset, at, value))
        offset += draw(st.sampled_from([1, 1, 1, 4]))
    return records


def begun(resume: Resume, records: list[Record]) -> BlockFold:
    fold = BlockFold("pages:0", RULES, resume, SOURCE, "pages/0")
    fold.read_back([one for one in records if resume.read_from <= one.offset < resume.start])
    fold.ready(whole=True)
    return fold


def written(
    records: list[Record], resume: Resume, at_once: int
) -> tuple[dict[Any, Any], dict[int, Tally], Any]:
    """Return the rows by block and environment, the tallies by block, and the resume records."""
    fold, rows, tallies, resumes = begun(resume, records), {}, {}, []
    rest = [one for one in records if one.offset >= resume.start]
    for first in range(0, len(rest), at_once):
        fold.fold(rest[first : first + at_once])
        for block in (*fold.take_closed(), fold.block):
            rows.update({(one.block, one.env): one.rows for one in fold.segments(block, 1)})
            if block.told:
                tallies[block.start] = block.tally
        resumes.append(fold.resume_record(1))
    return rows, tallies, resumes


@given(logs(), st.integers(1, 5))
def test_batches_and_restarts_change_nothing(records: list[Record], at_once: int) -> None:
    start = records[0].offset if records else 0
    fresh = Resume("pages:0", 1, RULES.step, BLOCK_OFFSETS, start, None, None, None, start, None)
    rows, tallies, resumes = written(records, fresh, 1)
    assert written(records, fresh, at_once)[:2] == (rows, tallies)
    for resume in resumes:
        again, counted, _ = written(records, resume, at_once)
        assert {place: rows[place] for place in again} == again
        assert {block: tallies[block] for block in counted} == counted
        assert all(block < resume.start for block in tallies.keys() - counted.keys())


@given(logs())
def test_each_part_of_a_record_is_accepted_a_duplicate_rejected_or_skipped(records: list[Record]) -> None:
    start = records[0].offset if records else 0
    fresh = Resume("pages:0", 1, RULES.step, BLOCK_OFFSETS, start, None, None, None, start, None)
    _, tallies, _ = written(records, fresh, 3)
    parts = sum(
        len(json.loads(one.value or b"")["events"]) if one.value != b"{no json" else 1 for one in records
    )
    assert parts == sum(
        one.accepted + one.duplicates + sum(one.rejected.values()) + sum(one.skipped.values())
        for one in tallies.values()
    )


def test_the_copy_of_what_a_mapping_made_holds_no_value_of_a_field() -> None:
    late = {"type": "OK", "id": "an-id", "time": 946_684_800_000, "user": "kim"}
    record = Record(7, NOON, json.dumps({"events": [late, late]}).encode())
    fresh = Resume("pages:0", 1, RULES.step, BLOCK_OFFSETS, 7, None, None, None, 7, None)
    (one, other) = begun(fresh, []).fold([record]).refused
    copies = [copy_of(Topics(), "pages:0", refused).record for refused in (one, other)]
    assert [copy.key for copy in copies] == [b"pages/0/7/0", b"pages/0/7/1"]
    assert isinstance(one, RefusedRecord)
    assert one.why.reason == "past"
    kept = json.loads(copies[0].value or b"")
    assert kept["event_id"] == {"kind": "string", "length": 5}
    assert b"kim" not in (copies[0].value or b"")
