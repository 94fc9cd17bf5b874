"""What are the results of a campaign of faults, in numbers and in words?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from tests.faults.judgement.findings import Audit

__all__ = ["Broker", "Figures"]

Broker = Literal["kafka", "embedded"]


@dataclass
class Figures:
    """The results of a campaign."""

    seed: int
    broker: Broker
    rounds: int = 0
    events: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    rebalances: int = 0
    starts: int = 0
    to_ready: list[float] = field(default_factory=list)
    stopped_in: list[float] = field(default_factory=list)
    failed: int = 0
    marks: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    log: Counter[str] = field(default_factory=Counter)
    differences: int = 0
    lost: int = 0
    second_pages: int = 0
    stalls: list[float] = field(default_factory=list)
    told_after: list[float] = field(default_factory=list)
    unsaid: int = 0
    untrue: int = 0
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether no audit found a fault."""
        return not self.complaints

    def add(self, found: Audit) -> None:
        """Add the audit of a round."""
        self.differences += found.count
        self.lost += len(found.lost)
        self.second_pages += len(found.second_pages)
        self.stalls += found.stalls.stalls
        self.told_after += found.stalls.told_after
        self.unsaid += len(found.stalls.unsaid)
        self.untrue += len(found.stalls.untrue)
        self.compared += found.compared
        self.repeated += found.repeated
        self.log += Counter(found.log)
        self.events += found.log["events"]

    def as_json(self) -> dict[str, Any]:
        """Return the object that is written to `.data/faults`."""
        return {
            "seed": self.seed,
            "broker": self.broker,
            "seconds": round(self.seconds),
            "rounds": self.rounds,
            "events": self.events,
            "log": self.log,
            "faults": {"total": self.faults.total(), **self.faults},
            "rebalances": self.rebalances,
            "starts": self.starts,
            "restart_to_ready_seconds": _spread(self.to_ready),
            "sigterm_to_end_seconds": _spread(self.stopped_in),
            "ended_by_themselves": self.failed,
            "marks": self.marks,
            "compared": self.compared,
            "repeated": self.repeated,
            "differences": self.differences,
            "lost": self.lost,
            "second_pages": self.second_pages,
            "stalls_seconds": _spread(self.stalls),
            "stall_to_told_seconds": _spread(self.told_after),
            "unsaid": self.unsaid,
            "untrue": self.untrue,
            "complaints": self.complaints,
        }

    def words(self) -> str:
        """Return the results as text for people."""
        kinds = ", ".join(f"{kind} {times}" for kind, times in sorted(self.faults.items()))
        of_them = ", ".join(f"{times} {name}" for name, times in self.log.items() if name != "events")
        ended = self.failed or "none"
        compared = ", ".join(f"{times} {what}" for what, times in sorted(self.compared.items()))
        ready, stood, told = _spread(self.to_ready), _spread(self.stalls), _spread(self.told_after)
        return "\n".join(
            [
                f"seed {self.seed}, {self.broker}: {self.rounds} rounds in {self.seconds / 60:.0f} min",
                f"events        {self.events} ({of_them})",
                f"faults        {self.faults.total()} ({kinds})",
                f"rebalances    {self.rebalances}; starts {self.starts}; ended by themselves {ended}",
                f"start → ready {ready['median']} s as a rule, {ready['most']} s at most ({ready['count']} starts)",
                f"SIGTERM → end {_spread(self.stopped_in)['most']} s at most",
                f"compared      {compared}",
                f"told twice    {dict(self.repeated)} (no page among them)",
                f"stood still   {stood['count']} times, for {stood['median']} s as a rule, {stood['most']} s at most",
                f"told of them  {told['count']}, after {told['median']} s as a rule, {told['most']} s at most",
                f"unsaid        {self.unsaid}",
                f"untrue        {self.untrue} (blind said while it got on)",
                f"differences   {self.differences}",
                f"lost          {self.lost}",
                f"second pages  {self.second_pages}",
            ]
        )


def _spread(some: list[float]) -> dict[str, float]:
    if not some:
        return {"count": 0, "median": 0.0, "most": 0.0}
    return {"count": len(some), "median": round(median(some), 1), "most": round(max(some), 1)}
