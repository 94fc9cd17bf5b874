"""Which traffic do tests of detectors use? Sign-ins by the second, drawn with a seed, with frames and histories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from detectors.history.history import BUCKET, FIELDS, History
from detectors.instants import DAY, SECOND, parse_instant
from detectors.policy.policy import Policy
from detectors.scopes import CSPS, LEAVES, MEMBERS, METHODS, SCOPES, leaf_index, scope_path
from detectors.windows.counters import BAD, COUNTERS, GOOD, SESSION_BAD, SESSION_GOOD, SLOW, STARTED, TIMED
from detectors.windows.fixed_scopes import fixed_scopes
from detectors.windows.frame import Frame
from streams.settings.policy_file import default_policy

#: A Tuesday afternoon, without a holiday in the weeks before.
START = parse_instant("2026-10-06T14:00:00-04:00")
#: Sign-ins per second at the peak, and their distribution over methods and providers.
RATE = 2.5
SHARES = {"ssoe": (0.7, (0.43, 0.39, 0.10, 0.08)), "sis": (0.3, (0.50, 0.43, 0.04, 0.03))}
#: Share of people who come back from the provider.
RETURNS = 0.72


def scope(path: str) -> int:
    """Return the position of a scope, given without its environment; "" for the environment."""
    return SCOPES.index(path)


def leaves_of(path: str) -> list[int]:
    """Return the leaves of a scope."""
    return np.flatnonzero(MEMBERS[scope(path)]).tolist()


@dataclass
class Traffic:
    """Counts (second, leaf, counter) from ``START`` on, in which each failure is by default another person's."""

    seconds: int
    seed: int = 0
    level: float = 1.0
    normal: float = 0.0005
    start: int = START
    counts: npt.NDArray[np.int64] = field(init=False)
    people: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.counts = np.zeros((self.seconds, len(LEAVES), len(COUNTERS)), dtype=np.int64)
        for method, (share, csps) in SHARES.items():
            for csp, part in zip(CSPS, csps, strict=True):
                leaf = self.counts[:, leaf_index(method, csp)]
                rate = RATE * self.level * share * part
                leaf[:, STARTED] = self.rng.poisson(rate, self.seconds)
                completed = self.rng.poisson(rate * RETURNS, self.seconds)
                leaf[:, BAD] = self.rng.binomial(completed, self.normal)
                leaf[:, GOOD] = completed - leaf[:, BAD]
        sis = [leaf_index("sis", csp) for csp in CSPS]
        self.counts[:, leaf_index("sis", None), GOOD] = self.counts[:, sis, GOOD].sum(axis=1)
        self.counts[:, leaf_index("sis", None), SESSION_GOOD] = self.rng.poisson(
            10 * self.level, self.seconds
        )
        self.people = self.counts[..., BAD] + self.counts[..., SESSION_BAD]

    def fail(self, path: str, begin: int, end: int, share: float = 1.0, *, session: bool = False) -> Traffic:
        """Let a share of a scope's completions with a provider, or of its sessions, fail in [begin, end) (s)."""
        good, bad = (SESSION_GOOD, SESSION_BAD) if session else (GOOD, BAD)
        for leaf in leaves_of(path):
            if LEAVES[leaf][1] is None and not session:
                continue
            part = self.counts[begin:end, leaf]
            struck = self.rng.binomial(part[:, good], share)
            part[:, good] -= struck
            part[:, bad] += struck
            self.people[begin:end, leaf] += struck
        return self

    def silence(self, path: str, begin: int, end: int) -> Traffic:
        """Let no event of a scope arrive in the seconds [begin, end)."""
        for leaf in leaves_of(path):
            self.counts[begin:end, leaf] = 0
            self.people[begin:end, leaf] = 0
        return self

    def slow(self, path: str, begin: int, end: int, share: float, usual: float = 0.002) -> Traffic:
        """Give every completion a duration; a share ``usual`` is slow, and in [begin, end) a ``share`` of a scope's."""
        completed = self.counts[..., GOOD] + self.counts[..., BAD]
        self.counts[..., TIMED] = completed
        self.counts[..., SLOW] = self.rng.binomial(completed, usual)
        for leaf in leaves_of(path):
            self.counts[begin:end, leaf, SLOW] = self.rng.binomial(completed[begin:end, leaf], share)
        return self

    def frame(self, first: int = 0, last: int | None = None, policy: Policy | None = None) -> Frame:
        """Return the frame of the steps after the seconds [first, last), by default all."""
        windows = (policy or default_policy()).windows()
        last = self.seconds if last is None else last
        counts = np.einsum("sl,tlc->tsc", MEMBERS.astype(np.int64), self.counts)
        people = self.people @ MEMBERS.T.astype(np.int64)
        ends = self.start + SECOND * np.arange(first + 1, last + 1, dtype=np.int64)
        widths = [window // SECOND for window in windows]
        return Frame(
            "prod",
            ends,
            dict(zip(windows, sliding(counts, widths, first, last), strict=True)),
            dict(zip(windows, sliding(people, widths, first, last), strict=True)),
            windows,
            scopes=fixed_scopes("prod"),
        )


def sliding(
    counts: npt.NDArray[np.int64], widths: Iterable[int], first: int, last: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield, for each width in seconds, the sums of counts (second, …) up to the seconds [first, last)."""
    sums = np.concatenate([np.zeros((1, *counts.shape[1:]), dtype=np.int64), np.cumsum(counts, axis=0)])
    ends = np.arange(first + 1, last + 1)
    for width in widths:
        yield np.asarray(sums[first + 1 : last + 1] - sums[np.maximum(ends - width, 0)])


@cache
def _usual(level: float, days: int, start: int, seed: int) -> History:
    rng = np.random.default_rng(seed)
    slots = days * DAY // BUCKET
    leaves = np.zeros((slots, len(LEAVES), len(FIELDS)), dtype=np.int64)
    for method, (share, csps) in SHARES.items():
        for csp, part in zip(CSPS, csps, strict=True):
            leaf = leaves[:, leaf_index(method, csp)]
            rate = RATE * level * share * part * BUCKET / SECOND
            leaf[:, STARTED] = rng.poisson(rate, slots)
            leaf[:, GOOD] = rng.poisson(rate * RETURNS, slots)
    scopes = np.einsum("sl,tlc->tsc", MEMBERS.astype(np.int64), leaves)
    history = History("prod")
    for slot in range(slots):
        history.add(record(start - days * DAY + slot * BUCKET, scopes[slot]))
    return history


def usual(level: float = 1.0, days: int = 14, start: int = START, seed: int = 1) -> History:
    """Return a history of some days before ``start`` (ms) and of the hour after it, at a steady rate."""
    return deepcopy(_usual(level, days, start, seed))


def record(at: int, scopes: npt.NDArray[np.int64]) -> dict[str, object]:
    """Return a history record with counts (scope, counter)."""
    return {
        "env": "prod",
        "at": at,
        "scopes": {
            scope_path("prod", i): dict(zip(FIELDS, scopes[i].tolist(), strict=True))
            for i in range(len(SCOPES))
            if scopes[i].any()
        },
    }


assert tuple(SHARES) == METHODS
