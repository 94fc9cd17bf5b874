"""How does a scenario and a seed become events, truth and history?"""

from __future__ import annotations

import difflib
import gzip
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import numpy as np

from detectors.instants import HOUR, MINUTE
from streams.simulate.demand import Demand
from streams.simulate.emission import Keys, delivered, lines
from streams.simulate.episodes import Episode, Troubles
from streams.simulate.history import history
from streams.simulate.journeys import Draws, journeys, machines
from streams.simulate.rows import ATTEMPT, EVENT, Rows, concat, seeded
from streams.simulate.scenario import Scenario
from streams.simulate.scenarios import SCENARIOS
from streams.simulate.traffic import returning, setting_out
from streams.simulate.truth import Toll
from streams.simulate.worlds import WORLDS
from streams.simulate.worlds.world import World

__all__ = ["Simulation", "simulate"]

#: Traffic is simulated from this long before the start, ms, so that sessions exist when the simulation begins.
_WARM_UP = 2 * HOUR
#: Traffic is drawn in intervals, so that memory does not grow with the duration; dense traffic in shorter ones.
_STRETCH, _DENSE_STRETCH, _DENSE = 10 * MINUTE, MINUTE, 25.0
#: The range of event numbers that each interval has.
_NUMBERS = 24
#: The topic that envelopes name.
TOPIC = "login-events"
#: Output is written in pieces of about this many lines.
_PIECE = 4096


def simulate(
    scenario: str,
    seed: int,
    start: int,
    duration: int | None = None,
    rate: float | None = None,
    *,
    as_if: int | None = None,
    episodes: Sequence[Episode] | None = None,
    world: str | None = None,
) -> Simulation:
    """Build the simulation of a named scenario; equal arguments give equal bytes.

    Args:
        scenario: a name of ``SCENARIOS``.
        seed: at least 0.
        start: ms since the epoch.
        duration: ms; the scenario's own if None.
        rate: sign-ins per second at the weekday peak; the scenario's own if None.
        as_if: an instant (ms) whose time of day and of year applies at the start, so that the traffic of a weekday
            afternoon can be simulated at any time; traffic and history are moved alike.
        episodes: the episodes; the scenario's own if None.
        world: a name of ``WORLDS``; the scenario's own if None.

    Raises:
        ValueError: the scenario or the world is unknown, the world has not what an episode names, or an argument is
            out of range.
    """
    if scenario not in SCENARIOS:
        near = difflib.get_close_matches(scenario, SCENARIOS, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(SCENARIOS)}"
        raise ValueError(f"no scenario {scenario!r}{hint}")
    chosen = SCENARIOS[scenario]
    duration = chosen.duration if duration is None else duration
    rate = chosen.rate if rate is None else rate
    if seed < 0 or duration <= 0 or not 0 < rate < 100_000 or start < 15 * 24 * HOUR:
        raise ValueError("a simulation needs a seed >= 0, a duration > 0, a rate > 0 and a start after 1970")
    demand = Demand(rate, 0 if as_if is None else as_if - start)
    episodes = chosen.episodes if episodes is None else episodes
    kept = replace(chosen, duration=duration, episodes=tuple(episodes), world=_world(chosen.world, world))
    return Simulation(kept, seed, start, demand)


def _world(own: World, name: str | None) -> World:
    """Return the world of a name: a scenario's own (which may be a variant of a named world), or another."""
    if name is None or name == own.name:
        return own
    if name not in WORLDS:
        raise ValueError(f"no world {name!r}; there are {', '.join(WORLDS)}")
    return WORLDS[name]


