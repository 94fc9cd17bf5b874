"""How do facts become frames? All windows of one environment move on together."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.axes import ANY, Leaf, Scopes, ScopesMemory, contains, path_of
from detectors.commonality.completed import Completed
from detectors.instants import FAR_PAST
from detectors.policy.policy import Policy
from detectors.windows.counters import COUNTERS, Classify
from detectors.windows.error_codes import CodeWindows
from detectors.windows.fact_columns import FactColumns
from detectors.windows.frame import Frame
from detectors.windows.impact import Impact
from detectors.windows.late import LateArrivals
from detectors.windows.people.crowd import Crowds
from detectors.windows.people.failed import Failed
from detectors.windows.probing.probes import ProbeWindows
from detectors.windows.returns import ReturnWindows
from detectors.windows.sliding import Windows

__all__ = ["FrameBuilder", "classify_of", "scopes_of"]


class FrameBuilder:
    """Builds the frames of one environment from its facts. Frames follow each other; time never goes back.

    Args:
        env: the environment.
        policy: the policy.
        classify: assigns rows of facts to counters.
        memory: the places of leaves and groups of an earlier run.

    Attributes:
        scopes: the leaves and groups of the environment.
        windows, impact: the counts and the people behind the last frame, with more detail of the last hour.
        completed: the completed requests of the last hour by kind.
    """

    def __init__(
        self,
        env: str,
        policy: Policy,
        classify: Classify,
        memory: ScopesMemory | None = None,
    ) -> None:
        self._env = env
        self.scopes = scopes_of(env, policy, memory)
        self._remembers = memory is not None and memory.axes == self.scopes.axes
        self._policy = policy
        self._classify = classify
        self.windows = Windows(self.scopes, policy.step, policy.windows(), classify)
        self.impact = Impact(self.scopes, policy.step, policy.windows(), policy.exact_people)
        self.completed = Completed(classify, self.scopes)
        self._returns = ReturnWindows(self.scopes, policy.step, policy.funnel.live)
        self._probes = ProbeWindows(self.scopes, policy.step, policy.event_classes)
        self._crowds = Crowds(self.scopes, policy.step, max(policy.windows()))
        self._late = LateArrivals(self.scopes, policy.step, max(policy.windows()), classify)
        codes = sorted(policy.codes.root)
        self._codes = CodeWindows(self.scopes, policy.step, policy.surge.windows, codes, policy.exact_people)
        self._active_to = np.full(len(self.scopes.leaves), FAR_PAST, dtype=np.int64)
        self._asleep = False

    @property
    def active_to(self) -> int:
        """The last T (ms) whose retention holds an event that has counted; ``FAR_PAST`` before the first event."""
        return int(self._active_to.max(initial=FAR_PAST))

    def before_newcomers(self, ends: Ints, facts: FactColumns) -> Ints:
        """Return the steps of ``ends`` (N,) before the first at which a row with a new leaf counts, but one at least.

        What a step finds must not depend on leaves that come later, wherever one frame ends and the next begins.

        Args:
            ends: the T of consecutive steps, ms.
            facts: the rows that count for the first time at one of these T.
        """
        kinds, first = np.unique(facts.kind, return_index=True)
        firsts: dict[Leaf, int] = {}
        for kind, at in zip(kinds.tolist(), facts.counts_from[first].tolist(), strict=True):
            leaf = facts.kinds[kind].leaf
            firsts[leaf] = min(at, firsts.get(leaf, at))
        new = [at for leaf, at in firsts.items() if at > ends[0] and self.scopes.is_new(leaf)]
        return ends[ends < min(new)] if new else ends

    def admit(self, facts: FactColumns) -> FactColumns:
        """Give places to the leaves of rows, at the first T at which each counts; return the rows with their places.

        Args:
            facts: the rows of the next frame.
        """
        kinds, first = np.unique(facts.kind, return_index=True)
        firsts = facts.counts_from[first]
        for at in np.unique(firsts).tolist():
            self.scopes.admit({facts.kinds[n].leaf for n in kinds[firsts == at].tolist()})
        short = len(self.scopes.leaves) - len(self._active_to)
        self._active_to = np.pad(self._active_to, (0, short), constant_values=FAR_PAST)
        return facts.placed(self.scopes.position)

    def readmit(self, facts: FactColumns) -> FactColumns:
        """Return rows that an earlier run has judged, with the places that the run gave to their leaves.

        A leaf that has lost its place since has no events in any window any more, and its rows are left out.
        """
        if not self._remembers:
            return self.admit(facts)
        short = len(self.scopes.leaves) - len(self._active_to)
        self._active_to = np.pad(self._active_to, (0, short), constant_values=FAR_PAST)
        placed = facts.placed(self._position)
        return placed[placed.leaf >= 0]

    def _position(self, leaf: Leaf) -> int:
        try:
            return self.scopes.position(leaf)
        except KeyError:
            return -1

    def release(self, at: int, standing: Collection[str], expected: Collection[Leaf]) -> None:
        """Free the places of leaves of which no event counts within the retention before T = ``at`` (ms).

        Args:
            at: T, ms.
            standing: the scopes of incidents, which keep their places.
            expected: leaves that the history expects, which keep or get places.
        """
        self.scopes.admit(expected)
        short = len(self.scopes.leaves) - len(self._active_to)
        self._active_to = np.pad(self._active_to, (0, short), constant_values=FAR_PAST)
        kept = {self.scopes.position(leaf) for leaf in expected}
        for place, leaf in enumerate(self.scopes.leaves):
            below = leaf and path_of(self._env, (value or ANY for value in leaf))
            if below and any(contains(scope, below) for scope in standing if scope != self._env):
                kept.add(place)
        gone = [place for place in np.flatnonzero(self._active_to < at).tolist() if place not in kept]
        gone = [place for place in gone if self.scopes.leaves[place] is not None]
        self.scopes.release(gone, standing)
        self._active_to[gone] = FAR_PAST

    def announce(self, ahead: FactColumns) -> None:
        """Note rows that arrive before they count, each once and before a T by which it has arrived is judged."""
        self._late.announce(ahead)

    def build(
        self, ends: Ints, facts: FactColumns, covered_from: int | None, doubted_to: int = FAR_PAST
    ) -> Frame:
        """Build the frame of the steps at ``ends``.

        Args:
            ends: (N,) the T of each step, ms, one step apart unless the builder is asleep and no fact counts.
            facts: every row that counts for the first time at one of these T.
            covered_from: the instant (ms) from which all facts are known; None for ever.
            doubted_to: as in ``Frame``.
        """
        policy, start, steps = self._policy, int(ends[0]), len(ends)
        covered_from = FAR_PAST if covered_from is None else covered_from
        if self._asleep and not len(facts):
            shape = (steps, len(self.scopes), len(COUNTERS))
            nothing = {w: np.zeros(shape, dtype=np.int64) for w in policy.windows()}
            nobody = {w: np.zeros(shape[:2], dtype=np.int64) for w in policy.windows()}
            return Frame(
                self._env,
                ends,
                nothing,
                nobody,
                policy.windows(),
                covered_from=covered_from,
                doubted_to=doubted_to,
                scopes=self.scopes,
            )
        self._asleep = False
        self.completed.add(facts)
        counts = self.windows.advance(start, steps, facts)
        failed = self._failed(facts)
        people = self.impact.advance(start, steps, failed)
        returns = self._returns.advance(start, steps, facts)
        self._codes.move(start, steps, facts)
        late = self._late.move(start, steps, facts)
        return Frame(
            scopes=self.scopes,
            env=self._env,
            ends=ends,
            counts=counts,
            people=people,
            windows=policy.windows(),
            returns=returns,
            probes=self._probes.advance(start, steps, facts),
            codes=self._codes,
            levels=self.impact.levels,
            late=late,
            crowd=self._crowds.move(ends, failed),
            covered_from=covered_from,
            doubted_to=doubted_to,
        )

    def fill(self, start: int, steps: int, facts: FactColumns) -> None:
        """Move on over steps that are not judged: T = ``start``, ``start`` + step, … (``steps`` of them)."""
        self.windows.move(start, steps, facts)
        self.completed.add(facts)
        failed = self._failed(facts)
        self.impact.advance(start, steps, failed)
        self._crowds.move(start + self._policy.step * np.arange(steps, dtype=np.int64), failed)
        self._returns.move(start, steps, facts)
        self._probes.move(start, steps, facts)
        self._codes.move(start, steps, facts)
        self._late.move(start, steps, facts)
        np.maximum.at(self._active_to, facts.leaf, facts.pane + self._policy.retention)

    def fall_asleep(self) -> None:
        """Empty the windows, since no event counts within the retention; steps may be skipped until a fact counts."""
        if not self._asleep:
            for counted in (self.windows, self._returns, self._probes, self._codes, self._late, self._crowds):
                counted.skip()
            self._asleep = True

    def activity(self, ends: Ints, facts: FactColumns) -> Bools:
        """Return (N, group) whether an event that counts at T lies in the retention before T; call once per frame."""
        to = np.full((len(ends), len(self._active_to)), FAR_PAST, dtype=np.int64)
        to[0] = self._active_to
        step, retention = self._policy.step, self._policy.retention
        np.maximum.at(to, ((facts.counts_from - ends[0]) // step, facts.leaf), facts.pane + retention)
        np.maximum.accumulate(to, axis=0, out=to)
        self._active_to = to[-1].copy()
        active = (to >= ends[:, None]).astype(np.float32) @ self.scopes.members.T.astype(np.float32)
        return active > 0

    def _failed(self, facts: FactColumns) -> Failed:
        """Return the people of failures that count against the service."""
        return Failed.of(facts[self._classify.is_bad(facts)])


def scopes_of(env: str, policy: Policy, memory: ScopesMemory | None) -> Scopes:
    return Scopes(
        env,
        policy.axes,
        max_values=policy.max_values,
        max_scopes=policy.max_scopes,
        aliases=policy.aliases,
        memory=memory,
    )


def classify_of(policy: Policy) -> Classify:
    """Return how the policy assigns facts to counters."""
    slow_at = {
        method: policy.thresholds.index(one.latency_threshold_ms) for method, one in policy.objectives.items()
    }
    return Classify(policy.event_classes, slow_at, policy.axes)
