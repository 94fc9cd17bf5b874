"""What goes wrong in a scenario, and what that deserves: the truth of the simulation, read for ``promises``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detectors.instants import parse_instant
from sinks.banner.banner import BANNERS
from streams.simulate.episodes import Placed
from streams.simulate.truth import severity

__all__ = ["SLACK_ONLY", "Expectation", "expectations"]

#: Kinds that are told to Slack alone: nobody is woken, Datadog hears nothing, no banner goes up.
SLACK_ONLY = ("surge", "latency")
#: A share of failures over which a banner is sure to be due (5 % is where it begins).
_BANNER_SHARE = 0.1


@dataclass(frozen=True)
class Expectation:
    """A thing that truly goes wrong.

    Attributes:
        kind, scope, severity, users: as of the truth.
        start, end: ms.
        page: whether it should wake somebody; None if it may or may not.
        share: of the requests it may strike, at its full.
        steady: it is the same from its beginning to its end.
    """

    kind: str
    scope: str
    start: int
    end: int
    severity: int
    users: int
    page: bool | None
    share: float = 1.0
    steady: bool = True

    @property
    def env(self) -> str:
        return self.scope.partition("/")[0]

    @property
    def severities(self) -> tuple[int, ...]:
        """The peak severities that it may have.

        The truth projects the worst minutes to an hour; the watch does so from the lower bound of its confidence,
        and may so stay at what the people of the worst hour make.
        """
        if self.kind in SLACK_ONLY:
            return (self.severity,)
        return tuple(range(self.severity, severity(self.scope, self.users) + 1))

    @property
    def banner(self) -> str | None:
        """The state that its banners must reach; None where that is not sure."""
        if self.env != "prod" or self.kind in SLACK_ONLY or self.page is None or self.share < _BANNER_SHARE:
            return None
        level = BANNERS[self.severity]
        return level if len(self.severities) == 1 and level in ("critical", "warning") else None


def expectations(truth: Iterable[Mapping[str, Any]], episodes: Sequence[Placed]) -> tuple[Expectation, ...]:
    """The records of the truth, with what only the episodes behind them say."""
    out = []
    for record in truth:
        start = parse_instant(record["start"])
        placed = next(p for p in episodes if p.begin == start and p.episode.scope == record["scope"])
        episode = placed.episode
        out.append(
            Expectation(
                kind=record["kind"],
                scope=record["scope"],
                start=start,
                end=parse_instant(record["end"]),
                severity=record["severity"],
                users=record["users"],
                page=record.get("page"),
                share=episode.share,
                steady=not episode.rise and episode.flapping is None,
            )
        )
    return tuple(out)
