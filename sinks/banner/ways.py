"""Which other way in works for a visitor whose own does not?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from detectors.axes import ANY
from detectors.policy.policy import Policy
from sinks.banner.keys import MVI, BannerKeys, Service, Visitor

__all__ = ["WaysIn"]


class WaysIn:
    """The ways in that work: no banner stands on them, and of their own sign-ins enough have just succeeded.

    Enough are all but ``banner.min_failing_ratio``, of all clients and of the visitor's client.

    Args:
        policy: the policy.
        env: the environment.
        at: ms since the epoch.
        visitor: who asks.
        failing: the banner keys that are not ``ok``.
        success: scope -> share of the sign-ins that have just succeeded, of scopes where enough completed to tell.
    """

    def __init__(
        self,
        policy: Policy,
        env: str,
        at: int,
        visitor: Visitor,
        failing: AbstractSet[str],
        success: Mapping[str, float],
    ) -> None:
        self._keys = BannerKeys(policy)
        self._env = env
        self._at = at
        self._visitor = visitor
        self._failing = failing
        self._success = success
        self._least = 1.0 - policy.banner.min_failing_ratio

    def instead_of(self, service: Service) -> list[dict[str, str]]:
        """The services by which the visitor can sign in instead, in the order of the policy: name and id of each.

        Instead of a provider these are the other providers, by the visitor's method, and the same provider by another
        method where the visitor's is known. Instead of a method they are the other methods. Nothing stands in for the
        person index, on which all depend.
        """
        method, csp, client = self._visitor
        found: dict[str, dict[str, str]] = {}
        if service.axis == "csp":
            others = (one for one in self._keys.providers(self._at) if one not in service.values)
            found |= self._working("csp", (Visitor(method, one, client) for one in others))
        if service.axis == "auth_method" or (service.axis == "csp" and method is not None):
            own = service.values if service.axis == "auth_method" else (method,)
            csp = service.values[0] if service.axis == "csp" else csp
            methods = (one for one in self._keys.methods(self._at) if one not in own)
            found |= self._working("auth_method", (Visitor(one, csp, client) for one in methods))
        return list(found.values())

    def _working(self, axis: str, ways: Iterator[Visitor]) -> dict[str, dict[str, str]]:
        """Those of the ways that work, by the id of their service on ``axis``."""
        found: dict[str, dict[str, str]] = {}
        for way in ways:
            services = self._keys.services(self._env, self._at, way)
            concerned = [
                one
                for service_id, one in services.items()
                if service_id == MVI
                or (one.axis == "csp" and way.csp is not None)
                or (one.axis == "auth_method" and way.auth_method is not None)
            ]
            if self._succeeds(way) and all(self._failing.isdisjoint(one.keys) for one in concerned):
                found |= {
                    service_id: {"service": one.name, "service_id": service_id}
                    for service_id, one in services.items()
                    if one.axis == axis
                }
        return found

    def _succeeds(self, way: Visitor) -> bool:
        values = (way.auth_method or ANY, way.csp or ANY)
        of_all = self._success.get(self._keys.path(self._env, *values), 0.0)
        of_client = self._success.get(self._keys.path(self._env, *values, way.client or ANY), of_all)
        return min(of_all, of_client) >= self._least
