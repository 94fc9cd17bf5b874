"""Which keys does the banner of an environment have, and which of them does a scope set?

A key is the path of a scope: ``prod/ssoe``, ``prod/sis/idme``, ``prod/sis/*/vaweb``, or ``prod/mvi`` for the person
index. Methods and providers have keys if the policy gives them a banner id and they have not retired.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from detectors.axes import ANY, named, path_of
from detectors.policy.policy import Policy
from detectors.values import OTHER

__all__ = ["MVI", "BannerKeys", "Service", "Services", "Visitor", "provider_name"]

#: The master person index: both sign-in methods depend on it. The front end knows it as ``mvi``.
MVI = "mvi"
_METHOD, _CSP, _CLIENT = "auth_method", "csp", "client_id"
#: Of so many scopes the keys are remembered.
_SCOPES_KEPT = 1_000


class Visitor(NamedTuple):
    """Who is about to sign in, as far as that is known; None where it is not.

    Attributes:
        auth_method: the sign-in method, one that has a banner.
        csp: the credential provider, one that has a banner.
        client: the client, whose keys count as those of its method or provider.
    """

    auth_method: str | None = None
    csp: str | None = None
    client: str | None = None


class Service(NamedTuple):
    """A service as the front end knows it.

    Attributes:
        name: for people.
        axis: ``auth_method`` or ``csp``; empty for the person index.
        values: those of the axis that the service stands for.
        keys: the banner keys that tell its state.
    """

    name: str
    axis: str
    values: tuple[str, ...]
    keys: tuple[str, ...]


#: Service id of the front end -> what stands behind it.
Services = Mapping[str, Service]


class BannerKeys:
    """The keys that a policy gives rise to.

    Args:
        policy: its axes, values and environments are used. An environment that it does not list has no banner.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        retired = (one.retired for of_axis in policy.values.values() for one in of_axis.values())
        self._retirements = sorted(at for at in retired if at is not None)
        # (axis, how many values have retired) -> the values that have a banner; of an environment its keys, of a scope
        # those that it sets
        self._shown_of: dict[tuple[str, int], tuple[str, ...]] = {}
        self._keys_of: dict[tuple[str, int], tuple[str, ...]] = {}
        self._set_by: dict[tuple[str, int], tuple[str, ...]] = {}

    def methods(self, at: int) -> tuple[str, ...]:
        """The auth methods that have a banner at ``at`` (ms), in the order of the policy."""
        return self._shown(_METHOD, at)

    def providers(self, at: int) -> tuple[str, ...]:
        """The credential providers that have a banner at ``at`` (ms), in the order of the policy."""
        return self._shown(_CSP, at)

    def of_env(self, env: str, at: int) -> tuple[str, ...]:
        """The keys that an environment always has at ``at`` (ms); those of clients come with their incidents."""
        if env not in self._policy.envs:
            return ()
        asked = env, bisect_right(self._retirements, at)
        if asked not in self._keys_of:
            methods = self.methods(at)
            pairs = [(method, csp) for method in methods or (ANY,) for csp in self.providers(at)]
            self._keys_of[asked] = (
                *(self.path(env, method) for method in methods),
                f"{env}/{MVI}",
                *(self.path(env, method, csp) for method, csp in pairs),
            )
        return self._keys_of[asked]

    def of_scope(self, scope: str, at: int) -> tuple[str, ...]:
        """The keys that an incident on ``scope`` sets at ``at`` (ms).

        A provider on all methods sets the key of each. The whole environment sets the keys of all methods and of the
        person index. A method does not set the keys of its providers: a visitor who uses the method sees the method's
        own banner. A scope that names a client sets the key of its own path. A scope with a value that has no banner
        sets none.
        """
        asked = scope, bisect_right(self._retirements, at)
        if asked not in self._set_by:
            if len(self._set_by) >= _SCOPES_KEPT:
                self._set_by.clear()
            self._set_by[asked] = self._keys_set_by(scope, at)
        return self._set_by[asked]

    def _keys_set_by(self, scope: str, at: int) -> tuple[str, ...]:
        env = scope.partition("/")[0]
        if env not in self._policy.envs:
            return ()
        pairs = zip(self._policy.axes, named(scope), strict=False)
        values = {axis: value for axis, value in pairs if value != ANY}
        methods = self.methods(at)
        if not values:
            return (*(self.path(env, method) for method in methods), f"{env}/{MVI}")
        if not all(self._has_banner(axis, value, at) for axis, value in values.items()):
            return ()
        if _CLIENT in values or _METHOD in values:
            return (scope,)
        return tuple(self.path(env, method, values[_CSP]) for method in methods or (ANY,))

    def services(self, env: str, at: int, visitor: Visitor) -> Services:
        """The services that concern a visitor: providers, the person index, methods.

        Args:
            env: the environment.
            at: ms since the epoch.
            visitor: who asks; of what is not known of the visitor, all that have a banner.
        """
        methods = self.methods(at) if visitor.auth_method is None else (visitor.auth_method,)
        providers = self.providers(at) if visitor.csp is None else (visitor.csp,)
        found: dict[str, Service] = {}

        def add(axis: str, value: str, keys: Sequence[str]) -> None:
            service = self._policy.values[axis][value].banner or value
            had = found.get(service, Service(self._policy.name_of(axis, value), axis, (), ()))
            found[service] = had._replace(values=(*had.values, value), keys=(*had.keys, *keys))

        for csp in providers:
            pairs = [(one, csp) for one in methods or (ANY,)]
            keys = [self.path(env, *pair) for pair in pairs]
            add(_CSP, csp, [*keys, *self._of_client(env, [*pairs, (ANY, csp)], visitor.client)])
        found[MVI] = Service("MVI", "", (), (f"{env}/{MVI}",))
        for one in methods:
            pairs = [(one, ANY), (ANY, ANY)]
            add(_METHOD, one, [self.path(env, one), *self._of_client(env, pairs, visitor.client)])
        return found

    def path(self, env: str, method: str = ANY, csp: str = ANY, client: str = ANY) -> str:
        """The scope of these values; an axis that the policy does not have is left out."""
        values = {_METHOD: method, _CSP: csp, _CLIENT: client}
        return path_of(env, (values.get(axis, ANY) for axis in self._policy.axes))

    def _of_client(self, env: str, pairs: Sequence[tuple[str, str]], client: str | None) -> list[str]:
        if client is None or _CLIENT not in self._policy.axes:
            return []
        return [self.path(env, method, csp, client) for method, csp in pairs]

    def _shown(self, axis: str, at: int) -> tuple[str, ...]:
        if axis not in self._policy.axes:
            return ()
        asked = axis, bisect_right(self._retirements, at)
        if asked not in self._shown_of:
            values = self._policy.values_of(axis)
            self._shown_of[asked] = tuple(value for value in values if self._has_banner(axis, value, at))
        return self._shown_of[asked]

    def _has_banner(self, axis: str, value: str, at: int) -> bool:
        if value == OTHER or self._policy.is_retired(axis, value, at):
            return False
        if axis == _CLIENT:
            return True
        listed = self._policy.values.get(axis, {}).get(value)
        return axis in (_METHOD, _CSP) and listed is not None and listed.banner is not None


def provider_name(key: str, policy: Policy) -> str | None:
    """What people call the provider that a key names; None if it names none."""
    for axis, value in zip(policy.axes, named(key), strict=False):
        if axis == _CSP and value != ANY:
            return policy.name_of(axis, value)
    return None
