"""What does `watch-state` keep of an environment, and which facts must be read again to go on from it?"""

from __future__ import annotations

from typing import Any

import msgspec
import zstandard

from detectors.engine.state import EngineState
from detectors.history.rollup import HISTORY_SPAN
from detectors.incidents import IncidentInput
from detectors.instants import MINUTE, parse_instant
from detectors.policy.policy import Policy
from sinks.banner.banner import Banner
from streams.segments.codec import FormatError, NewerVersion

__all__ = [
    "ShardState",
    "covered_from",
    "decode_state",
    "encode_state",
    "latest",
    "read_back",
    "was_complete",
]

_STATE_VERSION = 1
#: Facts are complete that began so much later than what is read back: for clocks that differ.
_SLACK = 5 * MINUTE
#: Read back beyond the retention: late events revise the five minutes of history that they belong to.
_MARGIN = 2 * HISTORY_SPAN + _SLACK


#: A state that is larger is compressed: the names of its fields, and texts that stand in it twice, cost nothing then.
_COMPRESSED_FROM = 64 * 1024
#: The first byte of a compressed state, which no MessagePack begins with.
_COMPRESSED = b"\xc1"
#: The most that a state is decompressed to, bytes.
_STATE_BYTES = 64 << 20


class ShardState(
    msgspec.Struct, frozen=True, kw_only=True, rename={"engine": "watch", "scheduled": "assigned"}
):
    """The record of ``watch-state`` of one environment.

    Attributes:
        engine: the detectors' and incidents' memory; ``watch`` in the record.
        board: the banners as last published.
        inputs_to: the offset up to which ``incident-inputs`` has been given a T.
        scheduled: inputs, each with the T (ms) at which it is applied, which is not evaluated yet; ``assigned`` in
            the record.
        term: of the owner that wrote it; 0 of a build that knew none.
    """

    version: int = _STATE_VERSION
    engine: EngineState
    board: tuple[Banner, ...]
    inputs_to: int
    scheduled: tuple[tuple[int, IncidentInput], ...] = ()
    term: int = 0


def read_back(policy: Policy) -> int:
    """How long before a state's T the broker took the first record that is needed to go on from it, ms."""
    return policy.retention + policy.future_limit + _MARGIN


def covered_from(since: int, policy: Policy) -> int:
    """The instant (ms) from which all facts are at hand, where records were read from ``since`` (ms) on."""
    return since + policy.future_limit + _SLACK


def latest(before: ShardState | None, written: ShardState) -> ShardState:
    """The state of an environment that counts, where ``written`` stands after ``before`` on the topic.

    A write that was repeated may arrive late: of one owner, the state that has progressed further counts.
    """
    return written if before is None or _progress(written) >= _progress(before) else before


def _progress(state: ShardState) -> tuple[int, int, int]:
    """What grows from each state of an environment to the next: term, last T (ms), and offset of inputs."""
    reached = state.engine.evaluated_to
    return state.term, -1 if reached is None else reached, state.inputs_to


def was_complete(entry: dict[str, Any], state: ShardState | None) -> bool:
    """Whether a record of the history was complete at the T of a state; without one every record was."""
    reached = None if state is None else state.engine.evaluated_to
    return reached is None or parse_instant(entry["at"]) + HISTORY_SPAN <= reached


def encode_state(state: ShardState) -> bytes:
    """The value of a record of ``watch-state``: MessagePack, compressed where it is long."""
    value = msgspec.msgpack.encode(state)
    if len(value) < _COMPRESSED_FROM:
        return value
    return _COMPRESSED + zstandard.ZstdCompressor(level=3).compress(value)


def decode_state(value: bytes) -> ShardState:
    """The record that ``encode_state`` wrote.

    Raises:
        FormatError: another version wrote it, or it is no state.
    """
    try:
        return _decoded(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, zstandard.ZstdError) as error:
        raise FormatError(f"not a record of this topic: {error}") from None


def _decoded(value: bytes) -> ShardState:
    if value[:1] == _COMPRESSED:
        if (
            zstandard.frame_content_size(value[1:]) > _STATE_BYTES
        ):  # else memory is asked for as its head says
            raise FormatError(
                f"not a record of this topic: it says that it holds more than {_STATE_BYTES} bytes"
            )
        value = zstandard.ZstdDecompressor().decompress(value[1:], max_output_size=_STATE_BYTES)
    version = msgspec.msgpack.decode(value, type=dict[str, Any]).get("version")
    if version != _STATE_VERSION:
        newer = isinstance(version, int) and version > _STATE_VERSION
        raise (NewerVersion if newer else FormatError)(
            f"watch-state has version {version}, this program reads {_STATE_VERSION}: "
            "finish the upgrade, or give the deployment a new WATCHOFFICER_TOPIC_PREFIX"
        )
    return msgspec.msgpack.decode(value, type=ShardState)
