"""Which events have the values of their further fields kept: a uniform sample, whatever parts the events come in?

Each event has a key, spread evenly over 64 bits. Of a set of events those of the ``SAMPLED`` least distinct keys are
its sample (bottom-k sampling, Cohen and Kaplan 2007): of two sets that were sampled apart, the sample of both together
is found among the two samples. The key of a failure is made from its person, so that all failures of a person are in a
sample or none.
"""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats, Ids, Ints

__all__ = ["SAMPLED", "key_of_number", "limit_of", "numbers_of"]

#: The most distinct keys of a sample: shares in five minutes of full samples are within 6 % (two standard errors).
SAMPLED = 64
#: The bits of a key that a number does not hold.
_SHIFT = np.uint64(32)
_ODD = np.uint64(0x9E3779B97F4A7C15)


def numbers_of(occurred: Ints, durations: Floats) -> Ids:
    """Return (N,) a number of 32 bits for each of N events that are no failures; equal events have equal numbers.

    Args:
        occurred: (N,) when they happened, ms.
        durations: (N,) ms; NaN for none.
    """
    # All events without a duration have the same NaN here, so that the way to it makes no difference.
    bits = np.where(np.isnan(durations), np.nan, durations).view(np.uint64)
    numbers = occurred.astype(np.uint64) * _ODD + bits
    numbers ^= numbers >> _SHIFT
    numbers *= _ODD
    return numbers >> _SHIFT


def key_of_number(numbers: Ids) -> Ids:
    """Return (N,) the key of each event by its number, as ``mixed`` gives that of a failure by its person."""
    return numbers << _SHIFT


def limit_of(keys: Ids, most: int = SAMPLED) -> np.uint64 | None:
    """Return the least key that is not among the ``most`` least distinct keys; None if all are."""
    if len(keys) <= most:
        return None
    # Among four times as many as are wanted are enough distinct ones, but for events that are alike.
    some = keys if len(keys) <= 4 * most else np.partition(keys, 4 * most)[: 4 * most]
    distinct = np.unique(some)
    if len(distinct) <= most and len(some) < len(keys):
        distinct = np.unique(keys)
    return distinct[most] if len(distinct) > most else None
