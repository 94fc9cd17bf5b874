"""The edges at which others hand in bytes: producers, operators, PagerDuty, Slack and people over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import get_args

from pydantic import SecretStr

from detectors.errors import WatchofficerError
from detectors.incidents import IncidentInput
from detectors.lint.lint import lint
from detectors.policy.source import PolicyError
from detectors.process.actions import ACTIONS, Field
from streams.aggregate.acceptance import Rules
from streams.aggregate.source import Source
from streams.events.decode import decode_many, decode_plain, instant
from streams.events.validation import Rejection, decode_exactly
from streams.http.bodies import ActBody, given_of, made
from streams.http.pagerduty.alerts import AlertIndex
from streams.http.pagerduty.reading import read_webhook
from streams.http.requests import parsed
from streams.http.responses import ApiError
from streams.http.slack.door import SlackDoor
from streams.http.slack.reading import Asked, read_request
from streams.ingest.blocks import BlockFold
from streams.mappings.mapping import compile_mapping
from streams.mappings.shipped import load_mapping
from streams.records.models import decode_input, encode_input
from streams.segments.codec import BLOCK_OFFSETS, Resume, decode, encode
from streams.settings.policy_file import default_policy, read_policy, shipped_values
from streams.tail.syslog import message_of
from tests.fuzz import corpus
from tests.fuzz.target import Edge, Target, one_by_one

__all__ = ["TARGETS"]

_LIMIT = 8_192  # events of one fold


class _Fold:
    """Ingest's fold of a partition: what it counts must add up, and what it writes must be read as it was written."""

    def __init__(self, source: Source | None = None) -> None:
        self._source = source
        self._begin()

    def _begin(self) -> None:
        policy = default_policy()
        resume = Resume(0, 1, policy.step, BLOCK_OFFSETS, 0, None, None, None, 0, None)
        self._fold = BlockFold(0, Rules.of(policy), resume, self._source, "login-events/0")
        self._fold.ready(whole=True)
        self._offset = 0
        self._sent, self._told = 0, Counter[str]()

    def __call__(self, values: Sequence[bytes]) -> Sequence[str]:
        if self._offset > _LIMIT:
            self._begin()
        records = [
            SimpleNamespace(offset=self._offset + n, timestamp=corpus.END + self._offset + n, value=value)
            for n, value in enumerate(values)
        ]
        folded = self._fold.fold(records)
        self._offset += len(values)
        self._sent += folded.values
        blocks = [*self._fold.take_closed(), self._fold.block]
        for block in blocks:
            tally = block.tally
            assert tally.records == tally.accepted + tally.duplicates + sum(tally.rejected.values()), tally
            for segment in self._fold.segments(block, 1):
                assert decode(encode(segment)) == segment
        resume = self._fold.resume_record(1)
        assert decode(encode(resume)) == resume
        refused = {one.record.offset: one.why.reason.value for one in folded.refused}
        if self._source is None:
            _agree(values)
        return [refused.get(record.offset, "accepted") for record in records]


def _agree(values: Sequence[bytes]) -> None:
    """The quick ways through say what the exact one says."""
    exact = [decode_exactly(value) for value in values]
    assert decode_many(values) == exact
    plain = decode_plain(values)
    if plain is not None:
        for event in plain:
            try:
                event.occurred_at = instant(str(event.occurred_at))
            except ValueError:
                return
        assert plain == exact
    for one in exact:
        assert not isinstance(one, Rejection) or len(one.detail) < 200


def _said(error: PolicyError) -> str:
    """A refusal says of each problem what it is."""
    assert all(problem.message for problem in error.errors)
    return "refused"


def _answered(error: ApiError) -> str:
    assert error.status == 400
    return "refused"


def _mapping(name: str) -> Callable[[], Edge]:
    return lambda: _Fold(Source((load_mapping(name),)))


def _mapping_text() -> Edge:
    records = [record for some in corpus.samples().values() for record in some[:2]]

    def take(value: bytes) -> str:
        try:
            mapping = compile_mapping(value, "m.yaml")
        except PolicyError as error:
            return _said(error)
        for record in records:
            mapped = mapping.map(record, "t/0/1")
            decode_many(mapped.events)
        return "accepted"

    return one_by_one(take)


