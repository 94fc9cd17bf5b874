"""How are the engines of all environments moved on together, and what does one T bring?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from detectors.engine.engine import Engine
from detectors.engine.state import Spans, StepResult
from detectors.incidents import IncidentInput
from detectors.instants import FAR_PAST
from detectors.policy.policy import Policy
from detectors.scopes import ENVS
from detectors.values import OTHER
from detectors.windows.facts import ON_TIME, FactRow
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

    An environment that the policy does not list has an engine of its own if it is one of the first ``max_envs`` such,
    in the order of the T at which it first counted and of its name. The rows of any other are given to the engine of
    the environment ``other``.

    Args:
        policy: the policy.
        make: makes the engine of an environment.

    Attributes:
        engines: one for each environment.
        boards: the banners of each environment as last published.
        notices: environment -> kind -> notices that the engines of this process have given.
    """

    def __init__(self, policy: Policy, make: Callable[[str], Engine]) -> None:
        self.policy = policy
        self._make = make
        self._listed = frozenset((*ENVS, *policy.envs, OTHER))
        self.engines: dict[str, Engine] = {}
        self.boards: dict[str, BannerBoard] = {}
        self.notices: dict[str, Counter[str]] = {}
        self._pending: dict[str, list[FactRow]] = {}
        self._doubted_to = FAR_PAST

    def engine(self, env: str) -> Engine:
        """The engine of an environment, made on first use."""
        if env not in self.engines:
            self.engines[env] = self._make(env)
            self.boards[env] = BannerBoard(env, self.policy)
            self.engines[env].doubt(self._doubted_to)
        return self.engines[env]

    def go_on_from(self, before: Evaluator, judged: Mapping[str, Sequence[FactRow]], since: int) -> None:
        """Go on where another evaluator has stopped, as a worker does that is started anew at this T.

        Args:
            before: the other, which judged by another policy and is used no more. The engines made here have its
                states.
            judged: the facts that it has judged, by environment.
            since: the instant (ms) from which ``judged`` holds the facts of all panes.
        """
        known: dict[str, list[FactRow]] = {}
        for env in before.engines:
            self.engine(env)
        for env, rows in judged.items():
            known.setdefault(self.counted_as(env) or env, []).extend(rows)
        for env, engine in self.engines.items():
            engine.restore(known.get(env, ()), since)
            self.boards[env].restore(before.boards[env].shown())
        self._pending, self.notices = before._pending, before.notices
        self.doubt(before._doubted_to)

    def doubt(self, to: int) -> None:
        """Call no environment silent by a window that begins before ``to`` (ms); see ``Frame.doubted_to``."""
        self._doubted_to = max(self._doubted_to, to)
        for engine in self.engines.values():
            engine.doubt(to)

    def counted_as(self, env: str) -> str | None:
        """The environment whose engine has the rows of ``env``; None where that is not decided yet."""
        if env in self._listed or env in self.engines:
            return env
        return OTHER if self._is_full() else None

    def _is_full(self) -> bool:
        return len(self.engines.keys() - self._listed) >= self.policy.max_envs

    def settle_arrivals(self, env: str, rows: Iterable[FactRow]) -> None:
        """Let rows of an environment that is not listed arrive when they count; before they are added.

        Which engine has them may be decided after they have arrived early, because the clock of a producer is ahead.
        """
        if env not in self._listed:
            for row in rows:
                if row.arrives(self.policy.step) < row.counts_from(self.policy.step):
                    row.first_t = ON_TIME

    def add(self, rows: Mapping[str, Sequence[FactRow]]) -> None:
        """Note facts by environment; none may arrive by a T that was evaluated."""
        for env, more in rows.items():
            self._pending.setdefault(env, []).extend(more)

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
        out: list[Verdict] = []
        for _ in self.advance_in_parts(to, out, inputs, unread=unread, catching_up=catching_up):
            pass
        return out

    def advance_in_parts(
        self,
        to: int,
        out: list[Verdict],
        inputs: Mapping[str, Sequence[tuple[int, IncidentInput]]] | None = None,
        *,
        unread: Spans = (),
        catching_up: bool = False,
    ) -> Iterator[None]:
        """Do as ``advance``, and let the caller do something else between two T; ``out`` is whole after the last one.

        See ``Engine.advance_in_parts``.
        """
        for env, some in (inputs or {}).items():
            if some:
                self.engine(env)
        rows = self._due(to)
        for env, engine in self.engines.items():
            steps = engine.advance_in_parts(
                to, rows.get(env, ()), (inputs or {}).get(env, ()), unread=unread, catching_up=catching_up
            )
            for brought in steps:
                yield
                if not brought:
                    continue
                verdict = Verdict(brought)
                self.notices.setdefault(env, Counter()).update(notice.kind for notice in brought.notices)
                if brought.incidents is not None:
                    covers = engine.lifecycle.memory.covers.standing
                    verdict.banners = self.boards[env].update(brought.at, brought.incidents, covers)
                    if brought.at % self.policy.banner.republish_every == 0:
                        verdict.shown = self.boards[env].shown()
                out.append(verdict)
        out.sort(key=lambda verdict: (verdict.result.at, verdict.result.env))

    def _due(self, to: int) -> dict[str, list[FactRow]]:
        """The rows that arrive up to ``to`` (T, ms), by the environment whose engine has them; each is given out once.

        Engines of new environments are made where a row counts. Until then rows that count later wait.
        """
        step = self.policy.step
        due: dict[str, list[FactRow]] = {}
        later: dict[str, list[FactRow]] = {}
        for env, waiting in self._pending.items():
            for row in waiting:
                (due if row.arrives(step) <= to else later).setdefault(env, []).append(row)
        self._pending = later
        counting: dict[str, int] = {}
        for env, rows in due.items():
            firsts = [first for row in rows if 0 < (first := row.counts_from(step)) <= to]
            if env not in self.engines and firsts:
                counting[env] = min(firsts)
        given: dict[str, list[FactRow]] = {}
        for env in sorted(counting, key=lambda env: (counting[env], env)):
            self.engine(self.counted_as(env) or env)
        for env, rows in due.items():
            if (name := self.counted_as(env)) in self.engines and name is not None:
                given.setdefault(name, []).extend(rows)
            elif waiting := [row for row in rows if row.counts_from(step) > to]:
                later.setdefault(env, []).extend(waiting)
        return given
