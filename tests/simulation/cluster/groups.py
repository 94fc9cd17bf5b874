"""How does the simulated broker deal out partitions among the members of a consumer group?

It follows Kafka's classic protocol: who joins waits until every living member has joined anew; a member that sends no
heartbeat for its session is put out; each rebalance raises the generation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError

from tests.simulation.loop import NETWORK

__all__ = ["Group", "Joined"]


class Joined(NamedTuple):
    """What a member is told at the end of a rebalance."""

    member: str
    generation: int
    assigned: tuple[TopicPartition, ...]


@dataclass
class _Member:
    name: str
    session: float  # seconds
    deadline: float = 0.0
    joining: asyncio.Future[Joined] | None = None


class Group:
    """One consumer group.

    Args:
        loop: whose time is the broker's.
        random: deals out partitions.
        places: the partitions of each topic that members subscribe to; of equal numbers one member gets all.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, random: Random, places: Mapping[str, Sequence[int]]
    ) -> None:
        self.offsets: dict[TopicPartition, int] = {}
        self.rebalances = 0
        self._loop = loop
        self._random = random
        self._places = places
        self._members: dict[str, _Member] = {}
        self._generation = 0
        self._made = 0
        self._joining = False

    # -- what members ask for ---------------------------------------------------------------------------------

    def join(self, name: str | None, session: float) -> asyncio.Future[Joined]:
        """Join, or join anew; answered when the rebalance ends."""
        if name not in self._members:
            self._made += 1
            name = f"member-{self._made}"
            self._members[name] = _Member(name, session)
        member = self._members[name]
        if member.joining is not None and not member.joining.done():
            member.joining.cancel()
        member.joining = self._loop.create_future()
        self._joining = True
        self._complete()
        return member.joining

    def heartbeat(self, name: str, generation: int) -> Literal["ok", "rebalance", "unknown"]:
        """A sign of life; what it says of the group."""
        member = self._members.get(name)
        if member is None or generation != self._generation:
            return "unknown"
        self._alive(member)
        return "rebalance" if self._joining else "ok"

    def leave(self, name: str) -> None:
        """A member goes in order."""
        if self._members.pop(name, None) is not None:
            self._joining = True
            self._complete()

    def commit(self, name: str | None, generation: int, offsets: Mapping[TopicPartition, int]) -> None:
        """Keep offsets.

        Raises:
            CommitFailedError: the member, or its generation, is none of the group's.
        """
        if name not in self._members or generation != self._generation:
            raise CommitFailedError
        self._alive(self._members[name])
        self.offsets.update(offsets)

    # -- what happens by itself -------------------------------------------------------------------------------

    def rebalance(self) -> None:
        """Ask all members to join anew."""
        self._joining = bool(self._members)
        self._complete()

    def forget(self) -> None:
        """Let the broker forget the group, as it does when the group has no members for a long time."""
        self._members.clear()
        self.offsets.clear()
        self._generation = 0
        self._joining = False

    def recover(self) -> None:
        """The broker answers again: all sessions begin anew."""
        for member in self._members.values():
            self._alive(member)

    def _alive(self, member: _Member) -> None:
        member.deadline = self._loop.time() + member.session
        self._loop.call_at(member.deadline, self._look, member, context=NETWORK)

    def _look(self, member: _Member) -> None:
        """Put a member out if its session has ended."""
        waits = member.joining is not None and not member.joining.done()
        if self._members.get(member.name) is not member or waits or self._loop.time() < member.deadline:
            return
        del self._members[member.name]
        self._joining = True
        self._complete()

    def _complete(self) -> None:
        """End the rebalance if nobody is waited for."""
        members = list(self._members.values())
        if not self._joining or any(one.joining is None or one.joining.done() for one in members):
            return
        self._joining = False
        if not members:
            return
        self._generation += 1
        self.rebalances += 1
        numbers = sorted({number for some in self._places.values() for number in some})
        owner = {number: self._random.choice(members).name for number in numbers}
        for member in members:
            mine = [n for n in numbers if owner[n] == member.name]
            assigned = tuple(
                TopicPartition(topic, n) for topic, some in self._places.items() for n in some if n in mine
            )
            assert member.joining is not None
            member.joining.set_result(Joined(member.name, self._generation, assigned))
            self._alive(member)
