"""What the mappings that ship make of producers' records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.events.decode import decode
from streams.events.validation import Rejection
from streams.mappings.mapping import RecordMapping
from streams.mappings.shipped import load_mapping, shipped_names
from tests.streams.mappings.samples import SAMPLES, sis, ssoe

KEY = b"k" * 32


def value_of(record: Any) -> bytes:
    return record.encode() if isinstance(record, str) else json.dumps(record).encode()


def mapped(mapping: RecordMapping, record: Any) -> list[dict[str, Any]]:
    return [json.loads(event) for event in mapping.map(value_of(record), "t/0/7").events]


@pytest.mark.parametrize(("name", "record", "becomes"), SAMPLES)
def test_a_record_becomes_its_event_or_is_skipped_by_its_rule(name: str, record: Any, becomes: Any) -> None:
    found = load_mapping(name, KEY).map(value_of(record), "t/0/7")
    assert found.unreadable is None
    if isinstance(becomes, str):
        assert ([], [becomes]) == (found.events, [rule for rule, _ in found.skipped])
        return
    step, outcome, more = becomes
    (event,) = map(json.loads, found.events)
    assert (event["step"], event["outcome"]) == (step, outcome)
    assert {key: event.get(key) for key in more} == more
    assert not isinstance(decode(found.events[0]), Rejection)


def test_each_mapping_that_ships_has_samples() -> None:
    assert {name for name, _, _ in SAMPLES} == set(shipped_names())


@pytest.mark.parametrize("raw", ["1V2", "ada@example.org", "00u1", "0a1b2c3d-9"])
def test_raw_ids_of_people_go_no_further(raw: str) -> None:
    for name, record, _ in SAMPLES:
        for event in mapped(load_mapping(name, KEY), record):
            kept = {key: value for key, value in event.items() if key not in ("event_id", "client_id")}
            assert raw not in json.dumps(kept), name


def test_the_hash_of_a_person_is_the_same_in_all_mappings_and_another_with_another_key() -> None:
    one = mapped(load_mapping("vets-api-sis", KEY), sis("callback", icn="1V2"))[0]["user_hash"]
    other = mapped(load_mapping("vets-api-ssoe", KEY), ssoe("LOGIN_STATUS_SUCCESS", icn="1V2"))[0][
        "user_hash"
    ]
    assert one == other
    # HMAC-SHA256 of "person", NUL, "1V2" by this key; computed with openssl dgst -mac HMAC
    assert one == "h:dc5be15784c9c0ce2f817c9d70e6a330"
    assert one != mapped(load_mapping("vets-api-sis", b"j" * 32), sis("callback", icn="1V2"))[0]["user_hash"]


def test_two_lines_that_tell_one_outcome_have_one_id() -> None:
    mapping = load_mapping("vets-api-ssoe", KEY)
    first = mapped(mapping, ssoe('LOGIN_STATUS_FAILURE, tags: ["error:007"], message: x'))
    second = mapped(mapping, ssoe("[V1][Sessions Controller] error"))
    assert first[0]["event_id"] == second[0]["event_id"] == "5e6f:callback"


def test_lines_that_no_rule_knows_are_counted_by_what_does_not_change() -> None:
    mapping = load_mapping("vets-api-sis", KEY)
    for n in range(3):
        mapping.map(value_of(sis(f'new thing {n} for "user {n}"')), "t/0/0")
    ((shape, count),) = mapping.account.shapes.items()
    assert count == 3
    assert "new thing # for #" in shape