class Simulation:
    """A simulation. Events are simulated when they are read.

    Args:
        scenario: what happens, for how long and in which world.
        seed: of all random numbers.
        start: ms since the epoch, instead of that of the scenario.
        demand: the sign-ins that are wanted, instead of the rate of the scenario.

    Attributes:
        reached: the instant up to which events have been simulated, ms.
    """

    def __init__(self, scenario: Scenario, seed: int, start: int, demand: Demand) -> None:
        self.seed = seed
        self.start = start
        self.end = start + scenario.duration
        self.world = scenario.world
        self._scenario = scenario
        self._demand = demand
        self._troubles = Troubles(scenario.episodes, start, scenario.world)
        self._truth: list[dict[str, Any]] | None = None
        self.reached = start

    def lines(self) -> Iterator[bytes]:
        """Yield the events as JSON, without line ends, in order of delivery.

        Where the broker's times are known, each line is an envelope that states it, as ``kcat -J`` writes them.
        """
        for offset, (stamp, line) in enumerate(self.entries()):
            yield (
                line
                if stamp is None
                else msgspec.json.encode(
                    {"topic": TOPIC, "partition": 0, "offset": offset, "ts": stamp, "payload": line.decode()}
                )
            )

    def entries(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the events as JSON in order of delivery, with the broker's time (ms) where that is known, else None."""
        keys = Keys(self.seed)
        is_stamped = self._scenario.is_stamped
        for rows in self.batches():
            stamps = rows["arrives"].tolist() if is_stamped else repeat(None)
            yield from zip(stamps, lines(rows, keys, self.world), strict=is_stamped)

    def batches(self) -> Iterator[Rows]:
        """Yield the events behind ``lines`` as records with the true person and cause of each (``rows.EVENT``)."""
        toll = Toll(self._troubles)
        yield from delivered(self._arrived(toll), self._troubles, seeded(self.seed, 3))
        self._truth = toll.records(self.end)

    def truth(self) -> list[dict[str, Any]]:
        """Return the episodes that truly happened, in the form of ``--truth``; runs the simulation if necessary."""
        if self._truth is None:
            for _ in self.batches():
                pass
        return [dict(record) for record in self._truth or ()]

    def history(self) -> Iterator[dict[str, Any]]:
        """Yield the records of the time before the start, in the form of ``--history``."""
        kept = self._scenario
        return history(self.seed, self.start, self._demand, self.world, kept.past, length=kept.history)

    def write(
        self,
        out: str,
        truth: str | None = None,
        history: str | None = None,
        *,
        watched: Callable[[Iterator[bytes]], Iterable[bytes]] = iter,
    ) -> int:
        """Write the events, and truth and history if named; return the number of lines of events.

        Args:
            out, truth, history: a path, or ``-`` for standard output; ``.gz`` and ``.zst`` are compressed.
            watched: passes the lines of events on.

        Raises:
            OSError: a file cannot be written.
        """
        with ExitStack() as open_files:
            # All files are opened first, so that a wrong path is noticed before the simulation, not after it.
            files = {p: open_files.enter_context(_open(p)) for p in (out, truth, history) if p is not None}
            if history is not None:
                _write(files[history], map(msgspec.json.encode, self.history()))
            count = _write(files[out], watched(self.lines()))
            if truth is not None:
                _write(files[truth], map(msgspec.json.encode, self.truth()))
        return count

    def _arrived(self, toll: Toll) -> Iterator[tuple[int, Rows]]:
        """Yield (end of an interval in ms, its events in order of time), without events that never arrive."""
        width = _STRETCH if self._demand.rate <= _DENSE else _DENSE_STRETCH
        later: dict[int, list[Rows]] = {}
        for begin in range((self.start - _WARM_UP) // width * width, self.end, width):
            played = self._play(begin, begin + width)
            stretch = played["t"] // width * width
            for when in np.unique(stretch).tolist():
                later.setdefault(when, []).append(played[stretch == when])
            rows = concat(later.pop(begin, []), EVENT)
            rows = rows[np.argsort(rows["t"], kind="stable")]
            rows["number"] = (begin // width << _NUMBERS) + np.arange(len(rows))
            self._troubles.withhold(seeded(self.seed, begin, 2), rows, "silence")
            toll.take(rows)
            self.reached = max(self.start, min(begin + width, self.end))
            yield min(begin + width, self.end), rows[~rows["ghost"]]

    def _play(self, begin: int, end: int) -> Rows:
        """Return the events, within the simulation's time, of people who start in [begin, end) ms."""
        draws = Draws(self.world, seeded(self.seed, begin, 0), seeded(self.seed, begin, 1))
        attempts = concat(
            [
                setting_out(draws.people, self._demand, begin, end, self.world),
                self._troubles.bots(begin, end),
            ],
            ATTEMPT,
        )
        sessions = returning(draws.people, self._demand, begin, end, self.world)
        events = concat(
            [
                journeys(draws, self._troubles, attempts, sessions),
                machines(draws, self._troubles, self._demand.rate, begin, end),
                self._troubles.scans(draws.trouble, begin, end),
            ],
            EVENT,
        )
        events = concat([events, self._troubles.added(draws.trouble, events)], EVENT)
        return events[(events["t"] >= self.start) & (events["t"] < self.end)]


def _open(path: str) -> AbstractContextManager[BinaryIO]:
    if path == "-":
        return nullcontext(sys.stdout.buffer)
    if path.endswith(".gz"):
        # Without name and time in its header, the file is a function of its content.
        return cast(AbstractContextManager[BinaryIO], _Gzip(path))
    if path.endswith(".zst"):
        import zstandard

        return cast(AbstractContextManager[BinaryIO], zstandard.open(path, "wb"))
    return Path(path).open("wb")


class _Gzip(gzip.GzipFile):
    """A gzip file that also closes the file that it writes to."""

    def __init__(self, path: str) -> None:
        self._below: io.BufferedWriter = Path(path).open("wb")  # noqa: SIM115
        super().__init__(filename="", mode="wb", compresslevel=6, fileobj=self._below, mtime=0)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._below.close()


def _write(file: BinaryIO, records: Iterable[bytes]) -> int:
    count = 0
    piece: list[bytes] = []
    for record in records:
        piece.append(record)
        if len(piece) == _PIECE:
            file.write(b"\n".join(piece) + b"\n")
            count += len(piece)
            piece = []
    if piece:
        file.write(b"\n".join(piece) + b"\n")
    file.flush()
    return count + len(piece)
