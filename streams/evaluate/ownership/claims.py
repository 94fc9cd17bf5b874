"""Which records of `watch-state` count, when a former owner of a partition may write too late?

Each worker that takes over a partition of `watch-state` claims it under a number, its *term*, greater than any that
stands there. From the first claim of an term on, what was written under a smaller one is late and does not count. The
order of the records on the log alone decides, so this holds however long a worker stood still.

An owner claims again as it goes on: a claim says up to which T it may write verdicts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from streams.evaluate.shard_state import ShardState, latest
from streams.segments.codec import FormatError, NewerVersion

__all__ = ["CLAIM_KEY", "Claim", "StateLog", "decode_claim", "encode_claim"]

#: The key of claims on `watch-state`. No environment is called so: "/" is in no name of one.
CLAIM_KEY = b"owner/evaluate"
#: A build that knows no terms reads states of version 1 and refuses this one: it would pass terms by.
_CLAIM_VERSION = 2


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """That the writer owns the partition.

    Attributes:
        term: of the owner, from 1 on. A state without one was written by a build that knew none: 0.
        judged_to: verdicts up to this T (ms) may have been written, by this owner or one before; 0: none.
    """

    version: int = _CLAIM_VERSION
    term: int
    judged_to: int


def encode_claim(claim: Claim) -> bytes:
    """The value of a claim's record: MessagePack."""
    return msgspec.msgpack.encode(claim)


def decode_claim(value: bytes) -> Claim:
    """The claim that ``encode_claim`` wrote.

    Raises:
        FormatError: another version wrote it, or it is no claim.
    """
    try:
        version = msgspec.msgpack.decode(value, type=dict[str, Any]).get("version")
        if isinstance(version, int) and version > _CLAIM_VERSION:
            raise NewerVersion(f"a claim has version {version}, this program reads {_CLAIM_VERSION}")
        return msgspec.msgpack.decode(value, type=Claim)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(f"not a claim: {error}") from None


class StateLog:
    """What a partition of `watch-state` says, record by record in the order of the log.

    Attributes:
        term: the greatest that was read.
        judged_to: the greatest T (ms) up to which an owner may have written verdicts; 0: none has.
    """

    def __init__(self) -> None:
        self.term = 0
        self.judged_to = 0
        self._in_force: dict[str, ShardState] = {}
        self._late: dict[str, ShardState] = {}

    def claimed(self, claim: Claim) -> None:
        """Take a claim. A late one changes nothing: its writer finds that out before it writes a verdict."""
        if claim.term >= self.term:
            self.term = claim.term
            self.judged_to = max(self.judged_to, claim.judged_to)

    def written(self, env: str, state: ShardState) -> bool:
        """Take a state of an environment; whether it is in force, and not late."""
        in_force = state.term >= self.term
        self.term = max(self.term, state.term)
        some = self._in_force if in_force else self._late
        some[env] = latest(some.get(env), state)
        return in_force

    def states(self) -> dict[str, ShardState]:
        """The state of each environment that counts.

        Where compaction has left nothing but a late state, that one counts: it is the result of the same function, of
        the same log, and without it the environment would begin anew.
        """
        return {**self._late, **self._in_force}
