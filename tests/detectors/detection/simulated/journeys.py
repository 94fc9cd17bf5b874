"""Which sign-ins do tests of funnel and surges use? People start, come back after a while or never, and make errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from detectors.history.history import BUCKET, FIELDS, History
from detectors.instants import DAY, HOUR, MINUTE, SECOND
from detectors.policy.policy import Policy
from detectors.scopes import CSPS, LEAVES, MEMBERS, leaf_index
from detectors.windows.counters import BAD, EXCLUDED, GOOD, STARTED, Classify
from detectors.windows.error_codes import CodeWindows
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.fixed_scopes import fixed_scopes
from detectors.windows.frame import Frame
from detectors.windows.returns import ReturnWindows
from detectors.windows.sliding import Windows
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.traffic import RATE, RETURNS, SHARES, START, leaves_of, record
from tests.support.facts import columns_of, leaf_at

__all__ = ["USER_ERRORS", "Journeys", "weeks"]

#: Share of callbacks that fail with a user error on an ordinary day, and the codes of these errors.
USER_ERRORS = 0.03
_CODES = ("001", "005", "101", "102", "106", "107")
_WINDOWS = (5 * MINUTE, 15 * MINUTE, HOUR)


class Journeys:
    """Sign-ins of some seconds from ``START`` on, each by another person unless ``fail`` names one.

    ``windows``: those of the counts, ms.
    """

    def __init__(
        self, seconds: int, seed: int = 0, level: float = 1.0, windows: tuple[int, ...] = _WINDOWS
    ) -> None:
        self.seconds = seconds
        self.windows = windows
        self.rng = np.random.default_rng(seed)
        begun, leaves = [], []
        for method, (share, csps) in SHARES.items():
            for csp, part in zip(CSPS, csps, strict=True):
                times = np.repeat(np.arange(seconds), self.rng.poisson(RATE * level * share * part, seconds))
                begun.append(times)
                leaves.append(np.full(len(times), leaf_index(method, csp)))
        self.begun = np.concatenate(begun)
        self.leaf = np.concatenate(leaves)
        away = np.clip(42 * np.exp(0.5 * self.rng.standard_normal(len(self.begun))), 20, 120)
        self.back = self.begun + away.astype(np.int64)
        self.returns = self.rng.random(len(self.begun)) < RETURNS
        self.starts = np.ones(len(self.begun), dtype=bool)
        self.named = np.ones(len(self.begun), dtype=bool)
        self.token = np.full(len(self.begun), "success")
        self.person = np.arange(1, len(self.begun) + 1)
        err = self.rng.random(len(self.begun)) < USER_ERRORS
        self.code = np.where(err, self.rng.choice(_CODES, len(self.begun)), "")

    def _of(self, path: str) -> np.ndarray:
        return np.isin(self.leaf, leaves_of(path))

    def lose(self, path: str, begin: int, end: int, share: float = 1.0) -> Journeys:
        """Let a share of a scope's people not come back in the seconds [begin, end)."""
        struck = self._of(path) & (self.back >= begin) & (self.back < end)
        self.returns &= ~(struck & (self.rng.random(len(struck)) < share))
        return self

    def hide(self, path: str, begin: int, end: int) -> Journeys:
        """Let a scope's callbacks in the seconds [begin, end) name no provider."""
        self.named &= ~(self._of(path) & (self.back >= begin) & (self.back < end))
        return self

    def tokens(self, begin: int, end: int, outcome: str) -> Journeys:
        """Let the tokens of people who come back in the seconds [begin, end) end in an outcome; "" for no token."""
        self.token[(self.back >= begin) & (self.back < end)] = outcome
        return self

    def delay(self, path: str, begin: int, end: int, longer: int) -> Journeys:
        """Let a scope's people who start in the seconds [begin, end) come back ``longer`` seconds later."""
        self.back[self._of(path) & (self.begun >= begin) & (self.begun < end)] += longer
        return self

    def silence(self, path: str, begin: int, end: int) -> Journeys:
        """Let no event of a scope arrive in the seconds [begin, end)."""
        of = self._of(path)
        self.starts &= ~(of & (self.begun >= begin) & (self.begun < end))
        return self.lose(path, begin, end)

    def move(self, from_method: str, to_method: str, begin: int) -> Journeys:
        """Let people start with the other method from second ``begin`` on."""
        for csp in CSPS:
            moved = (self.leaf == leaf_index(from_method, csp)) & (self.begun >= begin)
            self.leaf[moved] = leaf_index(to_method, csp)
        return self

    def fail(self, path: str, begin: int, end: int, share: float, code: str, person: int = 0) -> Journeys:
        """Let a share of a scope's callbacks in [begin, end) fail with a code, all by ``person`` if given."""
        struck = self._of(path) & (self.back >= begin) & (self.back < end)
        struck &= self.rng.random(len(struck)) < share
        self.code[struck] = code
        if person:
            self.person[struck] = person
        return self

    def rows(self) -> list[FactRow]:
        """Return the facts of the sign-ins, including tokens of sis."""
        cells: Counter[tuple[int, int, str, str, str]] = Counter()
        people: dict[tuple[int, int, str, str, str], set[int]] = {}
        for n in np.flatnonzero(self.starts).tolist():
            cells[int(self.begun[n]), int(self.leaf[n]), "new", "started", ""] += 1
        for n in np.flatnonzero(self.returns & (self.back < self.seconds)).tolist():
            code = str(self.code[n])
            outcome = "failure" if code else "success"
            leaf = int(self.leaf[n])
            leaf = leaf if self.named[n] else leaf_index(LEAVES[leaf][0], None)
            key = int(self.back[n]), leaf, "callback", outcome, code
            cells[key] += 1
            people.setdefault(key, set()).add(int(self.person[n]))
            if outcome == "success" and LEAVES[key[1]][0] == "sis" and self.token[n]:
                cells[key[0], leaf_index("sis", None), "token", str(self.token[n]), ""] += 1
        return [
            FactRow(
                START + second * SECOND,
                ON_TIME,
                leaf_at(leaf),
                step,
                outcome,
                code,
                "",
                count,
                0,
                [0, 0],
                sorted(people.get((second, leaf, step, outcome, code), ())) if outcome == "failure" else [],
            )
            for (second, leaf, step, outcome, code), count in sorted(cells.items())
        ]

    def frames(self, cuts: Sequence[int], policy: Policy | None = None) -> list[Frame]:
        """Return the frames that end at the seconds ``cuts``, of which the last one alone can still be judged."""
        return list(self.each_frame(cuts, policy))

    def each_frame(self, cuts: Sequence[int], policy: Policy | None = None) -> Iterator[Frame]:
        """Yield the frames that end at the seconds ``cuts``; each must be judged before the next one is taken."""
        yield from self._frames(cuts, policy or default_policy())

    def frame(self, first: int = 0, last: int | None = None) -> Frame:
        """Return the frame of the steps after the seconds [first, last), by default all."""
        return self.frames([*([first] if first else []), last or self.seconds])[-1]

    def _frames(self, cuts: Sequence[int], policy: Policy):  # type: ignore[no-untyped-def]
        counts = Windows(fixed_scopes("prod"), SECOND, self.windows, Classify(policy.event_classes, {}))
        returns = ReturnWindows(fixed_scopes("prod"), SECOND, policy.funnel.live)
        codes = CodeWindows(
            fixed_scopes("prod"), SECOND, policy.surge.windows, sorted(policy.codes.root), 1_000
        )
        rows = self.rows()
        begin = 0
        for end in cuts:
            start, steps = START + (begin + 1) * SECOND, end - begin
            due = columns_of([r for r in rows if begin <= (r.pane - START) // SECOND < end], SECOND)
            ends = start + SECOND * np.arange(steps, dtype=np.int64)
            counted = counts.advance(start, steps, due)
            codes.move(start, steps, due)
            nobody = {window: of[..., 0] * 0 for window, of in counted.items()}
            yield Frame(
                "prod",
                ends,
                counted,
                nobody,
                self.windows,
                returns.advance(start, steps, due),
                codes,
                scopes=fixed_scopes("prod"),
            )
            begin = end


def weeks(
    days: int = 16,
    returning: float = RETURNS,
    codes: bool = True,
    level: float = 1.0,
    seed: int = 1,
) -> History:
    """Return a history up to a day after ``START`` at a steady rate, with failures by code if ``codes``."""
    rng = np.random.default_rng(seed)
    history = History("prod")
    slots = days * DAY // BUCKET
    leaves = np.zeros((slots, len(LEAVES), len(FIELDS)), dtype=np.int64)
    for method, (share, csps) in SHARES.items():
        for csp, part in zip(CSPS, csps, strict=True):
            leaf = leaves[:, leaf_index(method, csp)]
            rate = RATE * level * share * part * BUCKET / SECOND
            leaf[:, STARTED] = rng.poisson(rate, slots)
            completed = rng.poisson(rate * returning, slots)
            leaf[:, EXCLUDED] = rng.binomial(completed, USER_ERRORS)
            leaf[:, BAD] = rng.binomial(completed, 0.0005)
            leaf[:, GOOD] = completed - leaf[:, EXCLUDED] - leaf[:, BAD]
    sis = [leaf_index("sis", csp) for csp in CSPS]
    leaves[:, leaf_index("sis", None), GOOD] = leaves[:, sis, GOOD].sum(axis=1)
    scopes = np.einsum("sl,tlc->tsc", MEMBERS.astype(np.int64), leaves)
    for slot in range(slots):
        kept = record(START + DAY - days * DAY + slot * BUCKET, scopes[slot])
        if codes:
            kept["codes"] = {
                path: {code: counts["excluded"] // len(_CODES) for code in _CODES}
                for path, counts in kept["scopes"].items()  # type: ignore[attr-defined]
            }
        history.add(kept)
    return history
