"""Which traffic do tests of detectors over any axes use? Leaves with a rate each, of which some fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from detectors.axes import Leaf, Scopes
from detectors.detection.attribution import attribute
from detectors.detection.burn_rate import BurnRateDetector
from detectors.detection.outage import OutageDetector
from detectors.history.history import History
from detectors.incidents import Cause
from detectors.instants import SECOND
from detectors.windows.counters import BAD, COUNTERS, GOOD, STARTED
from detectors.windows.frame import Frame
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.traffic import START, sliding

__all__ = ["TODAY", "Anywhere", "Steady"]

POLICY = default_policy()
#: Completed sign-ins a second of each leaf, as today: sis with web and mobile is the main way.
TODAY: Mapping[Leaf, float] = {
    ("sis", "idme", "vaweb"): 0.7,
    ("sis", "logingov", "vaweb"): 0.6,
    ("sis", "idme", "vamobile"): 0.4,
    ("sis", "logingov", "vamobile"): 0.3,
    ("sis", None, None): 2.0,
    ("ssoe", "idme", "vaweb"): 0.3,
    ("ssoe", "logingov", "vaweb"): 0.25,
    ("ssoe", "idme", "mhv"): 0.1,
    ("ssoe", "logingov", "mhv"): 0.1,
}


class Anywhere:
    """Counts (second, leaf, counter) of leaves from ``START`` on, in which each failure is another person's."""

    def __init__(self, seconds: int, rates: Mapping[Leaf, float], seed: int = 0, axes: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.scopes = Scopes("prod", ("auth_method", "csp", "client_id", "acr")[:axes])
        self.scopes.admit(list(rates))
        self.counts = np.zeros((seconds, len(self.scopes.leaves), len(COUNTERS)), dtype=np.int64)
        for leaf, rate in rates.items():
            place = self.counts[:, self.scopes.position(leaf)]
            completed = rng.poisson(rate, seconds)
            place[:, BAD] = rng.binomial(completed, 0.0005)
            place[:, GOOD] = completed - place[:, BAD]
            place[:, STARTED] = completed

    def fail(self, path: str, begin: int, end: int, share: float = 1.0) -> Anywhere:
        """Let a share of the completions in a scope (path below the environment) fail in [begin, end) (s)."""
        group = self.scopes.paths.index(path)
        for leaf in np.flatnonzero(self.scopes.members[group]):
            part = self.counts[begin:end, leaf]
            struck = self.rng.binomial(part[:, GOOD], share)
            part[:, GOOD] -= struck
            part[:, BAD] += struck
        return self

    def move(self, path: str, to: str | None, begin: int, share: float = 1.0) -> Anywhere:
        """Let sign-ins of a scope from second ``begin`` on arrive at the first leaf of another scope, or nowhere."""
        leaves = np.flatnonzero(self.scopes.members[self.scopes.paths.index(path)])
        moved = self.rng.binomial(self.counts[begin:, leaves], share)
        self.counts[begin:, leaves] -= moved
        if to is not None:
            target = np.flatnonzero(self.scopes.members[self.scopes.paths.index(to)])[0]
            self.counts[begin:, target] += moved.sum(axis=1)
        return self

    def frame(self, first: int, last: int) -> Frame:
        """Return the frame of the steps after the seconds [first, last)."""
        windows = POLICY.windows()
        groups = np.einsum("gl,tlc->tgc", self.scopes.members.astype(np.int64), self.counts)
        ends = START + SECOND * np.arange(first + 1, last + 1, dtype=np.int64)
        widths = [window // SECOND for window in windows]
        counts = dict(zip(windows, sliding(groups, widths, first, last), strict=True))
        people = {window: of[..., BAD] for window, of in counts.items()}
        return Frame("prod", ends, counts, people, windows, scopes=self.scopes)

    def causes(self, first: int, last: int, known: Sequence[str] = ()) -> list[list[str]]:
        """Return the scopes of the causes after each of the seconds [first, last), by the detectors of failures.

        ``known`` are the scopes of open incidents, as in ``attribute``.
        """
        frame, history = self.frame(first, last), History("prod")
        history.follow(self.scopes)
        verdicts = [detector(POLICY, history).judge(frame) for detector in (OutageDetector, BurnRateDetector)]
        found = [attribute(verdicts, frame, n, POLICY, known) for n in range(len(frame.ends))]
        return [_scopes_of(causes) for causes in found]


class Steady(History):
    """A history in which the leaves have always had the given rates of completed and started sign-ins a second."""

    def __init__(self, traffic: Anywhere, rates: Mapping[Leaf, float]) -> None:
        super().__init__("prod")
        by_leaf = np.zeros((len(traffic.scopes.leaves), 6))
        for leaf, rate in rates.items():
            by_leaf[traffic.scopes.position(leaf), [GOOD, STARTED]] = rate / SECOND
        self._rates = np.einsum("gl,lc->gc", traffic.scopes.members.astype(np.float64), by_leaf)

    def expected(self, ends: npt.NDArray[np.int64], window: int) -> npt.NDArray[np.float64]:
        return np.broadcast_to(self._rates * window, (len(ends), *self._rates.shape))

    def between(self, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.asarray((ends - starts)[:, None, None] * self._rates)

    def coverage(self, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.ones(len(starts))


def _scopes_of(causes: list[Cause]) -> list[str]:
    return list(dict.fromkeys(cause.scope for cause in causes))
