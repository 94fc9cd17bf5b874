"""Which values have the further fields of the requests that were completed in a minute, as far as a sample tells?

A minute keeps the sample of its successes and the sample of its failures (``detectors.windows.people.sampling``), which
depend on what happened in the minute and not on the order in which facts came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from detectors.arrays import Bools, Ids, Ints
from detectors.axes import Leaf
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import Kind
from detectors.windows.people.person_table import mixed
from detectors.windows.people.sampling import key_of_number, limit_of

__all__ = ["MinuteSample", "Request", "Sampled", "sampled_in", "together"]

#: So many events of a minute wait before they are joined with its sample.
_WAITING = 4_096


class Request(NamedTuple):
    """What requests have in common but for their time: their kind, and the values of their further fields."""

    kind: Kind
    values: Leaf


class Sampled(NamedTuple):
    """The sampled events among facts; all columns are (N,).

    Attributes:
        row: the position of the event's row.
        key: by which events are sampled: of failures made from the person.
        request: the position in ``requests``.
        requests: the distinct requests.
    """

    row: Ints
    key: Ids
    request: Ints
    requests: list[Request]


def sampled_in(facts: FactColumns, kinds: Sequence[Kind], failed: Bools) -> Sampled | None:
    """Return the sampled events of rows of facts; None if there are none.

    Args:
        facts: the rows.
        kinds: the kinds of ``facts.kinds``, with leaves as scopes count them.
        failed: (row,) whether each row is of failures.
    """
    each = [row.sampled for row in facts.rows]
    sizes = np.fromiter(map(len, each), np.int64, len(each))
    total = int(sizes.sum())
    if not total:
        return None
    numbers = np.fromiter(chain.from_iterable(each), np.uint64, total)
    row = np.repeat(np.arange(len(each)), sizes)
    of_failures = failed[row]
    key = np.where(of_failures, mixed(numbers), key_of_number(numbers))
    places: dict[tuple[int, Leaf], int] = {}
    values = chain.from_iterable(one.values for one in facts.rows)
    pairs = zip(facts.kind[row].tolist(), values, strict=True)
    request = np.fromiter((places.setdefault(pair, len(places)) for pair in pairs), np.int64, total)
    return Sampled(row, key, request, [Request(kinds[kind], values) for kind, values in places])


class MinuteSample:
    """The sample of the successes, or of the failures, of one minute.

    Attributes:
        requests: the distinct requests.
    """

    def __init__(self) -> None:
        self._places: dict[Request, int] = {}
        self.requests: list[Request] = []
        self._limit: np.uint64 | None = None
        self._key: Ids = np.empty(0, dtype=np.uint64)
        self._request: Ints = np.empty(0, dtype=np.int64)
        self._waiting: list[tuple[Ids, Ints]] = []
        self._wait = 0

    def add(self, found: Sampled, which: Ints) -> None:
        """Add the events at the positions ``which`` of ``found``."""
        used, place = np.unique(found.request[which], return_inverse=True)
        own = np.array([self._own(found.requests[n]) for n in used.tolist()], dtype=np.int64)
        self._waiting.append((found.key[which], own[place]))
        self._wait += len(which)
        if self._wait >= _WAITING:
            self.kept()

    def _own(self, request: Request) -> int:
        place = self._places.setdefault(request, len(self.requests))
        if place == len(self.requests):
            self.requests.append(request)
        return place

    def kept(self) -> tuple[Ids, Ints, np.uint64 | None]:
        """Return (N,) the keys and the requests of the sample, and the limit below which all events are there.

        The limit is None if all events of the minute are there.
        """
        if self._waiting:
            key, request = (
                np.concatenate(some) for some in zip((self._key, self._request), *self._waiting, strict=True)
            )
            self._waiting, self._wait = [], 0
            limit = limit_of(key)
            if limit is not None and (self._limit is None or limit < self._limit):
                self._limit = limit
            if self._limit is not None:
                key, request = key[key < self._limit], request[key < self._limit]
            self._key, self._request = key, request
        return self._key, self._request, self._limit


def together(
    samples: Sequence[MinuteSample], within: Callable[[Request], bool]
) -> tuple[Ids, Ints, list[Request], np.uint64 | None]:
    """Return the samples of several minutes as one, of the requests for which ``within`` holds.

    Returns:
        (N,) the keys, (N,) the positions of the requests, the requests, and the limit as ``MinuteSample.kept`` has it.
    """
    all_kept = [one.kept() for one in samples]
    limit = min((known for *_, known in all_kept if known is not None), default=None)
    places: dict[Request, int] = {}
    keys: list[Ids] = [np.empty(0, dtype=np.uint64)]
    requests: list[Ints] = [np.empty(0, dtype=np.int64)]
    for one, (key, request, _) in zip(samples, all_kept, strict=True):
        own = np.array(
            [places.setdefault(r, len(places)) if within(r) else -1 for r in one.requests], dtype=np.int64
        )
        if not len(own):
            continue
        placed = own[request]
        used = placed >= 0 if limit is None else (placed >= 0) & (key < limit)
        keys.append(key[used])
        requests.append(placed[used])
    return np.concatenate(keys), np.concatenate(requests), list(places), limit
