"""How are the engines of all environments moved on together, and what does one T bring?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from detectors.engine.engine import Engine
from detectors.engine.state import Spans, StepResult
from detectors.incidents import IncidentInput
from detectors.policy.policy import Policy
from detectors.windows.facts import FactRow
from sinks.banner.banner import Banner
from sinks.banner.board import BannerBoard

__all__ = ["Evaluator", "Verdict"]


@dataclass
class Verdict:
    """What one T brought in one environment.

    Attributes:
        result: of the engine.
        banners: those that changed.
        shown: all banners, where it is time to publish them again; else empty.
    """

    result: StepResult
    banners: list[Banner] = field(default_factory=list)
    shown: list[Banner] = field(default_factory=list)


class Evaluator:
    """Engines by environment. Rows are handed in as they become known; each is given to its engine at its T.

    Args:
        policy: the policy.
        engines: one for each environment.
        boards: the banners of each environment as last published.
    """

    def __init__(self, policy: Policy, make: Callable[[str], Engine]) -> None:
        self.policy = policy
        self._make = make
        self.engines: dict[str, Engine] = {}
        self.boards: dict[str, BannerBoard] = {}
        self._pending: dict[str, list[FactRow]] = {}

    def engine(self, env: str) -> Engine:
        """The engine of an environment, made on first use."""
        if env not in self.engines:
            self.engines[env] = self._make(env)
            self.boards[env] = BannerBoard(env, self.policy)
            self._pending[env] = []
        return self.engines[env]

    def add(self, rows: Mapping[str, Sequence[FactRow]]) -> None:
        """Note facts by environment; none may count at a T that was evaluated."""
        for env, more in rows.items():
            self.engine(env)
            self._pending[env].extend(more)

    def advance(
        self,
        to: int,
        inputs: Mapping[str, Sequence[tuple[int, IncidentInput]]] | None = None,
        *,
        unread: Spans = (),
        catching_up: bool = False,
    ) -> list[Verdict]:
        """Evaluate every environment up to ``to`` (T, a multiple of the step, ms); the verdicts in the order of T.

        See ``Engine.advance``.
        """
        step = self.policy.step
        out: list[Verdict] = []
        for env, some in (inputs or {}).items():
            if some:
                self.engine(env)
        for env, engine in self.engines.items():
            due: list[FactRow] = []
            later: list[FactRow] = []
            for row in self._pending[env]:
                (due if row.counts_from(step) <= to else later).append(row)
            self._pending[env] = later
            steps = engine.advance(
                to, due, (inputs or {}).get(env, ()), unread=unread, catching_up=catching_up
            )
            for brought in steps:
                verdict = Verdict(brought)
                if brought.incidents is not None:
                    verdict.banners = self.boards[env].update(brought.at, brought.incidents)
                    if brought.at % self.policy.banner.republish_every == 0:
                        verdict.shown = self.boards[env].shown()
                out.append(verdict)
        out.sort(key=lambda verdict: (verdict.result.at, verdict.result.env))
        return out
