"""The banners of one environment as last published, and what a new look at its incidents changes."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.incidents import Incident
from detectors.policy.policy import Policy
from sinks.banner.banner import Banner, banners

__all__ = ["BannerBoard"]


class BannerBoard:
    """Starts with every key ``ok``.

    Args:
        env: the environment.
        policy: its section ``banner`` and its maintenance windows are used.
    """

    def __init__(self, env: str, policy: Policy) -> None:
        self._env = env
        self._policy = policy
        self._shown: dict[str, Banner] = {}

    def update(self, at: int, incidents: Iterable[Incident]) -> list[Banner]:
        """Look at the incidents at ``at`` (ms); the banners that changed, by key."""
        rules = self._policy.banner
        now = banners(
            self._env,
            incidents,
            self._policy.maintenance,
            at,
            previous=self._shown,
            levels=rules.status,
            min_failing_ratio=rules.min_failing_ratio,
            valid_for=rules.valid_for,
        )
        before, self._shown = self._shown, now
        changed = []
        for key, banner in now.items():
            old = before.get(key)
            was = ("ok", None) if old is None else (old.state, old.incident_id)
            if was != (banner.state, banner.incident_id):
                changed.append(banner)
        return changed

    def shown(self) -> list[Banner]:
        """All banners as of the last look; empty before the first."""
        return list(self._shown.values())

    def restore(self, shown: Iterable[Banner]) -> None:
        """Go on from what an earlier run has published."""
        self._shown = {banner.key: banner for banner in shown}
