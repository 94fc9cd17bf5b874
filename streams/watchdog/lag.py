"""Is an environment evaluated up to the present, and if not: since when does its evaluation not get on?"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

__all__ = ["LagJudge"]

#: A lag that is ordinary, seconds: the watermark's delay, the idle rule, and a rebalance are well below.
_ORDINARY = 10.0
#: Who falls behind and then comes nearer to the present by this share of ``blind_after`` gets on.
_CATCHING_UP = 1 / 12


@dataclass
class _Seen:
    """What is known of an environment.

    Attributes:
        evaluated_to: the last T, ms.
        moved_at: when the last T was seen first, seconds.
        lag: the least lag since ``nearer_at``, seconds.
        nearer_at: when the lag was ordinary last, or had fallen last, seconds.
        behind: whether it stays behind.
    """

    evaluated_to: int
    moved_at: float
    lag: float
    nearer_at: float
    behind: bool = False


class LagJudge:
    """Tells an evaluation that stands still, or stays behind, from one that catches up.

    A worker that starts behind an hour of log is an hour behind and gets on: its lag falls. One whose last T stands,
    or whose lag stays above ``blind_after``, does not get on. Who evaluates does not matter: an environment that goes
    from one worker to the next and falls behind with each of them does not get on either.

    Args:
        blind_after: the lag from which an environment counts as not watched, seconds.
        ordinary: a lag that is ordinary, seconds.
    """

    def __init__(self, blind_after: float, *, ordinary: float = _ORDINARY) -> None:
        self._blind_after = blind_after
        self._ordinary = min(ordinary, blind_after / 2)
        self._nearer = _CATCHING_UP * blind_after
        self._seen: dict[str, _Seen] = {}

    def stuck_since(self, env: str, evaluated_to: int, lag: float, now: float) -> float | None:
        """When an environment began not to get on, monotonic seconds; None: it gets on.

        Args:
            env: the environment.
            evaluated_to: its last T, ms.
            lag: how far that is behind the present, seconds.
            now: monotonic seconds.
        """
        behind_since = self.behind_since(env, evaluated_to, lag, now)
        seen = self._seen[env]
        return seen.moved_at if now - seen.moved_at >= self._ordinary else behind_since

    def behind_since(self, env: str, evaluated_to: int, lag: float, now: float) -> float | None:
        """When an environment began to stay behind, monotonic seconds, whether its last T stands or not; else None."""
        seen = self._seen.get(env)
        if seen is None:
            self._seen[env] = _Seen(evaluated_to, now, lag, now)
            return None
        if evaluated_to > seen.evaluated_to:  # a new owner may begin at a T that was evaluated before
            seen.evaluated_to, seen.moved_at = evaluated_to, now
        if lag <= self._ordinary or lag <= seen.lag - self._nearer:
            seen.lag, seen.nearer_at = lag, now
        limit = self._blind_after / (
            2 if seen.behind else 1
        )  # a lag that sways about the limit is one obstacle
        seen.behind = lag >= limit and now - seen.nearer_at >= self._ordinary
        return seen.nearer_at if seen.behind else None

    def keep(self, envs: Set[str]) -> None:
        """Forget all other environments."""
        for env in self._seen.keys() - envs:
            del self._seen[env]
