"""What of this worker gets on, and since when does something not get on?

Blind is whatever does not get on. Each part reports here what holds it up (``stuck``) and that it gets on again
(``going``); the watchdog reads it from a thread of its own and says so. A part that only reports success can stand
still unnoticed, so the loops report that they go round (``beat``), and what is measured is compared with the present.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Obstacle", "Position", "Progress", "Why"]


class Why(StrEnum):
    """What makes the watch blind: a closed list, the values of the label ``why`` of ``watchofficer_blind``.

    Attributes:
        BROKER: Kafka does not answer, or does not let this worker in.
        START: a part has not begun its work since this worker started.
        LAG: an environment is not evaluated up to the present.
        PARTITION: a partition of the input is not read to its end.
        WRITE: a record cannot be written.
        LOOP: the event loop stands still.
        REJECTED: most of what is read is no valid login event.
        CLOCK: the clock of this machine is far from the broker's.
        FAULT: a detector cannot judge, by a fault of this program.
    """

    BROKER = "broker"
    START = "start"
    LAG = "lag"
    PARTITION = "partition"
    WRITE = "write"
    LOOP = "loop"
    REJECTED = "rejected"
    CLOCK = "clock"
    FAULT = "fault"


class Obstacle(NamedTuple):
    """Something that does not get on.

    Attributes:
        why: what kind of obstacle this is.
        key: tells the obstacles of one kind apart: a topic, a partition, an environment; "" where there is only one.
        since: monotonic seconds at which it began.
        sentence: what does not get on, and which partition or topic, for a person who was just woken.
        remedy: what to do, with the command where there is one; "" if nothing is known.
    """

    why: Why
    key: str
    since: float
    sentence: str
    remedy: str


class Position(NamedTuple):
    """How far an input partition has been read.

    Attributes:
        offset: the next offset that is read.
        end: the last stable offset of the partition.
    """

    offset: int
    end: int


class Progress:
    """The obstacles of a worker, the last rounds of its loops, and how far it has come. Safe to use from any thread.

    Args:
        monotonic: seconds that never go back (``time.monotonic``).
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._obstacles: dict[tuple[Why, str], Obstacle] = {}
        self._beats: dict[str, float] = {}
        self._evaluated: dict[str, int] = {}
        self._held_back_by: dict[str, str] = {}
        self._fleet: dict[str, int] = {}
        self._positions: dict[int | str, Position] = {}
        self._unsent: dict[str, int] = {}
        self._broker_ahead = 0
        self._unheard_for = 0.0
        self._longest_stall = 0.0

    # -- obstacles --------------------------------------------------------------------------------------------

    def stuck(
        self, why: Why, sentence: str, *, key: str = "", remedy: str = "", since: float | None = None
    ) -> None:
        """Report an obstacle, or change the words of one that is known already; a known obstacle keeps its beginning.

        Args:
            why: what kind of obstacle this is.
            sentence: what does not get on, and which partition or topic.
            key: tells the obstacles of one kind apart.
            remedy: what to do.
            since: monotonic seconds at which the obstacle began; now by default.
        """
        with self._lock:
            known = self._obstacles.get((why, key))
            began = since if since is not None else self._monotonic()
            if known is not None:
                began = known.since
            self._obstacles[why, key] = Obstacle(why, key, began, sentence, remedy)

    def going(self, why: Why, key: str = "") -> None:
        """Report that an obstacle is over, or that there is none."""
        with self._lock:
            self._obstacles.pop((why, key), None)

    def obstacles(self) -> tuple[Obstacle, ...]:
        """The obstacles that stand now, the oldest first."""
        with self._lock:
            return tuple(sorted(self._obstacles.values(), key=lambda one: (one.since, one.why, one.key)))

    # -- loops ------------------------------------------------------------------------------------------------

    def beat(self, part: str) -> None:
        """Report that the loop of ``part`` went round once more."""
        with self._lock:
            self._beats[part] = self._monotonic()

    def last_beat(self, part: str) -> float | None:
        """Monotonic seconds of the last ``beat`` of ``part``; None before the first."""
        with self._lock:
            return self._beats.get(part)

    def stalled(self, seconds: float) -> None:
        """Report how long work of this process has held the event loop up, CPU seconds."""
        self._longest_stall = max(self._longest_stall, seconds)

    @property
    def longest_stall(self) -> float:
        """The longest time that work of this process has held the event loop up, CPU seconds."""
        return self._longest_stall

    # -- how far this worker has come ---------------------------------------------------------------------------

    def evaluated(self, env: str, to: int | None, *, held_back_by: str = "") -> None:
        """Report how far an environment is evaluated.

        Args:
            env: the environment.
            to: the last T (ms) that was evaluated; None: the environment is another worker's now.
            held_back_by: what evaluation waits for, in words.
        """
        with self._lock:
            if to is None:
                self._evaluated.pop(env, None)
                self._held_back_by.pop(env, None)
            else:
                self._evaluated[env] = to
                self._held_back_by[env] = held_back_by

    def held_back_by(self, env: str) -> str:
        """What the evaluation of an environment waits for, in words; "" if that is not known."""
        with self._lock:
            return self._held_back_by.get(env, "")

    def set_fleet(self, evaluated_to: Mapping[str, int]) -> None:
        """Report what the topics say of all environments: environment -> the last T (ms) that was published."""
        with self._lock:
            self._fleet = dict(evaluated_to)

    def fleet(self) -> Mapping[str, int]:
        """Environment -> the last T (ms) that any worker has published."""
        with self._lock:
            return dict(self._fleet)

    def set_unsent(self, oldest: Mapping[str, int]) -> None:
        """Report receiver -> when its oldest command without an outcome was made, ms."""
        with self._lock:
            self._unsent = dict(oldest)

    def unsent(self) -> Mapping[str, int]:
        """Receiver -> when its oldest command without an outcome was made, ms."""
        with self._lock:
            return dict(self._unsent)

    @property
    def unheard_for(self) -> float:
        """Seconds for which commands have waited and no receiver has taken any; 0 if none waits."""
        return self._unheard_for

    @unheard_for.setter
    def unheard_for(self, seconds: float) -> None:
        self._unheard_for = seconds

    def evaluated_to(self) -> Mapping[str, int]:
        """Environment of this worker -> the last T (ms) that was evaluated."""
        with self._lock:
            return dict(self._evaluated)

    def read_to(self, partition: int | str, position: Position | None) -> None:
        """Report how far an input partition has been read; None: it is another worker's now."""
        with self._lock:
            if position is None:
                self._positions.pop(partition, None)
            else:
                self._positions[partition] = position

    def positions(self) -> Mapping[int | str, Position]:
        """Input partition of this worker -> how far it has been read."""
        with self._lock:
            return dict(sorted(self._positions.items(), key=lambda one: str(one[0])))

    @property
    def broker_ahead(self) -> int:
        """How far the broker's clock is ahead of this machine's, ms; negative: it is behind."""
        return self._broker_ahead

    @broker_ahead.setter
    def broker_ahead(self, value: int) -> None:
        self._broker_ahead = value
