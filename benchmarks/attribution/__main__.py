"""How well the causes of real anomalies are named, and how quickly: ``python -m benchmarks.attribution DIR``.

DIR holds RobustSpot's cases: 135 CSV files of requests a minute and ``anomaly.yaml``, which says what people found
(github.com/shaido987/riskloc, data/RS). A cause counts when exactly its values are named; true and false positives and
false negatives are summed over all cases (micro F1). What is usual in a combination is its share of bad requests over
all minutes before the anomaly, none after, drawn to that of all combinations by ``prior`` requests.

Every constant is chosen from a fixed grid by the greatest F1, of equals the first in the grid: once on all cases,
and *crosswise* on the cases of even places for those of odd places and the other way round. What stays fixed is
``FIXED``.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.attribution.leaves import LeafCounts
from benchmarks.attribution.search import search
from benchmarks.attribution.settings import SearchSettings
from detectors.arrays import Floats, Ints

__all__ = ["Case", "Cause", "Constants", "Score", "cases_of", "main", "named", "score"]

#: Attribute and value, of each value that a cause names.
Cause = frozenset[tuple[str, str]]

#: What was not chosen on the cases. Parts of a cause stall unlike there, so ``own_excess`` and ``well_part`` are off;
#: that something fails among all requests is given, so a cause names a value.
FIXED: dict[str, Any] = {
    "own_excess": 0.0,
    "well_part": float("inf"),
    "traffic": 5.0,
    "merge_from": 3,
    "least_values": 1,
}
#: What is tried, by name, the least first.
GRID: dict[str, tuple[float, ...]] = {
    "clustering": (0.0, 0.005, 0.01, 0.02, 0.05, 0.1),
    "prior": (30.0, 100.0, 300.0),
    "scope_cost": (3.0, 4.6),
    "further_cost": (20.0, 40.0, 80.0),
    "value_cost": (0.0, 1.0),
}


@dataclass(frozen=True)
class Case:
    """One anomaly.

    Attributes:
        name: of its file.
        axes: the attributes.
        values: of each attribute, by code.
        codes: int (leaf, axis), the combinations with requests in the minute of the anomaly.
        bad, requests: float (leaf,), in that minute.
        bad_before, requests_before: float (leaf,), in all minutes before it.
        usual: the share of bad requests of all combinations in those minutes.
        minutes: how many they are.
        labels: what people found.
    """

    name: str
    axes: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: Ints
    bad: Floats
    requests: Floats
    bad_before: Floats
    requests_before: Floats
    usual: float
    minutes: int
    labels: frozenset[Cause]


@dataclass(frozen=True)
class Constants:
    """One point of the grid: ``prior``, the requests that the share of all combinations weighs; the rest."""

    prior: float
    settings: SearchSettings

    def __str__(self) -> str:
        return ", ".join(f"{name} {getattr(self.settings, name, self.prior):g}" for name in GRID)


@dataclass(frozen=True)
class Score:
    """True and false positives and false negatives, summed over cases."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def f1(self) -> float:
        """Micro F1, 0-1."""
        return 2 * self.tp / max(2 * self.tp + self.fp + self.fn, 1)

    def __str__(self) -> str:
        precision, recall = self.tp / max(self.tp + self.fp, 1), self.tp / max(self.tp + self.fn, 1)
        counts = f"TP {self.tp}, FP {self.fp}, FN {self.fn}"
        return f"F1 {self.f1:.3f}, precision {precision:.3f}, recall {recall:.3f} ({counts})"


def cases_of(folder: Path) -> list[Case]:
    """All cases, in the order of ``anomaly.yaml``.

    Raises:
        OSError: a file is missing.
    """
    labels = yaml.safe_load((folder / "anomaly.yaml").read_text(encoding="utf-8"))
    return [_case(folder / f"{one['data']}.csv", one["timestamp"], one["cause"]) for one in labels]


