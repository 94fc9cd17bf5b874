"""Is it true what incidents say? ``python -m benchmarks.quality.said`` compares it with the truth of the simulator.

For each outage, silence and loss of returns that is found: when it began (within 10 s, or the time in which three of
its people fail), how many people an hour it hit (within 10 %), on which scope it is and how severe it was at its worst.
Where failures leave no trace, the beginning is true within a minute, and the estimate within 15 % of those who would
have completed, per hour.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks.quality.cases import REPORTED_SEEDS, TUNING_SEEDS, Case, drawn, library
from benchmarks.quality.runs import Run, play
from detectors.backtest.score import Answer
from detectors.engine.state import StepResult
from detectors.incidents import Incident
from detectors.instants import HOUR, MINUTE, SECOND, format_instant
from detectors.policy.policy import Policy
from streams.settings.policy_file import default_policy
from streams.simulate.scenarios import SCENARIOS

__all__ = ["GOAL", "Heard", "Statement", "main", "statements"]

#: The share of the statements of each kind that must be true.
GOAL = 0.98
_KINDS = ("outage", "silence", "funnel")
_BEGAN, _PEOPLE = 10 * SECOND, 0.10
_BEGAN_UNSEEN, _PEOPLE_UNSEEN = MINUTE, 0.15


@dataclass(frozen=True)
class Statement:
    """What an incident says of a label, beside the truth."""

    case: str
    what: str
    said: str
    truth: str
    is_true: bool


class Heard:
    """Remembers what incidents say: their latest record, and the most people that were observed or estimated."""

    def __init__(self) -> None:
        self.latest: dict[tuple[str, int], Incident] = {}
        self.people: Counter[tuple[str, int]] = Counter()

    def take(self, result: StepResult) -> None:
        """Take the results of one T."""
        for one in (*(result.incidents or ()), *(change.incident for change in result.transitions)):
            key = (one.id, one.epoch)
            self.latest[key] = one
            if one.basis != "projected":
                self.people[key] = max(self.people[key], one.users_impacted)

    def compared(self, run: Run) -> list[Statement]:
        """Return what was said in a run of each label that was found, beside the truth."""
        return [one for answer in run.score.answers for one in _compared(run.case.name, answer, self)]


def statements(case: Case, policy: Policy) -> list[Statement]:
    """Run a case, and return what is said of each label that was found."""
    heard = Heard()
    return heard.compared(play(case, policy, seen=lambda verdict: heard.take(verdict.result)))


def _compared(case: str, answer: Answer, heard: Heard) -> Iterator[Statement]:
    label, own = answer.label, answer.own
    if own is None or label.kind not in _KINDS:
        return
    incident = heard.latest[own.incident, own.epoch]
    users = label.users or 0
    allowed = max(_BEGAN, 3 * (label.end - label.start) / max(users, 1))
    off = incident.first_bad_at - label.start
    early = _BEGAN
    if label.kind != "outage":
        early = allowed = _BEGAN_UNSEEN
    told = format_instant(incident.first_bad_at), format_instant(label.start)
    yield Statement(case, "began", *told, is_true=-early <= off <= allowed)
    epochs = [(one.incident, one.epoch) for one in (own, *answer.again)]
    people = max(heard.people[epoch] for epoch in epochs)
    near = _PEOPLE
    if label.kind != "outage":
        users, near = round(users * max(1.0, HOUR / (label.end - label.start))), _PEOPLE_UNSEEN
    is_near = abs(people - users) <= max(near * users, 1)
    yield Statement(case, "people", f"{people:,}", f"{users:,}", is_true=is_near)
    yield Statement(case, "scope", str(answer.scope), label.scope, is_true=answer.scope == label.scope)
    severity = min(heard.latest[epoch].peak_severity for epoch in epochs)
    if label.severity is not None:
        is_same = severity == label.severity
        yield Statement(case, "severity", str(severity), str(label.severity), is_true=is_same)


def main(arguments: Iterable[str] | None = None) -> None:
    """Print what is not true, and the share of what is, by kind; exit 1 if a share is below the goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.said", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds of the library")
    parser.add_argument("--drawn", type=int, default=0, help="how many drawn situations")
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS), help="these scenarios of the library")
    parser.add_argument("--reported", action="store_true", help="play the seeds that are reported")
    parser.add_argument("--workers", type=int, help="processes; as many as processors by default")
    options = parser.parse_args(None if arguments is None else list(arguments))
    seeds = REPORTED_SEEDS if options.reported else TUNING_SEEDS
    cases = [*library(seeds[: options.seeds], options.only), *drawn(seeds[: options.drawn])]
    said: list[Statement] = []
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        for found in pool.map(_statements, cases):
            said += found
            for one in found:
                if not one.is_true:
                    print(f"{one.case}: {one.what} {one.said}, in truth {one.truth}", flush=True)
    sys.exit(_report(said))


def _statements(case: Case) -> list[Statement]:
    return statements(case, default_policy())


def _report(said: Sequence[Statement]) -> int:
    """Print the share of true statements of each kind; 1 if one is below the goal, else 0."""
    status = 0
    for what in dict.fromkeys(one.what for one in said):
        of = [one.is_true for one in said if one.what == what]
        share = sum(of) / len(of)
        print(f"{what:<10}{sum(of)} of {len(of)} true, {share:.3f}; the goal is {GOAL}")
        status |= share < GOAL
    return status


if __name__ == "__main__":
    main()
