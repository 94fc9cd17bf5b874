"""What a producer writes of people into fields that are kept goes no further than the topic of login events."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import get_type_hints

import pytest

from detectors.instants import format_instant
from streams.aggregate.acceptance import Rules
from streams.events.login_event import LoginEvent
from streams.ingest.blocks import BlockFold
from streams.segments.codec import BLOCK_OFFSETS, Resume, encode
from streams.settings.policy_file import default_policy
from tests.support.oracle import NOON

PERSON = "Ada Lovelace <ada@example.org>"
#: Fields of text.
FIELDS = sorted(
    name for name, kind in get_type_hints(LoginEvent).items() if "str" in str(kind) and name != "occurred_at"
)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *((field, PERSON) for field in FIELDS),
        ("error_code", "no account for example 123456789"),
        ("error_code", "123-45-6789 is no example"),
    ],
)
def test_a_name_in_a_field_of_text_stands_in_no_record_that_ingest_writes(field: str, text: str) -> None:
    policy = default_policy()
    resume = Resume(0, 1, policy.step, BLOCK_OFFSETS, 0, None, None, None, 0, None)
    fold = BlockFold(0, Rules.of(policy), resume)
    fold.ready(whole=True)
    event = {
        "schema_version": 1,
        "event_id": "e1",
        "occurred_at": format_instant(NOON),
        "env": "prod",
        "auth_method": "sis",
        "step": "callback",
        "outcome": "failure",
        "user_hash": "h:1",
        field: text,
    }
    fold.fold([SimpleNamespace(offset=0, timestamp=NOON, value=json.dumps(event).encode())])
    assert fold.block.tally.accepted == 1
    written = b"".join(encode(one) for one in fold.segments(fold.block, 1)) + encode(fold.resume_record(1))
    assert written
    for part in (b"ada", b"lovelace", b"example", b"6789"):
        assert part not in written.lower()
