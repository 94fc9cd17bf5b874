"""Do too few sign-ins arrive for chance: hardly any, or for minutes surely a large part too few?

Hardly any is a silence. A shortfall is a loss of at least ``silence.shortfall`` that lasts for five minutes. Both are
tests of one kind: the number that arrives is Poisson around a level that is itself uncertain, hence negative binomial,
and it fires where as few come by chance with at most ``silence.chance``. How well the level is known differs: of a
silence the hour before says it to a fifth, as a tenth of the level would be as clear; of a shortfall the hour before
must say it as exactly as its own number allows.
"""

from __future__ import annotations

import numpy as np

from detectors.arrays import Bools, Floats
from detectors.confidence import chance_of_so_few, silence_gain
from detectors.instants import MINUTE
from detectors.policy.detector_sections import Silence

__all__ = ["is_sustained", "may_be_too_few", "most_missing", "only_reports_missing", "too_few", "uncertainty"]

#: The windows that show a shortfall, ms: a restart of a minute is none, and an hour says itself what is usual.
_SUSTAINED = (5 * MINUTE, 15 * MINUTE)


def is_sustained(length: int) -> bool:
    """Whether a window (ms) can show a shortfall."""
    return _SUSTAINED[0] <= length <= _SUSTAINED[1]


def most_missing(rules: Silence, length: int) -> float:
    """Return below which share of the expected sign-ins a window (ms) is far quieter than expected."""
    return max(rules.recover_ratio, 1.0 - rules.shortfall) if is_sustained(length) else rules.recover_ratio


def only_reports_missing(
    arrived: Floats, expected: Floats, completed: Floats, usual: Floats, rules: Silence
) -> Bools:
    """Return (step, scope) whether so many complete that mostly the reports of starts are missing.

    Where all starts are missing, so it is from ``completing_ratio`` of the usual completions on.
    """
    missing = np.clip(1.0 - arrived / np.maximum(expected, 1.0), 0.0, 1.0)
    return np.asarray(completed > usual * (1.0 - (1.0 - rules.completing_ratio) * missing))


def uncertainty(arrived: Floats, expected: Floats, before: Floats, rules: Silence) -> Floats:
    """Return the relative standard deviation of the level around what is expected.

    Args:
        arrived, expected: sign-ins in the window.
        before: sign-ins in the rest of the hour, which say the level.
    """
    exact = np.sqrt(rules.level_spread**2 + 1.0 / np.maximum(before, 1.0))
    return np.where(arrived <= rules.floor_ratio * expected, rules.spread, exact)


def may_be_too_few(arrived: Floats, usual: Floats, rules: Silence, length: int) -> Bools:
    """Return whether too few may arrive, of the usual number, which is at least what is expected."""
    found: Bools = arrived <= rules.floor_ratio * usual
    if is_sustained(length):
        short = arrived <= (1.0 - rules.shortfall) * usual
        short[short] = silence_gain(arrived[short], usual[short]) >= -np.log(rules.chance)
        found |= short
    return found & (usual >= rules.min_expected)


def too_few(arrived: Floats, expected: Floats, before: Floats, rules: Silence, length: int) -> Bools:
    """Return (step, scope) whether so few sign-ins arrive in a window that it is not by chance.

    Args:
        arrived, expected, before: (step, scope), as in ``uncertainty``; ``before`` is nan where it says no level.
        length: of the window, ms.
    """
    found: Bools = arrived <= rules.floor_ratio * expected
    if is_sustained(length):
        found |= (arrived <= (1.0 - rules.shortfall) * expected) & ~np.isnan(before)
    found &= expected >= rules.min_expected
    if found.any():
        came, mean, past = arrived[found], expected[found], np.nan_to_num(before[found])
        found[found] = chance_of_so_few(came, mean, uncertainty(came, mean, past, rules)) <= rules.chance
    return found
