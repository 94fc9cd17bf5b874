"""When is a receiver notified that the watch is blind, how often, and when that it sees again?"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from detectors.backoff import full_jitter
from streams.runtime.progress import Why
from streams.watchdog.blindness import Statement

__all__ = ["OLD_KEY", "Announcer", "Others", "Teller"]

log = structlog.get_logger(__name__)

#: PagerDuty is notified so often while the watch is blind, seconds: at the same key, so that nobody is woken twice.
REPEAT_EVERY = 300.0
#: So soon at the earliest if what is to be done has changed meanwhile, seconds: the first words may name an effect.
_CHANGED_EVERY = 30.0
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0  # seconds, of the backoff after a failure
#: Of the one key that builds before this one used for all kinds of blindness.
OLD_KEY = ""


class Others(Protocol):
    """What other processes say of the watch."""

    def say(self, kind: str) -> bool:
        """Whether the last words of another process are that the watch is blind of a kind."""
        ...

    def may_say(self, kind: str) -> bool:
        """Whether another process says that the watch is blind of a kind, or may say so unheard."""
        ...

    def left_open(self) -> frozenset[str]:
        """The kinds of which those that ended or died may have left an alert open; none that was returned before."""
        ...


class Teller(Protocol):
    """The way to one receiver.

    Attributes:
        name: of the receiver.
        keeps: whether an alert stays open there until it is resolved. It is then repeated while the watch is blind, and
            what a worker has left open that died is resolved.
    """

    @property
    def name(self) -> str: ...
    @property
    def keeps(self) -> bool: ...

    def blind(self, said: Statement) -> str | None:
        """Say that the watch is blind; None when the receiver has taken it, else why not."""
        ...

    def seeing(self, why: str, at: int) -> str | None:
        """Say that the watch sees again, which it did not since ``at`` (ms; 0: unknown); None when it was taken."""
        ...


@dataclass
class _Channel:
    """What a receiver was told of one kind of blindness.

    Attributes:
        told_at: when it was told last, monotonic seconds; None: not since this process started, or resolved.
        at: since when the watch was blind, ms.
        remedy: what it was told to do.
        left_open: another process that has ended, or this one before its start, may have left an alert open.
    """

    told_at: float | None = None
    at: int = 0
    remedy: str = ""
    left_open: bool = False


@dataclass
class _Line:
    """One receiver, and how it is reached.

    Attributes:
        failures: requests in a row that it has not taken.
        wait_until: monotonic seconds before which nothing is sent to it.
    """

    teller: Teller
    channels: dict[str, _Channel]
    failures: int = 0
    wait_until: float = float("-inf")
    blind: frozenset[str] = field(default_factory=frozenset)


class Announcer:
    """Says to each receiver what it has not been told yet.

    Where all processes share one alert of a kind, this one resolves what it has said itself once no other says it, and
    what has been left open once everything gets on and no other can be saying it.

    Args:
        tellers: the ways to the receivers.
        monotonic: seconds that never go back.
        chance: draws a random number in [0, 1), for the jitter of retries.
        others: what other processes say; None where there are none.
    """

    def __init__(
        self,
        tellers: Sequence[Teller],
        monotonic: Callable[[], float],
        chance: Callable[[], float] = random.random,
        *,
        others: Others | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._chance = chance
        self._others = others
        kinds = (*(why.value for why in Why), OLD_KEY)
        self._lines = [
            _Line(teller, {kind: _Channel(left_open=teller.keeps) for kind in kinds}) for teller in tellers
        ]

    def told(self) -> dict[str, list[str]]:
        """Receiver -> the kinds of blindness that it was told and that have not been taken back."""
        return {
            line.teller.name: [kind for kind, one in line.channels.items() if one.told_at is not None]
            for line in self._lines
        }

    def announce(self, blind: Mapping[Why, Statement], *, well: bool) -> None:
        """Notify every receiver of what it does not know.

        Args:
            blind: what is to be said, by kind; empty while the watch sees.
            well: whether everything gets on, so that what a worker that died has left open can be resolved.
        """
        left = frozenset() if self._others is None else self._others.left_open()
        for line in self._lines:
            kinds = frozenset(why.value for why in blind)
            if kinds != line.blind:  # a change is worth an attempt at once
                line.blind, line.wait_until = kinds, float("-inf")
            for kind in left & line.channels.keys() if line.teller.keeps else ():
                line.channels[kind].left_open = True
            for kind, channel in line.channels.items():
                if self._monotonic() < line.wait_until:
                    break
                said = blind.get(Why(kind)) if kind != OLD_KEY else None
                if said is not None:
                    self._say_blind(line, channel, said)
                elif self._is_over(line, channel, kind, well=well):
                    self._say_seeing(line, channel, kind)

    def _is_over(self, line: _Line, channel: _Channel, kind: str, *, well: bool) -> bool:
        """Whether a receiver is to be told that the watch, which is not blind of a kind here, sees again."""
        others = self._others if line.teller.keeps else None
        if channel.told_at is not None:
            return others is None or not others.say(kind)
        return channel.left_open and well and (others is None or not others.may_say(kind))

    def _say_blind(self, line: _Line, channel: _Channel, said: Statement) -> None:
        now = self._monotonic()
        told = channel.told_at
        again = REPEAT_EVERY if said.remedy == channel.remedy else _CHANGED_EVERY
        if told is not None and (not line.teller.keeps or now - told < again):
            return
        if self._took(line, partial(line.teller.blind, said)):
            channel.told_at, channel.at, channel.left_open = self._monotonic(), said.at, False
            channel.remedy = said.remedy

    def _say_seeing(self, line: _Line, channel: _Channel, kind: str) -> None:
        if self._took(line, partial(line.teller.seeing, kind, channel.at)):
            channel.told_at, channel.at, channel.left_open = None, 0, False

    def _took(self, line: _Line, tell: Callable[[], str | None]) -> bool:
        try:
            refused = tell()
        except (
            Exception
        ) as error:  # a fault on the way to one receiver must not keep the others from being told
            refused = type(error).__name__  # its text may hold a secret
        if refused is None:
            line.failures, line.wait_until = 0, float("-inf")
            return True
        line.failures += 1
        wait = full_jitter(line.failures, _FIRST_WAIT, _LONGEST_WAIT, self._chance())
        line.wait_until = self._monotonic() + wait
        if line.failures & (line.failures - 1) == 0:  # 1, 2, 4, 8 …: not a line for each attempt
            log.warning(
                "blindness_not_told",
                receiver=line.teller.name,
                why=refused,
                attempts=line.failures,
                retry_in_seconds=round(wait, 1),
            )
        return False
