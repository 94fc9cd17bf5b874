"""How close to the limit of information is an outage found? ``python -m benchmarks.quality.limit``.

A share p1 of the callbacks of ssoe fails from an instant on, where p0 usually fails. No test that cries wolf once in a
year finds this sooner, on average, than after ``ln(seconds of a year) / (callbacks a second x KL(p1 || p0))`` (Lorden
1971). The delay from the first failing event to the opening of an incident, in event time and without
``watermark_delay``, is divided by the greatest of this limit, of the time in which three people fail, and of two steps.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context

import msgspec
import numpy as np

from detectors.instants import DAY, MINUTE, SECOND, format_instant, parse_instant
from streams.replay.replay import Replay
from streams.settings.policy_file import default_policy
from streams.simulate.demand import DEFAULT_RATE, Demand
from streams.simulate.episodes import Episode
from streams.simulate.history import history
from streams.simulate.simulation import simulate
from streams.simulate.worlds.past import PAST

__all__ = ["LEVELS", "SHARES", "Delay", "Situation", "measured"]

#: The shares of callbacks that fail, and the traffic, as a share of that of a weekday's peak.
SHARES = (1.0, 0.5, 0.25, 0.10, 0.04, 0.02, 0.01)
LEVELS = (1.0, 0.4, 0.15)
#: The evidence of a test that cries wolf once in a year of seconds, nats.
_NATS = math.log(365 * DAY / SECOND)
_START = parse_instant("2026-10-06T11:00:00-04:00")
_BEFORE = 15 * MINUTE
#: A run lasts so many limits beyond the beginning of the outage.
_LIMITS = 6
#: Callbacks of ssoe a second at the peak: sign-ins, those by ssoe, those that return.
_CALLBACKS = DEFAULT_RATE * PAST.method_shares[0] * PAST.chances.returns
_USUAL = PAST.chances.callback_bad


class _Event(msgspec.Struct):
    env: str
    auth_method: str
    step: str
    outcome: str
    occurred_at: str
    flow_id: str | None = None
    user_hash: str | None = None
    error_class: str | None = None


@dataclass(frozen=True)
class Situation:
    """An outage of ssoe: which share fails, at which level of traffic, by which seed."""

    share: float
    level: float
    seed: int

    @property
    def limit(self) -> float:
        """The limit of information, ms."""
        p, q = self.share, _USUAL
        nats = p * math.log(p / q) + ((1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0)
        return SECOND * _NATS / (_CALLBACKS * self.level * nats)


@dataclass(frozen=True)
class Delay:
    """What became of a situation: ms from the first failing event to the opening, to the third person, or None."""

    situation: Situation
    opened: int | None
    three: int

    @property
    def ratio(self) -> float:
        """The delay, divided by what the evidence allows; infinite if nothing was opened."""
        allowed = max(self.situation.limit, self.three, 2 * default_policy().step)
        return math.inf if self.opened is None else self.opened / allowed


def measured(situation: Situation) -> Delay:
    """Simulate a situation, judge it, and measure."""
    share, level, seed = situation.share, situation.level, situation.seed
    seconds = int(max(_LIMITS * situation.limit, 60 * SECOND / level)) // SECOND
    rate = DEFAULT_RATE * level
    begin = _BEFORE + seed * 7_300
    outage = Episode(
        effect="failure",
        scope="prod/ssoe",
        at=begin,
        lasts=seconds * SECOND,
        share=share,
        steps=("callback",),
        errors="ssoe_down",
    )
    simulation = simulate("healthy", seed, _START, begin + seconds * SECOND, rate, episodes=(outage,))
    lines = list(simulation.lines())
    first, three = _failures(lines, _START + begin)
    past = history(seed, _START, Demand(rate), PAST)
    replay = Replay([((None, line) for line in lines)], default_policy(), now=_START + DAY, history=past)
    opened = next(_openings(replay, first), None)
    return Delay(situation, None if opened is None else opened - first, three - first)


def _openings(replay: Replay, since: int) -> Iterator[int]:
    """Yield the T (ms) of each opening of an incident of production from an instant on."""
    for verdict in replay.run():
        for transition in verdict.result.transitions:
            if (
                transition.kind == "opened"
                and transition.incident.env == "prod"
                and verdict.result.at > since
            ):
                yield verdict.result.at


def _failures(lines: Sequence[bytes], since: int) -> tuple[int, int]:
    """Return when the first and the third person of ssoe failed (ms), from an instant on."""
    found: dict[str, int] = {}
    decoder = msgspec.json.Decoder(_Event)
    at_least = format_instant(since)[:19].encode()
    failed = [line for line in lines if b'"failure"' in line and b'"ssoe"' in line]
    for line in sorted(failed, key=_occurred):
        if _occurred(line) < at_least:
            continue
        event = decoder.decode(line)
        of_outage = event.error_class in ("SSOeUnavailable", "UnexpectedError", "GatewayTimeout")
        if (event.env, event.step) == ("prod", "callback") and of_outage:
            found.setdefault(event.user_hash or event.flow_id or "", parse_instant(event.occurred_at))
    times = sorted(found.values())
    if len(times) < 3:
        raise SystemExit("fewer than three people failed")
    return times[0], times[2]


def _occurred(line: bytes) -> bytes:
    begin = line.index(b'"occurred_at":"') + 15
    return line[begin : begin + 23]


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure all situations and print their figures; exit status 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.limit", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="runs of each share and traffic")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument(
        "--workers", type=int, default=None, help="processes; as many as processors by default"
    )
    parser.add_argument("--shares", type=float, nargs="*", default=SHARES)
    parser.add_argument("--levels", type=float, nargs="*", default=LEVELS)
    options = parser.parse_args(None if arguments is None else list(arguments))
    seeds = range(options.first, options.first + options.seeds)
    situations = [Situation(*one) for one in product(options.shares, options.levels, seeds)]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        delays = list(pool.map(measured, situations))
    return _told(delays, options.shares, options.levels)


def _told(delays: Sequence[Delay], shares: Sequence[float], levels: Sequence[float]) -> int:
    print(
        "Delay from the first failing event to the opening, divided by what the evidence allows (median / worst);"
    )
    print("in brackets the median in seconds. Columns: traffic, as a share of a weekday's peak.\n")
    print("| fails | all | " + " | ".join(f"{level:.0%}" for level in levels) + " |")
    print("| --- |" + " --- |" * (1 + len(levels)))
    medians = []
    for share in shares:
        of_share = [one for one in delays if one.situation.share == share]
        medians.append(float(np.median([one.ratio for one in of_share])))
        cells = [_cell([one for one in of_share if one.situation.level == level]) for level in levels]
        print(f"| {share:.0%} | {_cell(of_share)} | " + " | ".join(cells) + " |")
    ratios = [one.ratio for one in delays]
    median, worst = float(np.median(ratios)), max(ratios)
    print(
        f"\nmedian {median:.2f} (at most 1.3), of each size {max(medians):.2f} (at most 1.8),"
        f" worst {worst:.2f} (at most 3)"
    )
    return int(median > 1.3 or max(medians) > 1.8 or worst > 3)


def _cell(delays: Sequence[Delay]) -> str:
    ratios = [one.ratio for one in delays]
    seconds = [math.inf if one.opened is None else one.opened / SECOND for one in delays]
    return f"{np.median(ratios):.2f} / {max(ratios):.2f} ({np.median(seconds):,.0f} s)"


if __name__ == "__main__":
    sys.exit(main())
