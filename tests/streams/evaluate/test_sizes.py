"""Every record stays below its limit while 50 incidents are open, whatever people and receivers send."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.bounds import CAUSES_LIMIT, NAME_BYTES, NOTES_KEPT, RECORD_BYTES, cut
from detectors.commonality.commonality import MOST_TOLD
from detectors.engine.state import EngineState, Waiting
from detectors.incidents import (
    Cause,
    Command,
    Common,
    Counts,
    Incident,
    IncidentInput,
    Note,
    Page,
    Transition,
)
from detectors.lifecycle.bounded import bounded
from detectors.lifecycle.conduct.past import is_full, kept
from detectors.lifecycle.lifecycle import INPUTS_REMEMBERED, IncidentMemory, Lifecycle, LifecycleMemory
from detectors.lifecycle.severity import Level
from detectors.process.record import (
    CHECKS_KEPT,
    FOLLOW_UP_LINK_BYTES,
    FOLLOW_UPS_KEPT,
    Check,
    FollowUp,
    Process,
    Said,
)
from detectors.process.states import US_STATES
from detectors.process.vocabulary import Role
from detectors.scopes import SCOPES, scope_path
from sinks.banner.banner import Banner
from sinks.delivery.outcomes import Delivery, bounded_receipt
from streams.evaluate.shard_state import ShardState, decode_state, encode_state
from streams.events.validation import Reason
from streams.ingest.partition_task import in_parts
from streams.kafka.topics import Topics
from streams.records.models import ID_LIMIT, NAME_LIMIT, TEXT_LIMIT, encode_incident, encode_input
from streams.records.verdicts import command_out, log_out, refused_out
from streams.segments.codec import Frontier, Resume, Tally, encode
from streams.settings.policy_file import default_policy
from tests.detectors.lifecycle.scenario import Scenario

OPEN = 50
TOPICS = Topics()
POLICY = default_policy()
NOW = 1_795_435_200_000
PATHS = tuple(scope_path("prod", index) for index in range(len(SCOPES)))
#: What takes the most bytes for its length: four-byte characters, and what JSON writes as six.
ALPHABETS = (
    "".join(map(chr, range(0x10000, 0x30000))),
    "".join(map(chr, range(0x4E00, 0x9FFF))),
    "".join(map(chr, range(33, 127))),
    "\x00\x01\x1f",
    '"\\',
)


class Texts:
    """Random texts of given lengths, all of one alphabet: such that cannot be compressed much."""

    def __init__(self, seed: int, alphabet: str) -> None:
        self._random = np.random.default_rng(seed)
        self._alphabet = np.array([ord(char) for char in alphabet], "<u4")

    def __call__(self, length: int) -> str:
        points: bytes = self._random.choice(self._alphabet, length).tobytes()
        return points.decode("utf-32-le")

    def ascii(self, length: int) -> str:
        return self._random.integers(33, 127, length, np.uint8).tobytes().decode()

    def number(self) -> int:
        return int(self._random.integers(10**9))


worst = st.builds(Texts, st.integers(0, 2**32), st.sampled_from(ALPHABETS))
few = settings(max_examples=8, deadline=None)


def counts(texts: Texts) -> Counts:
    names = ("good", "bad", "excluded", "started", "slow", "timed", "users_impacted")
    return Counts(at=NOW, window=3_600_000, **{name: texts.number() for name in names})


def incident(texts: Texts, number: int = 10**9) -> Incident:
    """An incident that people and receivers have put as much on as they could."""
    name = texts(NAME_LIMIT)
    return bounded(
        Incident(
            id=f"prod-{number}",
            env="prod",
            epoch=9,
            scope="prod/*/idme",
            state="acknowledged",
            causes=("burn_rate", "declared", "funnel", "latency", "outage", "silence", "surge"),
            sentence=texts(TEXT_LIMIT),
            severity=1,
            peak_severity=1,
            priority="P1",
            datadog_severity="SEV-1",
            basis="projected",
            users_impacted=texts.number(),
            peak_users_impacted=texts.number(),
            users_impacted_error=0.0123,
            first_bad_at=NOW,
            opened_at=NOW,
            updated_at=NOW,
            acknowledged_at=NOW,
            acknowledged_by=name,
            declared_at=NOW,
            declared_by=texts(NAME_LIMIT),
            resolved_by=texts(NAME_LIMIT),
            resolved_reason="by a person",
            counts_opening=counts(texts),
            counts_peak=counts(texts),
            counts_now=counts(texts),
            narrower=PATHS,
            common=tuple(
                Common(field="client_id", value=cut(texts(NAME_LIMIT), NAME_BYTES), failing=9, failing_of=9)
                for _ in range(MOST_TOLD)
            ),
            notes=tuple(Note(NOW + n, texts(NAME_LIMIT), texts(TEXT_LIMIT)) for n in range(20)),
            links={"console": "https://" + texts.ascii(400), "runbook": "https://" + texts.ascii(400)},
            pages=tuple(Page(f"vets:prod-{number}:9:s{n}", "critical") for n in range(1, 4)),
            policy_hash="0" * 64,
            process=Process(
                stage="response",
                roles={role: texts(NAME_LIMIT) for role in get_args(Role)},
                eta=NOW,
                next_update_at=NOW,
                states=US_STATES,
                said=Said(NOW, name, texts(TEXT_LIMIT)),
                follow_ups=tuple(
                    FollowUp(
                        NOW, name, texts(TEXT_LIMIT), "https://" + texts.ascii(FOLLOW_UP_LINK_BYTES - 40)
                    )
                    for _ in range(FOLLOW_UPS_KEPT)
                ),
                checklist=tuple(
                    Check("x" * 40, "y" * 60, NOW, texts(NAME_LIMIT)) for _ in range(CHECKS_KEPT)
                ),
            ),
        )
    )


def memory(one: Incident) -> IncidentMemory:
    return IncidentMemory(
        incident=one,
        level=Level(),
        scopes=list(PATHS),
        fired_at=NOW,
        spoke_at=NOW,
        scope_notified=one.scope,
        rung=["reminder", "breach"],
    )


def an_input(texts: Texts, **more: Any) -> IncidentInput:
    fields: dict[str, Any] = {
        "id": texts.ascii(ID_LIMIT),
        "env": "prod",
        "kind": "note",
        "incident": "prod-1",
        "by": texts(NAME_LIMIT),
        "text": texts(TEXT_LIMIT),
        "at": NOW,
    }
    return IncidentInput(**fields | more)


@pytest.mark.long
@few
@given(texts=worst)
def test_a_state_with_fifty_incidents_while_notifications_wait(texts: Texts) -> None:
    open_now = [incident(texts, n) for n in range(1, OPEN + 1)]
    full = next(n for n in range(1, OPEN + 1) if is_full([memory(one) for one in open_now[:n]]))
    # As many have all of it as acts are taken for.
    open_now[full:] = [replace(one, process=Process(states=US_STATES)) for one in open_now[full:]]
    closed = [replace(incident(texts, n), state="closed", closed_at=NOW) for n in range(1, 40)]
    before = {one.id: replace(one, sentence=texts(120), notes=()) for one in open_now}
    lifecycle = LifecycleMemory(
        next_number=OPEN + 1,
        at=NOW,
        incidents=[memory(one) for one in open_now],
        applied=[texts.ascii(36) for _ in range(INPUTS_REMEMBERED)],
        past=kept(closed, NOW),
    )
    waiting = Waiting(before, {one.id: one for one in open_now})
    banners = tuple(
        Banner(
            key=path,
            state="critical",
            severity=1,
            incident_id="prod-1",
            title=texts(60),
            message=texts(200),
            since=NOW,
            version=NOW,
            updated_at=NOW,
            valid_until=NOW,
        )
        for path in PATHS
    )
    state = ShardState(
        engine=EngineState(NOW, lifecycle, waiting, NOW),
        board=banners,
        inputs_to=10**9,
        scheduled=((NOW, an_input(texts)), (NOW, an_input(texts))),
    )
    value = encode_state(state)
    assert len(value) < RECORD_BYTES
    assert decode_state(value) == state


@few
@given(texts=worst)
def test_incidents_commands_lines_and_deliveries(texts: Texts) -> None:
    one = incident(texts)
    said = texts(TEXT_LIMIT + NAME_LIMIT + 100)
    causes = tuple(
        Cause(
            detector="outage",
            scope=path,
            state="firing",
            sentence=texts(TEXT_LIMIT),
            numbers={f"number_{n}": texts.number() for n in range(20)},
        )
        for path in PATHS * 4
    )
    transition = Transition(
        kind="note",
        at=NOW,
        incident=one,
        from_state="open",
        from_severity=1,
        from_scope="prod",
        reason=said,
        by=texts(NAME_LIMIT),
        causes=causes,
        input=texts.ascii(ID_LIMIT),
    )
    command = Command(
        id="prod-1:9:note-1795435200000:slack:reply",
        sink="slack",
        action="reply",
        level="info",
        dedup_key="vets:prod-1:9",
        incident_id=one.id,
        epoch=9,
        at=NOW,
        kind="note",
        reason=said,
        incident=one,
        by=texts(NAME_LIMIT),
    )
    assert len(encode_incident(one)) < RECORD_BYTES
    line = log_out(TOPICS, 0, transition, dict.fromkeys(range(1_000), 10**15), "0" * 64)
    assert line.size < RECORD_BYTES
    assert msgspec.json.decode(line.value or b"")["evidence_left_out"] == len(causes) - CAUSES_LIMIT
    assert command_out(TOPICS, 4, command).size < RECORD_BYTES
    assert refused_out(TOPICS, 0, NOW, an_input(texts), said[:300]).size < RECORD_BYTES


@few
@given(texts=worst)
def test_inputs(texts: Texts) -> None:
    assert len(encode_input(an_input(texts))) < 32 * 1024


@pytest.mark.parametrize(("number", "slots"), [(2_000, 0), (2_000, 12), (3, 8_192)])
def test_frontiers_and_resume_records(number: int, slots: int) -> None:
    big = 2**62
    rejected = {str(reason): big for reason in Reason}
    times = {big - n: (8_192, 8_192) for n in range(slots)}
    tally = Tally(big, big, big, big, big, big, big, big, big, rejected, times)
    parts = in_parts([tally] * number)
    assert sum(map(len, parts)) == number
    for tallies in parts:
        frontier = Frontier(999, 1_000, big, big, big, "resumed", big, big, tallies, big)
        assert len(encode(frontier)) < RECORD_BYTES
    assert len(encode(Resume(999, big, 1_000, 8_192, big, big, big, big, big, big, big))) < 256


def test_a_receipt_keeps_no_more_than_a_receiver_may_send() -> None:
    sent = {f"name {n}": "x" * 400 for n in range(100)} | {"link": "x" * 100_000}
    kept = bounded_receipt(sent)
    delivery = Delivery(
        command_id="c",
        sink="slack",
        incident_id="prod-1",
        epoch=0,
        action="post",
        outcome="delivered",
        at=NOW,
        receipt=kept,
    )
    assert len(msgspec.json.encode(delivery)) < 16 * 1024
    assert "link" not in kept


# -- what is kept, and where -----------------------------------------------------------------------------------


def test_the_log_has_each_note_whole_and_the_incident_the_last_five_cut() -> None:
    scenario = Scenario()
    texts = [chr(0x4E00 + n) * TEXT_LIMIT for n in range(9)]
    scenario.at(0).fires("prod/ssoe", people=60)
    for n, text in enumerate(texts):
        scenario.at(10 + n).asks("note", "prod-1", text=text)
    heard = scenario.play(until=40)
    notes = [t for t in heard.transitions if t.kind == "note"]
    assert [t.reason for t in notes] == texts
    kept = heard.incidents["prod-1"].notes
    assert [note.text[0] for note in kept] == [text[0] for text in texts[-NOTES_KEPT:]]
    assert all(len(note.text.encode()) <= 240 for note in kept)


def test_an_incident_of_an_earlier_version_is_cut_when_it_is_restored() -> None:
    texts = Texts(1, ALPHABETS[0])
    whole = replace(incident(texts), notes=tuple(Note(NOW, "Ada", texts(TEXT_LIMIT)) for _ in range(72)))
    (restored,) = Lifecycle("prod", POLICY, LifecycleMemory(incidents=[memory(whole)])).incidents()
    assert len(restored.notes) == NOTES_KEPT
