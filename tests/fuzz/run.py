"""How are mutants given to the edges, and what counts as a fault?

A mutant that an edge answers in a way that it has not answered before becomes one from which others are made.
"""

from __future__ import annotations

import gc
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.inside import TARGETS as INSIDE
from tests.fuzz.mutation import Mutator, drawn
from tests.fuzz.outside import TARGETS as OUTSIDE
from tests.fuzz.target import Edge, Target

__all__ = ["TARGETS", "Fault", "Outcome", "run_all", "run_one"]

TARGETS: tuple[Target, ...] = (*OUTSIDE, *INSIDE)
_KEPT = 400  # mutants that are kept as seeds
_COLLECTED = 20  # calls, from one collection of garbage to the next
_MOST_FAULTS = 8  # of one edge: then it is given no more


@dataclass(frozen=True)
class Fault:
    """A value that an edge did not hold against.

    Attributes:
        target: the name of the edge.
        value: what it was given.
        what: the end of the traceback, or how long it took.
    """

    target: str
    value: bytes
    what: str


@dataclass
class Outcome:
    """What became of the mutants of an edge.

    Attributes:
        cases: how many there were.
        became: word -> how many.
        slowest: the CPU time of the slowest call, seconds.
        faults: what it did not hold against; equal ones once.
    """

    cases: int = 0
    became: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    faults: dict[str, Fault] = field(default_factory=dict)


def run_one(target: Target, cases: int, seed: int, *, until: float = float("inf")) -> Outcome:
    """Give an edge mutants.

    Args:
        target: the edge.
        cases: how many mutants.
        seed: of all chance.
        until: begin none after this instant, as ``time.monotonic`` says it.
    """
    random = Random(f"{seed}/{target.name}")
    seeds, edge, out = list(target.seeds()), target.make(), Outcome()
    # What is recorded stays to the end: to look through it again at each collection took most of the time.
    gc.collect()
    gc.freeze()
    try:
        _mutate(target, edge, seeds, random, out, lambda: out.cases < cases and time.monotonic() < until)
    finally:
        gc.unfreeze()
    return out


def _mutate(
    target: Target,
    edge: Edge,
    seeds: list[bytes],
    random: Random,
    out: Outcome,
    goes_on: Callable[[], bool],
) -> None:
    """Give an edge mutants of the seeds, and note in ``out`` what becomes of them."""
    mutator, first = Mutator(random), len(seeds)
    while goes_on() and len(out.faults) < _MOST_FAULTS:
        values = [
            mutator.mutate(drawn(random, seeds), random.choice(seeds), target.form)
            for _ in range(target.at_once)
        ]
        # What an edge makes anew is few objects and large arrays in a circle: the collector counts objects.
        if out.cases // target.at_once % _COLLECTED == 0:
            gc.collect()
        found = _given(target, edge, values, out)
        if found is None:
            edge = target.make()
            continue
        assert len(found) == len(values), "every value becomes something"
        for value, became in zip(values, found, strict=True):
            if became not in out.became and len(value) < 20_000:
                seeds.append(value)
                del seeds[first : len(seeds) - _KEPT]
            out.became[became] += 1


def _given(target: Target, edge: Edge, values: Sequence[bytes], out: Outcome) -> Sequence[str] | None:
    """Give an edge values; None where it raises, or takes too long."""
    began = time.process_time()
    out.cases += len(values)
    try:
        found = edge(values)
    except Exception as error:
        for value in values:  # by which one?
            if _tried(target, value, out):
                break
        else:
            _note(target, b"\n".join(values), error, out)
        return None
    took = time.process_time() - began
    out.slowest = max(out.slowest, took)
    if took > target.cpu:
        what = f"took {took:.1f} s of CPU time"
        longest = max(values, key=len)
        out.faults.setdefault(what, Fault(target.name, longest, what))
        return None
    return found


def _tried(target: Target, value: bytes, out: Outcome) -> bool:
    """Whether an edge in its first state raises over a value alone."""
    try:
        target.make()([value])
    except Exception as error:
        _note(target, value, error, out)
        return True
    return False


def _note(target: Target, value: bytes, error: Exception, out: Outcome) -> None:
    where = traceback.extract_tb(error.__traceback__)
    place = next((one for one in reversed(where) if "/site-packages/" not in one.filename), where[-1])
    kind = f"{type(error).__name__} {place.filename}:{place.lineno}"
    if kind not in out.faults:
        out.faults[kind] = Fault(target.name, value, "".join(traceback.format_exception(error)[-8:]))


def run_all(targets: Sequence[Target], cases: int, seed: int, *, minutes: float = float("inf")) -> int:
    """Give all edges mutants, each its share, and print what became of them.

    Returns:
        how many faults were found.
    """
    began, shares, faults, ran = time.monotonic(), sum(one.share for one in targets), 0, 0
    for target in targets:
        out = run_one(target, round(cases * target.share / shares) or 1, seed, until=began + minutes * 60)
        ran += out.cases
        words = ", ".join(f"{word} {count}" for word, count in out.became.most_common(6))
        print(f"{target.name}: {out.cases} cases, slowest {out.slowest * 1_000:.0f} ms; {words}", flush=True)
        for fault in out.faults.values():
            faults += 1
            print(f"  FAULT {fault.what}\n  value: {fault.value[:1_500]!r}", flush=True)
    print(f"{ran} cases in {time.monotonic() - began:.0f} s with seed {seed}: {faults} faults")
    return faults
