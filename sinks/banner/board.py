"""Which banners of an environment changed since they were last published?"""

from __future__ import annotations

from collections.abc import Iterable

from detectors.incidents import Incident
from detectors.policy.policy import Policy
from detectors.process.covers import Cover
from sinks.banner.banner import Banner, banners
from sinks.banner.keys import BannerKeys

__all__ = ["BannerBoard"]


class BannerBoard:
    """The banners of one environment as last published. It begins with every key ``ok``.

    Args:
        env: the environment.
        policy: its values, its section ``banner`` and its maintenance windows are used.
    """

    def __init__(self, env: str, policy: Policy) -> None:
        self._env = env
        self._policy = policy
        self._keys = BannerKeys(policy)
        self._shown: dict[str, Banner] = {}

    def update(self, at: int, incidents: Iterable[Incident], covers: Iterable[Cover] = ()) -> list[Banner]:
        """Compute the banners of incidents and maintenance (``banners``) at ``at`` (ms); returns those that changed."""
        now = banners(self._policy, self._env, incidents, at, self._shown, covers, keys=self._keys)
        before, self._shown = self._shown, now
        changed = []
        for key, banner in now.items():
            old = before.get(key)
            was = ("ok", None) if old is None else (old.state, old.incident_id)
            if was != (banner.state, banner.incident_id):
                changed.append(banner)
        return changed

    def shown(self) -> list[Banner]:
        """All banners as of the last ``update``; empty before the first."""
        return list(self._shown.values())

    def restore(self, shown: Iterable[Banner]) -> None:
        """Continue from the banners that an earlier run published."""
        self._shown = {banner.key: banner for banner in shown}