def _policy_text() -> Edge:
    def take(value: bytes) -> str:
        try:
            lint(value, "policy.yaml", shipped_values(), now=corpus.END)
            policy = read_policy(value, "policy.yaml")
        except PolicyError as error:
            return _said(error)
        again = read_policy(policy.canonical(), "again")
        assert again.hash == policy.hash
        return "accepted"

    return one_by_one(take)


def _pagerduty() -> Edge:
    known = AlertIndex()

    def take(value: bytes) -> str:
        try:
            read = read_webhook(
                value,
                delivery=None,
                prefix="watchofficer",
                lookup=lambda id: None,
                known=known,
                now=corpus.END,
            )
        except ValueError:
            return "refused"
        if not isinstance(read, tuple):
            return "ignored"
        for one in read:
            assert decode_input(encode_input(one)) == one
        return "accepted"

    return one_by_one(take)


def _slack() -> Edge:
    door = SlackDoor(
        SimpleNamespace(signing_secret=SecretStr("x"), team=None, may=lambda user, role: True),
        default_policy,
        views=SimpleNamespace(incident=lambda id: {"id": id, "epoch": 0, "state": "open"}),  # type: ignore[arg-type]
        door=None,  # type: ignore[arg-type]
        metrics=None,  # type: ignore[arg-type]
        clock=lambda: corpus.END,
    )

    def take(value: bytes) -> str:
        try:
            asked = read_request(value)
        except ValueError:
            return "refused"
        if not isinstance(asked, Asked):
            return "ignored"
        if asked.act in ("list", "show"):
            return "reads"
        made = door._input(asked)
        if not isinstance(made, IncidentInput):
            return "ignored"
        assert decode_input(encode_input(made)) == made
        return "accepted"

    return one_by_one(take)


def _bodies() -> Edge:
    def take(value: bytes) -> str:
        try:
            body = parsed(ActBody, value)
        except ApiError as error:
            return _answered(error)
        taken = 0
        for action in ACTIONS:
            try:
                given = given_of(action, body)
                about = {"incident": "prod-1"} if action.about == "incident" else {}
                if action.about == "scope":
                    about = {"scope": body.scope or "prod"}
                one = made(id="1", kind=action.kind, by=body.by, at=corpus.END, env="prod", **about, **given)
            except ApiError as error:
                _answered(error)
                continue
            assert decode_input(encode_input(one)) == one
            taken += 1
        return "accepted" if taken else "refused"

    return one_by_one(take)


def _act_seeds() -> list[bytes]:
    kept = {"by", *get_args(Field)}
    found = []
    for value in corpus.some_inputs():
        fields = corpus.json_object(value)
        found.append(corpus.json_bytes({k: v for k, v in fields.items() if k in kept and v is not None}))
    return found


def _syslog() -> Edge:
    def take(value: bytes) -> str:
        try:
            return "ignored" if message_of(value) is None else "accepted"
        except WatchofficerError:
            return "refused"

    return one_by_one(take)


def _events() -> list[bytes]:
    return [value for value in corpus.of_topic("login-events") if value.isascii()]


def _frames() -> list[bytes]:
    return [
        b'<34>1 2026-11-30T13:26:00.000Z host app 12 ID47 [a@1 b="c"] ' + _events()[0],
        b"<13>Nov 30 13:26:00 host app[12]: " + _events()[0],
    ]


TARGETS: tuple[Target, ...] = (
    Target("login events", "json", _events, _Fold, share=30, at_once=64),
    *(
        Target(f"mapping {name}", "json", lambda some=some: some, _mapping(name), share=4, at_once=32)  # type: ignore[misc]
        for name, some in sorted(corpus.samples().items())
    ),
    Target("mapping files", "text", corpus.mappings, _mapping_text, share=0.1),
    Target("policies", "text", corpus.policies, _policy_text, share=0.05),
    Target("PagerDuty's webhooks", "json", corpus.webhooks, _pagerduty, share=8),
    Target("Slack's requests", "form", corpus.slack_forms, _slack, share=8),
    Target("bodies of acts", "json", _act_seeds, _bodies, share=6),
    Target("frames of syslog", "text", _frames, _syslog, share=2),
)
