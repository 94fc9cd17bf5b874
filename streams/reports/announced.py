"""Which maintenance did people announce at run time, and what did they take out of the account, as the log tells?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from detectors.history.error_budget import Exclusion
from detectors.process.covers import Cover
from streams.records.jsonl import read_cover
from streams.records.log_lines import Line

__all__ = ["Announced", "announced"]


class Announced(NamedTuple):
    """A span of maintenance or of a correction, and what was announced; ``cover.counts``: the SLA leaves it out."""

    span: Exclusion
    cover: Cover


def announced(lines: Iterable[Line], env: str, now: int) -> list[Announced]:
    """Return the spans of an environment that the notices of the incident log tell, the earliest first.

    Args:
        lines: of the incident log; others than notices of maintenance and corrections say nothing here.
        env: the environment.
        now: maintenance that is under way is told up to this instant, ms.
    """
    found: dict[tuple[str, int], Announced] = {}
    for what, at, cover in _covers(lines, env):
        if cover.kind == "correction":
            span = Exclusion(cover.scope, cover.start, cover.end, "correction")
            found[cover.id, cover.start] = Announced(span, cover)
            if what == "ended":  # by a person: nothing else ends a correction
                del found[cover.id, cover.start]
        elif cover.kind == "maintenance" and cover.begun is not None:
            end = min(cover.begun + cover.end - cover.start, at if what == "ended" else now)
            span = Exclusion(cover.scope, cover.begun, end, "maintenance")
            found[cover.id, cover.begun] = Announced(span, cover)
    return sorted(found.values(), key=lambda one: (one.span.start, one.cover.id))


def _covers(lines: Iterable[Line], env: str) -> Iterator[tuple[str | None, int, Cover]]:
    """Yield (set, began or ended; T, ms; cover) of the notices that tell of one, in the order of T."""
    for line in sorted((one for one in lines if one.cover is not None), key=lambda one: one.instant):
        with contextlib.suppress(ValueError):  # of another version, whose covers say something else
            cover = read_cover(line.cover or {})
            if cover.scope.partition("/")[0] == env:
                yield line.field, line.instant, cover
