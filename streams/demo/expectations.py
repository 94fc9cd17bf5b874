"""What must watchofficer do about each outage of a scenario? The truth of the simulation, for ``assertions``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detectors.backtest.labels import NOTICE
from detectors.instants import parse_instant
from streams.settings.policy_file import default_policy
from streams.simulate.episodes import Placed
from streams.simulate.truth import severity

__all__ = ["SLACK_ONLY", "Expectation", "expectations"]

#: Kinds of which only Slack is notified: no page, no event in Datadog, no banner.
SLACK_ONLY = ("surge", "latency")
#: Share of failures above which a banner is certain (banners begin at 5 %).
_BANNER_SHARE = 0.1


@dataclass(frozen=True)
class Expectation:
    """A true outage, and the reaction that it requires.

    Attributes:
        kind, scope, severity, users: as in the truth.
        start, end: ms.
        page: whether it should wake somebody; None if it may or may not.
        share: greatest share of the requests that the outage affects.
        steady: whether the outage is constant from its beginning to its end.
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
        """The peak severities that the incident may reach.

        The truth projects the worst minutes to an hour. The engine projects from the lower bound of its
        confidence, and so may stay at the severity of the people of the worst hour.
        """
        if self.kind in SLACK_ONLY:
            return (self.severity,)
        return tuple(range(self.severity, severity(self.scope, self.users) + 1))

    @property
    def banner(self) -> str | None:
        """The state that the banners must reach; None if it is not certain."""
        if self.env != "prod" or self.kind in SLACK_ONLY or self.page is None or self.share < _BANNER_SHARE:
            return None
        level = default_policy().banner.status[self.severity]
        return level if len(self.severities) == 1 and level != "active" else None


def expectations(truth: Iterable[Mapping[str, Any]], episodes: Sequence[Placed]) -> tuple[Expectation, ...]:
    """The expectations of the records of the truth, without notices, completed from their episodes."""
    out = []
    for record in truth:
        if record["kind"] == NOTICE:
            continue
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
