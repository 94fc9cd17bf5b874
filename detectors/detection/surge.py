"""Does an error code, or the errors of users as a class, become far more frequent than usual?

Each error code is counted in one window and has a number from which on it is a surge: that of the public monitor if
there is one. Errors of users (codes that do not count against the service) are also judged as a class, by their share
of all people who come back. In both cases people count, not requests: one person who tries forty times is no surge. A
surge also requires that the share, with allowance for chance, is at least a multiple of the usual share in the scope
by the two weeks before: the share of the code if the history holds it, else that of its class, which is always greater.

Surges open incidents that wake nobody. A surge of failures that count is mostly an outage, seen through one of its
codes, so an outage comes first when a cause is chosen (``attribution``, ``lifecycle.grouping``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats, Ints
from detectors.confidence import failure_gain, surely_above, surely_below, wilson_lower
from detectors.detection.explanation import cause_at, of_scope
from detectors.detection.lattice.lattice import lattice_of
from detectors.detection.verdicts import Verdicts, verdict_of
from detectors.history.history import History
from detectors.incidents import Cause, DetectorName
from detectors.instants import DAY, MINUTE, format_duration
from detectors.policy.journey_sections import CodeSurge
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, EXCLUDED, GOOD
from detectors.windows.error_codes import CodeWindows
from detectors.windows.frame import Frame

__all__ = ["SurgeDetector"]

#: A surge ends only where requests have completed within this time, ms.
_RECENT = 15 * MINUTE
#: A finding names a code instead of its class if at least this share of the class's people failed with the code.
_OF_ONE_CODE = 0.7
#: The greatest limit that a share must exceed to be a surge.
_HIGHEST = 0.99


@dataclass(frozen=True)
class SurgeDetector:
    """Detects errors that have become far more frequent than usual."""

    policy: Policy
    history: History
    name: ClassVar[DetectorName] = "surge"

    def may_fire(self, frame: Frame) -> bool:
        """Whether a code, or the class of users' errors, reaches the lowest numbers and shares of a surge anywhere."""
        codes, rules = frame.codes, self.policy.surge
        if codes is None:
            return False
        for code, at_most in codes.at_most().items():
            least = _rule(self.policy, code).count
            if at_most >= least and (codes.counts(code, rules.window) >= least).any():
                return True
        for window in rules.user_errors.windows:
            count = frame.counts[window][..., EXCLUDED]
            enough = count >= rules.user_errors.min_people
            # A share can only be surely above a limit if it is above the limit, and no limit is lower than this.
            lowest = min(rules.user_errors.ratio, _HIGHEST)
            if enough.any() and (enough & (count > _completed(frame, window) * lowest)).any():
                return True
        return False

    def judge(self, frame: Frame) -> Verdicts:
        """Return the verdicts on a frame."""
        found = _Surges(frame, self.policy, self.history)
        return Verdicts(self.name, found.state, found.explain, found.gain)


def _rule(policy: Policy, code: str) -> CodeSurge:
    return policy.surge.codes.get(code, policy.surge.any_code)


def _completed(frame: Frame, window: int) -> Ints:
    """Return (step, scope) the requests in a window (ms) that completed, without token requests."""
    counts = frame.counts[window]
    completed: Ints = counts[..., GOOD] + counts[..., BAD] + counts[..., EXCLUDED]
    completed -= lattice_of(frame.scopes).tokens(counts[..., GOOD])
    return completed


@dataclass(frozen=True)
class _Kind:
    """One kind of error in one window, as arrays (step, scope); built only if it is a surge anywhere.

    Attributes:
        code: the error code; None for the class of the users' errors.
        counts: "bad" or "excluded", as the policy defines.
        window: ms.
        count, people: failures, and distinct people who failed.
        trials: ``people`` plus all others who came back.
        usual: the usual share.
        limit: the share that must be exceeded.
        least: the number from which on it is a surge: of failures for a code, of people for the class.
        fires: whether it is a surge.
    """

    code: str | None
    counts: str
    window: int
    count: Ints
    people: Ints
    trials: Ints
    usual: Floats
    limit: Floats
    least: int
    min_people: int
    fires: Bools


