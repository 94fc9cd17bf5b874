"""The edges at which a worker reads what workers have written: segments, states, resume records, policies, inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import msgspec
import zstandard

from detectors.engine.engine import Engine
from detectors.history.history import History
from detectors.policy.policy import Policy
from streams.aggregate.acceptance import Rules
from streams.evaluate.evaluator import Evaluator
from streams.evaluate.inputs import queued_input
from streams.evaluate.ownership.claims import Claim, StateLog, decode_claim, encode_claim
from streams.evaluate.shard import Shard
from streams.evaluate.shard_state import ShardState, decode_state, encode_state
from streams.ingest.blocks import BlockFold, LogReplaced
from streams.kafka.topics import Topics
from streams.records.log_lines import read_line
from streams.records.policies import PolicySchedule, decode_policy, encode_policy, policy_record
from streams.records.progress import evaluated_to_in, spoken_in, together_in
from streams.records.reading import OwnRecords, Reading, Stored, Unreadable
from streams.records.verdicts import decode_command
from streams.segments.codec import Resume, decode, encode
from streams.settings.policy_file import default_policy, read_policy
from tests.fuzz import corpus
from tests.fuzz.target import Edge, Target, one_by_one

__all__ = ["TARGETS"]

_TOPICS = Topics()
_PARTITION = 0
_STEPS = 2  # that are evaluated after each call


def _reading(topic: str) -> Reading:
    return OwnRecords(_TOPICS).reading(topic, _PARTITION)


@cache
def _last_state() -> bytes:
    return [one.value for one in corpus.recorded()["watch-state"] if one.key == "prod" and one.value][-1]


def _prod() -> ShardState:
    """The last state of prod in the recording, anew: what goes on from it changes it."""
    return decode_state(_last_state())


def _shard(policy: Policy, states: dict[str, ShardState], history: dict[str, Any] | None = None) -> Shard:
    """A shard that goes on from states, as ``restore`` makes it."""

    def make(env: str) -> Engine:
        state, known = states.get(env), History.of(env, policy)
        if history is not None and history["env"] == env:
            known.add(history)
        return Engine(
            env,
            policy,
            known,
            state=state.engine if state else None,
            sinks=frozenset({"pagerduty", "datadog", "slack"}),
            sli_every=policy.sli_every,
            durations=True,
        )

    shard = Shard(
        _PARTITION, ("prod",), Evaluator(policy, make), 0, _reading(_TOPICS.segments), unlisted=True
    )
    for env in ("prod", *sorted(states.keys() - {"prod"})):
        shard.engine(env)
    for env, state in states.items():
        shard.restore_state(env, state)
    return shard


def _moved_on(shard: Shard, goal: int) -> None:
    """Evaluate some T, as ``evaluate.service`` does, and write the states."""
    step = shard.policy.step
    begin = shard.begin_at(goal - goal % step)
    to = begin - begin % step + _STEPS * step
    shard.schedule_inputs()
    shard.collect(to)
    for _ in shard.advance_in_parts(to, [], catching_up=False):
        pass
    shard.complete(to)
    for env in shard.envs:
        if shard.engine(env).evaluated_to is not None:
            value = encode_state(shard.state(env, 1))
            assert encode_state(decode_state(value)) == value


# -- segments -----------------------------------------------------------------------------------------------------


def _segments() -> list[bytes]:
    """Recorded segments, frontiers and owners, and the same in the form of today."""
    values = corpus.of_topic("sli-segments")
    return [*values, *(encode(decode(value)) for value in values)]


def _take_segments() -> Edge:
    policy = default_policy()
    owners = [one for one in corpus.recorded()["sli-segments"] if (one.key or "").startswith("owner/")]

    def take(values: Sequence[bytes]) -> list[str]:
        shard, found = _shard(policy, {}), []
        offset = 0
        for one in owners:
            if one.partition == _PARTITION:
                shard.restore_record(Stored(offset, (one.key or "").encode(), one.value))
                offset += 1
        shard.finish_restore()
        for n, value in enumerate(values, offset):
            try:
                shard.take(Stored(n, b"segment/0/0/prod/1", value))
                found.append("accepted")
            except Unreadable as error:
                shard._reading._unread.clear()
                shard._next_offset = n + 1
                found.append("refused: " + str(error).partition("(FormatError: ")[2][:24])
        _moved_on(shard, corpus.END)
        return found

    return take


# -- states -------------------------------------------------------------------------------------------------------


def _state_values() -> list[bytes]:
    values = corpus.of_topic("watch-state")
    packed = [encode_state(decode_state(value)) for value in values]
    return [*packed, *(b"\xc1" + _compressed(value) for value in packed[:3])]


def _compressed(value: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(value)


def _take_states() -> Edge:
    policy = default_policy()

    def take(value: bytes) -> str:
        reading = _reading(_TOPICS.watch_state)
        state = reading.take(Stored(0, b"prod", value), decode_state)
        if state is None:
            return _why(reading)
        StateLog().written("prod", state)
        shard = _shard(policy, {"prod": state})
        for _ in shard.restore_windows(corpus.END):
            pass
        shard.finish_restore()
        _moved_on(shard, corpus.END)
        return "accepted"

    return one_by_one(take)


def _why(reading: Reading) -> str:
    (one,) = reading.unread()
    return "set aside: " + one.why[:40]


def _aside(topic: str, decode: Callable[[bytes], object]) -> Callable[[], Edge]:
    """The edge of a topic whose records have no further use here."""

    def make() -> Edge:
        def take(value: bytes) -> str:
            reading = _reading(topic)
            return _why(reading) if reading.take(Stored(0, b"k", value), decode) is None else "accepted"

        return one_by_one(take)

    return make


def _claims() -> list[bytes]:
    return [encode_claim(Claim(term=n, judged_to=corpus.END)) for n in range(1, 4)]


# -- ingest-state -------------------------------------------------------------------------------------------------


def _resumes() -> list[bytes]:
    values = list(corpus.of_topic("ingest-state"))
    return [*values, *(encode(decode(value)) for value in values)]


def _take_resumes() -> Edge:
    rules = Rules.of(default_policy())
    events = corpus.of_topic("login-events")[:8]

    def take(value: bytes) -> str:
        reading = _reading(_TOPICS.ingest_state)
        resume = reading.take(Stored(0, b"resume/0/1", value), decode)
        if not isinstance(resume, Resume):
            return _why(reading) if resume is None else "passed over"
        fold = BlockFold(resume.partition, rules, resume)
        try:
            fold.ready(whole=True)
        except LogReplaced:
            return "refused"
        begin = fold.next_offset
        some = [
            SimpleNamespace(offset=begin + n, timestamp=corpus.END, value=event)
            for n, event in enumerate(events)
        ]
        fold.fold(some)
        for segment in fold.segments(fold.block, 1):
            encode(segment)
        encode(fold.resume_record(1))
        return "accepted"

    return one_by_one(take)


# -- inputs, history, policies, progress --------------------------------------------------------------------------


def _take_inputs() -> Edge:
    policy = default_policy()

    def take(values: Sequence[bytes]) -> list[str]:
        shard, found = _shard(policy, {"prod": _prod()}), []
        shard.finish_restore()
        for n, value in enumerate(values, _prod().inputs_to):
            reading = _reading(_TOPICS.inputs)
            one = queued_input(reading, Stored(n, b"prod", value))
            if one is None:
                found.append(_why(reading))
            else:
                shard.queue(one)
                found.append(f"accepted: {one.value.kind}")
        _moved_on(shard, corpus.END)
        return found

    return take


def _history_values() -> list[bytes]:
    values = [one.value for one in corpus.recorded()["sli-history"] if one.value]
    leaf = {
        "axes": {"auth_method": "ssoe", "csp": "idme", "client_id": "vaweb"},
        "sign_in": {"good": 900, "bad": 12, "excluded": 3, "started": 1_000, "slow": 4, "timed": 912},
        "session": {"good": 5, "bad": 0},
        "codes": {"007": 12},
    }
    at = corpus.END // 300_000 * 300_000 - 600_000
    today = {"v": 2, "env": "prod", "at": at, "leaves": [leaf, leaf | {"axes": {"auth_method": "sis"}}]}
    return [*values, corpus.json_bytes(today | {"excluded": ["prod/ssoe"]})] * 2


def _take_history() -> Edge:
    policy = default_policy()

    def take(value: bytes) -> str:
        reading, kept = _reading(_TOPICS.history), []

        def add(of: bytes) -> dict[str, Any]:
            entry = msgspec.json.decode(of, type=dict[str, Any])
            History.of("prod", policy).add(entry)
            kept.append(entry)
            return entry

        if reading.take(Stored(0, b"prod", value), add) is None:
            return _why(reading)
        shard = _shard(policy, {"prod": _prod()}, kept[0])
        shard.finish_restore()
        _moved_on(shard, corpus.END)
        return "accepted"

    return one_by_one(take)


def _policy_records() -> list[bytes]:
    texts = [read_policy(text, "p") for text in corpus.policies()]
    return [encode_policy(policy_record(policy, corpus.END, "worker-0")) for policy in texts]


def _take_policies() -> Edge:
    def take(value: bytes) -> str:
        reading = _reading(_TOPICS.policy)
        record = reading.take(Stored(0, b"k", value), decode_policy)
        if record is None:
            return _why(reading)
        schedule = PolicySchedule()
        schedule.take(record, corpus.END - 60_000)
        try:
            schedule.at(corpus.END).policy()
        except Unreadable:
            return "refused"
        return "accepted"

    return one_by_one(take)


def _headers() -> Edge:
    def take(value: bytes) -> str:
        headers = [("evaluated_to", value), ("envs", value), ("blind", value), ("ended", value)]
        found = (evaluated_to_in(headers), together_in(headers), spoken_in(b"process/" + value, headers))
        return "accepted" if found[0] is not None else "ignored"

    return one_by_one(take)


TARGETS: tuple[Target, ...] = (
    Target("segments and frontiers", "packed", _segments, _take_segments, share=8, at_once=64, cpu=5),
    Target("watch-state", "msgpack", _state_values, _take_states, share=1),
    Target("claims", "msgpack", _claims, _aside(_TOPICS.watch_state, decode_claim), share=2),
    Target("ingest-state", "packed", _resumes, _take_resumes, share=4),
    Target("incident-inputs", "json", corpus.some_inputs, _take_inputs, share=4, at_once=16, cpu=5),
    Target("sli-history", "json", _history_values, _take_history, share=1),
    Target("policy records", "json", _policy_records, _take_policies, share=0.05),
    Target("progress in headers", "text", lambda: [b"1796045150000", b"prod,staging"], _headers, share=2),
    Target(
        "incident-commands",
        "json",
        lambda: corpus.of_topic("incident-commands"),
        _aside(_TOPICS.commands, decode_command),
        share=3,
    ),
    Target(
        "lines of the incident log",
        "json",
        lambda: corpus.of_topic("incident-log"),
        _aside(_TOPICS.incident_log, read_line),
        share=3,
    ),
)
