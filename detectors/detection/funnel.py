"""Do people start to sign in, leave for the credential provider, and not come back?

In each window the callbacks, with any outcome, are compared with the sign-ins that started some time before, times the
share that usually returns. On an ordinary day 20 to 40 % never return, so the usual share comes from each scope's own
two weeks (the median of the days, or the same hour of the week if its share was lower). The detector fires where surely
less than ``fires_below`` of the usual returns arrive. A method may also have a fixed limit (``monitors``).

The time that people are away is unknown, and people who started in the last minutes have not had time to return. Starts
are therefore counted with several delays, and the delay with the fewest starts is used. So a wave of starts whose
returns have not arrived yet, a deploy, a silence and its end, and sign-ins that have moved elsewhere do not change the
ratio.

People who all take longer than usual are missing for as long, and then come back. So they may be delayed until they
have lacked for ``longest_delay``: until then nobody is estimated to be lost, and nobody is woken.

A long window ends too as soon as a shorter one sees the returns. Without a history of two weeks, the hour before the
window gives the usual share, and the detector fires below half of this share. If that hour does not show a share, or if
hardly any returns can be expected, there is not enough evidence. A new installation on which nobody has ever returned
therefore has no finding: callbacks may not be reported at all.

Who comes back and succeeds asks for a token, where the method has tokens: so the detector also fires where surely too
few tokens follow (``arriving.tokens``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.confidence import chance_of_so_few, silence_gain
from detectors.detection.arriving.tokens import TokenWindow, token_windows
from detectors.detection.explanation import cause_at, of_scope
from detectors.detection.lattice.lattice import lattice_of
from detectors.detection.verdicts import Verdicts, verdict_of
from detectors.history.history import History
from detectors.incidents import Cause, DetectorName
from detectors.instants import DAY, HOUR, MINUTE, format_duration
from detectors.policy.policy import Policy
from detectors.windows.frame import Frame
from detectors.windows.returns import RETURNED, WENT

__all__ = ["FunnelDetector"]

#: Expectations are computed at full minutes.
_GRID = MINUTE
#: The number of starts that a share must be computed from in order to count as usual.
_LEARNED = 200
#: People are estimated by windows of at least this length, ms, if one fires: shorter windows hold too few starts.
_STEADY = 5 * MINUTE
#: Lost people are limited to this multiple of the people whom two weeks let expect: retries are not more people.
_AT_MOST = 1.5
#: Nobody is lost where this share of those comes back whom two weeks and the hour before let expect.
_AS_MANY = 0.85


@dataclass(frozen=True)
class FunnelDetector:
    """Detects lost returns: people leave for the credential provider and do not come back."""

    policy: Policy
    history: History
    name: ClassVar[DetectorName] = "funnel"

    def may_fire(self, frame: Frame) -> bool:
        """Whether anywhere in a frame fewer people return than the highest limit requires of all starts."""
        rules = self.policy.funnel
        if not frame.returns or not frame.returns[HOUR].any():
            return False
        weeks, _ = _by_the_weeks(frame, self.history)
        learned = ~np.isnan(weeks)
        share = np.where(learned, weeks, 1.0)
        limit = share * np.where(learned, rules.fires_below, rules.fires_below_unlearned)
        lattice = lattice_of(frame.scopes)
        for method, monitor in rules.monitors.items():
            scope = lattice.index(method)
            if scope is not None:
                limit[:, scope] = np.maximum(limit[:, scope], monitor.below)
        for length in rules.windows:
            came = _came(frame, length)
            went = _went(frame, length, min(rules.delays))
            few = (share * went >= rules.min_expected) & (came < limit * went) & lattice.is_scope
            if few.any():
                return True
        return any(window.fires.any() for window in token_windows(frame, rules, self.history))

    def judge(self, frame: Frame) -> Verdicts:
        """Return the verdicts on a frame."""
        found = _Funnel(frame, self.policy, self.history)
        return Verdicts(self.name, found.state, found.explain, found.gain, found.unknowing)


def _went(frame: Frame, length: int, delay: int) -> Ints:
    """Return (step, scope) the sign-ins that started in a window (ms) which ends ``delay`` ms before each step."""
    return _since(frame.returns, length, delay, WENT)


def _came(frame: Frame, length: int, earlier: int = 0) -> Ints:
    """Return (step, scope) the callbacks in a window (ms) that ends ``earlier`` ms before each step.

    A callback that lacks a value, as it failed before that was known, may be of any scope that names one.
    """
    came = _since(frame.returns, length, earlier, RETURNED)
    lattice = lattice_of(frame.scopes)
    nameless = lattice.nameless.any(axis=0)
    leaves = lattice.leaves(came)[:, nameless]
    if leaves.any():
        came = came + (leaves.astype(np.float64) @ lattice.nameless[:, nameless].T).astype(np.int64)
    return came


def _since(counts: Mapping[int, Ints], length: int, earlier: int, counter: int) -> Ints:
    """Return (step, scope) a counter in a window (ms) that ends ``earlier`` ms before each step."""
    counted: Ints = counts[length + earlier][..., counter]
    return counted - counts[earlier][..., counter] if earlier else counted


def _by_the_weeks(frame: Frame, history: History) -> tuple[Floats, Floats]:
    """Return (step, scope) the share of starts that usually returns, nan if unknown, and the returns per hour."""
    ends = frame.ends
    days, day = np.unique((ends - 1) // DAY, return_inverse=True)
    by_days = np.stack([history.usual_return_ratio(int((one + 1) * DAY)) for one in days])[day]
    minutes, minute = np.unique(ends // _GRID * _GRID, return_inverse=True)
    hour = history.returns(history.expected(minutes, HOUR))
    went, came = hour[..., WENT], hour[..., RETURNED]
    by_hour = np.where(np.nan_to_num(went) >= _LEARNED, came / np.maximum(went, 1.0), np.nan)[minute]
    usual = np.where(np.isnan(by_days), np.nan, np.fmin(by_days, by_hour))
    return np.minimum(usual, 1.0), np.asarray(came[minute])


@dataclass(frozen=True)
class _Window:
    """One window over the frame, (step, scope) each.

    Attributes:
        went: sign-ins that started, counted with the delay that has the fewest.
        came: callbacks.
        usual: share of starts that usually returns; nan if unknown.
        expected: returns that are expected of ``went``; 0 if unknown.
        limit: share of ``went`` below which the detector fires.
        fewer: whether fewer returned than a quiet finding requires.
        enough: whether enough returns are expected for the window to be evidence.
        fires: whether surely too few returned.
        back: whether people return.
    """

    length: int
    went: Floats
    came: Floats
    usual: Floats
    expected: Floats
    limit: Floats
    fewer: Bools
    enough: Bools
    fires: Bools
    back: Bools


class _Funnel:
    def __init__(self, frame: Frame, policy: Policy, history: History) -> None:
        self._frame = frame
        self._policy = policy.funnel
        shape = (len(frame.ends), len(frame.scopes))
        self._lattice = lattice_of(frame.scopes)
        self.unknowing: Bools = np.ones(shape, dtype=bool)
        self._windows: list[_Window] = []
        self._tokens: list[TokenWindow] = []
        self._gains: Floats | None = None
        none = np.zeros(shape, dtype=bool)
        self.state = verdict_of(none, none)
        if not frame.returns or not frame.returns[HOUR].any():
            return
        self._weeks, self._hourly = _by_the_weeks(frame, history)
        firing, back = none, none.copy()
        for length in sorted(self._policy.windows):
            window = self._judge(length, back)
            self._windows.append(window)
            firing = firing | window.fires
            back |= window.back
        self._tokens = token_windows(frame, self._policy, history)
        firing = firing.copy()
        for tokens in self._tokens:
            firing[:, tokens.methods] |= tokens.fires
            back[:, tokens.methods] &= ~tokens.fewer
        self.state = verdict_of(firing, back)
        self.unknowing = ~np.any([window.enough for window in self._windows], axis=0)

    # -- what is usual ---------------------------------------------------------------------------------------

    def _by_the_hour(self, length: int) -> Floats:
        """Return (step, scope) the share that returned in the hour before the window; nan with too few starts."""
        counts = self._frame.returns
        before = counts[HOUR] - counts[length]
        went, came = before[..., WENT], before[..., RETURNED]
        return np.where(went >= _LEARNED, np.minimum(came / np.maximum(went, 1), 1.0), np.nan)

    # -- verdicts --------------------------------------------------------------------------------------------

    def _judge(self, length: int, back_by_shorter: Bools) -> _Window:
        rules = self._policy
        came = _came(self._frame, length).astype(np.float64)
        went = np.min([_went(self._frame, length, delay) for delay in rules.delays], axis=0)
        went = went.astype(np.float64)
        learned = ~np.isnan(self._weeks)
        usual = np.where(learned, self._weeks, self._by_the_hour(length))
        usual = np.where(usual > 0, usual, np.nan)  # 0: callbacks are not reported at all
        share = np.nan_to_num(usual)
        expected = share * went
        enough = expected >= rules.min_expected
        limit = share * np.where(learned, rules.fires_below, rules.fires_below_unlearned)
        wanted = share * rules.recover_at
        for method, monitor in rules.monitors.items():
            scope = self._lattice.index(method)
            if monitor.window == length and scope is not None:
                holds = learned[:, scope] & (share[:, scope] >= monitor.recover_at)
                limit[:, scope] = np.where(holds, np.maximum(limit[:, scope], monitor.below), limit[:, scope])
                at_least = np.maximum(wanted[:, scope], monitor.recover_at)
                wanted[:, scope] = np.where(holds, at_least, wanted[:, scope])
        fewer = enough & (came < wanted * went) & self._lattice.is_scope
        fires = fewer & (came < limit * went) & ~back_by_shorter
        if fires.any():
            spread = np.sqrt(rules.spread**2 + 1.0 / went[fires])
            chance = chance_of_so_few(came[fires], (limit * went)[fires], spread)
            fires[fires] = chance <= rules.chance
        return _Window(length, went, came, usual, expected, limit, fewer, enough, fires, back=enough & ~fewer)

    def gain(self, step: int) -> Floats:
        """Return float64 (scope,), as ``Verdicts.gain`` defines it; the first call computes it for all steps."""
        if self._gains is None:
            self._gains = np.zeros(self.state.shape)
            for window in self._windows:
                gain = np.where(window.fewer, silence_gain(window.came, window.expected), 0.0)
                self._gains = np.maximum(self._gains, gain)
        row: Floats = self._gains[step]
        for tokens in self._tokens:
            tokens.raise_to(row, step)
        return row

    # -- words -----------------------------------------------------------------------------------------------

    def explain(self, step: int, scope: int) -> Cause:
        """Return the finding at a cell, by the window that ``_telling`` selects."""
        frame = self._frame
        cause, name = (
            cause_at("funnel", frame.scopes, self.state, step, scope),
            of_scope("sign-ins", frame.scopes, scope),
        )
        without = [tokens for tokens in self._tokens if tokens.fires_at(step, scope)]
        if without and not self._firing(step, scope):
            return self._explain_tokens(step, scope, without)
        if not self._windows:
            sentence = f"no {name} have come back yet, so nothing says how many do"
            return cause(sentence=sentence)
        window = self._telling(step, scope)
        went, came, expected, usual = (
            float(array[step, scope]) for array in (window.went, window.came, window.expected, window.usual)
        )
        limit = float(window.limit[step, scope])
        chance = None
        if went:
            spread = float(np.sqrt(self._policy.spread**2 + 1.0 / went))
            chance = float(f"{float(chance_of_so_few(came, limit * went, spread)):.3g}")
        known = not np.isnan(usual)
        lost = self._lost_per_hour(step, scope)
        sentence = f"{came:,.0f} of {went:,.0f} {name} came back in {format_duration(window.length)}"
        sentence += f"; normal is {usual:.0%}" if known else "; nothing says how many normally do"
        if lost is None and window.fires[step, scope]:
            sentence += f"; they may be delayed by up to {format_duration(self._policy.longest_delay)}"
        return cause(
            sentence=sentence,
            numbers={
                "window_ms": window.length,
                "started": went,
                "returned": came,
                "expected": round(expected, 1),
                "return_ratio": round(came / went, 6) if went else None,
                "usual_ratio": round(usual, 6) if known else None,
                "limit_ratio": round(limit, 6),
                "chance": chance,
                "threshold": self._policy.chance,
            },
            first_bad=int(frame.ends[step]) - self._shortest(step, scope).length,
            estimated_users=lost,
            failing_ratio=min(max(1.0 - came / expected, 0.0), 1.0) if expected else 0.0,
        )

    def _explain_tokens(self, step: int, scope: int, firing: list[TokenWindow]) -> Cause:
        """Return the finding at a cell where windows (ascending) fire by tokens that do not follow."""
        frame = self._frame
        # The longest window that holds hardly anything of the time before.
        most = max(tokens.lost(step, scope) for tokens in firing)
        window = [tokens for tokens in firing if tokens.lost(step, scope) >= 0.9 * most][-1]
        went, came, usual, limit = window.told(step, scope)
        # In a short window the reports of tokens may just be late.
        people = [tokens.lost_per_hour(step, scope) for tokens in firing if tokens.length >= _STEADY]
        spread = float(np.sqrt(self._policy.spread**2 + 1.0 / went))
        name = of_scope("sign-ins", frame.scopes, scope)
        return cause_at("funnel", frame.scopes, self.state, step, scope)(
            sentence=f"{came:,.0f} tokens followed {went:,.0f} {name} that came back well in"
            f" {format_duration(window.length)}; normal is {usual:.0%}",
            numbers={
                "window_ms": window.length,
                "started": went,
                "returned": came,
                "expected": round(usual * went, 1),
                "return_ratio": round(came / went, 6),
                "usual_ratio": round(usual, 6),
                "limit_ratio": round(limit, 6),
                "chance": float(f"{float(chance_of_so_few(came, limit * went, spread)):.3g}"),
                "threshold": self._policy.chance,
            },
            first_bad=int(frame.ends[step]) - firing[0].length,
            estimated_users=max(people, default=None),
            failing_ratio=window.lost(step, scope),
        )

    def _is_delay_excluded(self, step: int, scope: int) -> bool:
        """Return whether people lacked ``longest_delay`` ago as well, so that they do not just take longer."""
        counts, rules = self._frame.returns, self._policy
        earlier = rules.longest_delay
        for window in self._windows:
            came = float(_came(self._frame, window.length, earlier)[step, scope])
            went = float(
                min(_since(counts, window.length, earlier + d, WENT)[step, scope] for d in rules.delays)
            )
            limit = float(window.limit[step, scope]) * went
            if float(np.nan_to_num(window.usual[step, scope])) * went < rules.min_expected or came >= limit:
                continue
            spread = float(np.sqrt(rules.spread**2 + 1.0 / went))
            if float(chance_of_so_few(came, limit, spread)) <= rules.chance:
                return True
        return False

    def _firing(self, step: int, scope: int) -> list[_Window]:
        return [window for window in self._windows if window.fires[step, scope]]

    def _telling(self, step: int, scope: int) -> _Window:
        """Return the firing window with the greatest gain; if none fires, the longest window with enough evidence."""
        firing = self._firing(step, scope)
        if firing:
            return max(
                firing, key=lambda w: float(silence_gain(w.came[step, scope], w.expected[step, scope]))
            )
        return ([window for window in self._windows if window.enough[step, scope]] or self._windows)[-1]

    def _shortest(self, step: int, scope: int) -> _Window:
        return (self._firing(step, scope) or [self._telling(step, scope)])[0]

    def _lost_per_hour(self, step: int, scope: int) -> float | None:
        """Return the people per hour who do not come back though they usually would; None if they may be delayed."""
        firing = self._firing(step, scope)
        if not firing or not self._is_delay_excluded(step, scope):
            return None
        steady = [window for window in firing if window.length >= _STEADY] or firing
        weeks = float(np.nan_to_num(self._hourly[step, scope], nan=np.inf))
        return max(self._lost(window, step, scope, weeks) for window in steady)

    def _lost(self, window: _Window, step: int, scope: int, weeks: float) -> float:
        """Return the people per hour who do not come back by a window; ``weeks``: those who usually do, per hour."""
        per = HOUR / window.length
        came, expected = (float(of[step, scope]) * per for of in (window.came, window.expected))
        in_the_hour, lately = (float(_came(self._frame, w)[step, scope]) for w in (HOUR, window.length))
        before = (in_the_hour - lately) * HOUR / (HOUR - window.length)
        if came >= _AS_MANY * max(weeks, before):
            return 0.0
        return max(0.0, min(expected, weeks * _AT_MOST) - came)