class _Surges:
    def __init__(self, frame: Frame, policy: Policy, history: History) -> None:
        self._frame = frame
        self._policy = policy
        self._rules = policy.surge
        self._history = history
        self._codes = frame.codes
        days, self._day = np.unique((frame.ends - 1) // DAY, return_inverse=True)
        self._days = [int((day + 1) * DAY) for day in days]
        shape = (len(frame.ends), len(frame.scopes))
        self._is_scope = lattice_of(frame.scopes).is_scope
        self._lingers: Bools = np.zeros(shape, dtype=bool)
        self._kinds: list[_Kind] = []
        self._gains: Floats | None = None
        if self._codes is not None:
            for window in self._rules.user_errors.windows:
                self._judge_users(window, self._codes)
            for code, at_most in self._codes.at_most().items():
                if at_most >= _rule(self._policy, code).recover_below:
                    self._judge_code(code, self._codes)
        firing = np.zeros(shape, dtype=bool)
        for kind in self._kinds:
            firing |= kind.fires
        alive = frame.counts[_RECENT][..., [GOOD, BAD, EXCLUDED]].any(axis=-1)
        self.state = verdict_of(firing, alive & ~self._lingers)

    # -- usual shares ----------------------------------------------------------------------------------------

    def _usual_of_class(self, counts: str) -> Floats:
        """Return (step, scope) the usual share of errors of users ("excluded"), or of failures that count ("bad")."""
        if counts == "excluded":
            known = np.stack([self._history.usual_user_errors(day) for day in self._days])
            return np.asarray(np.where(np.isnan(known), self._rules.usual_user_errors, known)[self._day])
        known = np.stack([self._history.usual_failing_ratio(day) for day in self._days])
        return np.asarray(np.maximum(known, self._rules.usual_failures)[self._day])

    def _usual_of_code(self, code: str, counts: str) -> Floats:
        known = np.stack([self._history.usual_share_of_code(code, day) for day in self._days])[self._day]
        return np.where(np.isnan(known), self._usual_of_class(counts), known)

    # -- verdicts --------------------------------------------------------------------------------------------

    def _judge_users(self, window: int, codes: CodeWindows) -> None:
        rules, z = self._rules.user_errors, self._rules.confidence
        count = self._frame.counts[window][..., EXCLUDED]
        enough = count >= rules.min_people
        if not enough.any():
            return
        completed = _completed(self._frame, window)
        over = np.zeros(enough.shape, dtype=bool)
        for shorter in rules.windows:
            if shorter < window:
                lately = self._frame.counts[shorter][..., EXCLUDED]
                over |= surely_below(lately, _completed(self._frame, shorter), rules.recover_below, z)
        self._lingers |= enough & (count >= rules.recover_below * completed) & ~over
        usual = self._usual_of_class("excluded")
        limit = np.minimum(np.maximum(rules.ratio, self._rules.times_usual * usual), _HIGHEST)
        # People are at most as many as failures, so they cannot exceed the limit where failures do not.
        if not (enough & surely_above(count, completed, limit, z)).any():
            return
        self._keep(
            code=None,
            counts="excluded",
            window=window,
            count=count,
            people=codes.people(self._policy.codes.excluded, window),
            usual=usual,
            limit=limit,
            least=rules.min_people,
            min_people=rules.min_people,
            where=~over,
        )

    def _judge_code(self, code: str, codes: CodeWindows) -> None:
        rules, window, z = self._rules, self._rules.window, self._rules.confidence
        rule, count = _rule(self._policy, code), codes.counts(code, window)
        if not (count >= rule.recover_below).any():
            return
        counts = "bad" if self._policy.is_bad(code) else "excluded"
        usual = self._usual_of_code(code, counts)
        limit = np.minimum(rules.times_usual * usual, _HIGHEST)
        completed = _completed(self._frame, window)
        often = surely_above(count, completed, limit, z)
        self._lingers |= often & (count >= rule.recover_below)
        often &= count >= rule.count
        if not often.any():
            return
        self._keep(
            code=code,
            counts=counts,
            window=window,
            count=count,
            people=codes.people((code,), window),
            usual=usual,
            limit=limit,
            least=rule.count,
            min_people=rule.min_people,
            where=often,
        )

    def _keep(
        self,
        *,
        code: str | None,
        counts: str,
        window: int,
        count: Ints,
        people: Ints,
        usual: Floats,
        limit: Floats,
        least: int,
        min_people: int,
        where: Bools,
    ) -> None:
        """Keep a kind of error (arguments as in ``_Kind``) if it fires in any cell of ``where`` (step, scope)."""
        people = np.minimum(count, people)
        trials = _completed(self._frame, window) - count + people
        fires = (
            where
            & self._is_scope
            & (people >= min_people)
            & surely_above(people, trials, limit, self._rules.confidence)
        )
        if fires.any():
            self._kinds.append(
                _Kind(code, counts, window, count, people, trials, usual, limit, least, min_people, fires)
            )

    def gain(self, step: int) -> Floats:
        """Return float64 (scope,), as ``Verdicts.gain`` defines it; the first call computes it for all steps."""
        if self._gains is None:
            self._gains = np.zeros(self.state.shape)
            for kind in self._kinds:
                # A kind that fires only at another step must not count, because the bounds of a frame are arbitrary.
                now = kind.fires.any(axis=1, keepdims=True)
                self._gains = np.maximum(self._gains, _gain(kind, slice(None), slice(None)) * now)
        row: Floats = self._gains[step]
        return row

    # -- words -----------------------------------------------------------------------------------------------

    def explain(self, step: int, scope: int) -> Cause:
        """Return the finding at a cell, by the most prominent kind of error that fires there, or else at that step."""
        frame = self._frame
        cause, name = (
            cause_at("surge", frame.scopes, self.state, step, scope),
            of_scope("sign-ins", frame.scopes, scope),
        )
        at_step = [kind for kind in self._kinds if kind.fires[step].any()]
        kinds = [kind for kind in at_step if kind.fires[step, scope]] or at_step
        if not kinds:
            return cause(sentence=f"no error of {name} is frequent")
        kind = self._telling(kinds, step, scope)
        count, people, trials = (int(array[step, scope]) for array in (kind.count, kind.people, kind.trials))
        usual, limit = float(kind.usual[step, scope]), float(kind.limit[step, scope])
        said = "by errors of the users" if kind.code is None else f"with {self._meaning(kind.code)}"
        return cause(
            sentence=(
                f"{count:,} of {trials - people + count:,} {name} failed {said} in"
                f" {format_duration(kind.window)}, {people:,} people; normal is {_percent(usual)}"
            ),
            numbers={
                "window_ms": kind.window,
                "code": kind.code,
                "counts": kind.counts,
                "count": count,
                "people": people,
                "completed": trials - people + count,
                "share": round(people / trials, 6) if trials else None,
                "surely_above": round(float(wilson_lower(people, trials, self._rules.confidence)), 6),
                "threshold": round(limit, 6),
                "least": kind.least,
                "min_people": kind.min_people,
                "usual_ratio": round(usual, 6),
            },
            first_bad=int(frame.ends[step]) - kind.window,
            failing_ratio=people / trials if trials else 0.0,
            csp_caused=False,
        )

    def _telling(self, kinds: list[_Kind], step: int, scope: int) -> _Kind:
        """Return the most prominent kind of error; a code instead of its class, if the code is most of the class."""

        def people(of: list[_Kind]) -> int:
            return max((int(kind.people[step, scope]) for kind in of), default=0)

        codes = [kind for kind in kinds if kind.code is not None]
        users = [kind for kind in kinds if kind.code is None]
        meanwhile = [kind for kind in users if kind.window == self._rules.window]
        if codes and people(codes) >= _OF_ONE_CODE * people(meanwhile):
            kinds = codes
        return max(kinds, key=lambda kind: float(_gain(kind, step, scope)))

    def _meaning(self, code: str) -> str:
        """Return a code with its name and meaning: ``005 (auth_too_late, the user took too long)``."""
        return f"{code} ({self._policy.codes.names[code]})"


def _gain(kind: _Kind, steps: int | slice, scopes: int | slice) -> npt.NDArray[np.float64]:
    return failure_gain(
        kind.people[steps, scopes], kind.trials[steps, scopes], np.maximum(kind.usual[steps, scopes], 1e-6)
    )


def _percent(share: float) -> str:
    """Return a share as ``2.9 %``, with two significant digits but no digit below a thousandth of a percent."""
    return f"{max(share * 100, 0.001 if share else 0):.2g} %"