def _case(path: Path, at: int, cause: dict[str, Any] | list[dict[str, Any]]) -> Case:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    axes = tuple(name for name in rows[0] if name not in ("min", "value", "cnt"))
    now: dict[tuple[str, ...], list[float]] = {}
    before: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
    minutes = set()
    for row in rows:
        leaf, counts = tuple(row[axis] for axis in axes), [float(row["value"]), float(row["cnt"])]
        if int(row["min"]) == at:
            now[leaf] = counts
        elif int(row["min"]) < at:
            minutes.add(row["min"])
            before[leaf] = [a + b for a, b in zip(before[leaf], counts, strict=True)]
    leaves = sorted(now)
    values = tuple(tuple(sorted(set(column))) for column in zip(*leaves, strict=True))
    codes = [[values[axis].index(value) for axis, value in enumerate(leaf)] for leaf in leaves]
    counted, usual = np.array([now[leaf] for leaf in leaves]), np.array([before[leaf] for leaf in leaves])
    bad, requests = (sum(counts[i] for counts in before.values()) for i in (0, 1))
    causes = cause if isinstance(cause, list) else [cause]
    return Case(
        name=path.stem,
        axes=axes,
        values=values,
        codes=np.array(codes, np.int64),
        bad=counted[:, 0],
        requests=counted[:, 1],
        bad_before=usual[:, 0],
        requests_before=usual[:, 1],
        usual=bad / requests,
        minutes=len(minutes),
        labels=frozenset(frozenset((axis, str(value)) for axis, value in one.items()) for one in causes),
    )


def named(case: Case, constants: Constants) -> tuple[frozenset[Cause], tuple[float, float]]:
    """The causes that the search names, and the milliseconds it took: by the clock on the wall, and of CPU time."""
    usual = (case.bad_before + constants.prior * case.usual) / (case.requests_before + constants.prior)
    counts = LeafCounts(case.axes, case.codes, case.bad, case.requests, usual)
    began, cpu = time.perf_counter(), time.process_time()
    found = search(counts, constants.settings).found
    took = (time.perf_counter() - began) * 1e3, (time.process_time() - cpu) * 1e3
    scopes = ([(axis, code) for axis, code in enumerate(one.scope) if code is not None] for one in found)
    causes = (
        frozenset((case.axes[axis], case.values[axis][code]) for axis, code in scope) for scope in scopes
    )
    return frozenset(causes), took


def score(labels: frozenset[Cause], causes: frozenset[Cause]) -> Score:
    """The figures of one case."""
    return Score(len(labels & causes), len(causes - labels), len(labels - causes))


def _grid() -> Iterator[Constants]:
    for point in itertools.product(*GRID.values()):
        chosen: dict[str, Any] = dict(zip(GRID, point, strict=True))
        yield Constants(chosen.pop("prior"), SearchSettings(**chosen, **FIXED))


def _sum(scores: Iterable[Score]) -> Score:
    return sum(scores, Score())


def _best(scores: dict[Constants, list[Score]], places: slice) -> Constants:
    return max(scores, key=lambda one: _sum(scores[one][places]).f1)


def _times(cases: Sequence[Case], constants: Constants, runs: int) -> list[str]:
    """What a case takes, each the median of some runs, in words: by the clock on the wall, and of CPU time."""
    took = np.array([[named(case, constants)[1] for _ in range(runs)] for case in cases])
    each = np.median(took, axis=1)
    return [f"median {np.median(one):.1f} ms, worst {one.max():.1f} ms" for one in each.T]


def main(arguments: Sequence[str] | None = None) -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.attribution", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="with anomaly.yaml and its CSV files")
    parser.add_argument("--runs", type=int, default=5, help="how often each case is timed; the median counts")
    options = parser.parse_args(arguments)
    cases = cases_of(options.folder)
    minutes = [case.minutes for case in cases]
    print(
        f"{len(cases)} cases, {sum(len(case.labels) for case in cases)} causes; the baseline is all minutes before"
    )
    print(
        f"the anomaly ({min(minutes)} to {max(minutes)}, median {statistics.median(minutes):g}), none after"
    )
    print(f"fixed: {', '.join(f'{name} {value:g}' for name, value in FIXED.items())}")
    scores = {one: [score(case.labels, named(case, one)[0]) for case in cases] for one in _grid()}
    whole = _best(scores, slice(None))
    print(f"whole ({len(scores)} settings tried): {_sum(scores[whole])}\n  {whole}")
    even, odd = slice(0, None, 2), slice(1, None, 2)
    crosswise = Score()
    for title, on, other in (("even", even, odd), ("odd", odd, even)):
        chosen = _best(scores, on)
        scored = _sum(scores[chosen][other])
        crosswise += scored
        print(
            f"chosen on {title} ({_sum(scores[chosen][on]).f1:.3f} there), on the others: {scored}\n  {chosen}"
        )
    print(f"crosswise: {crosswise}")
    wall, cpu = _times(cases, whole, options.runs)
    print(f"time per case ({options.runs} runs of each): {wall}; of CPU time: {cpu}")


if __name__ == "__main__":
    main()
