"""Which keys does the banner of an environment have, and which of them does a scope set?

A key is the path of a scope: ``prod/ssoe``, ``prod/sis/idme``, ``prod/sis/*/vaweb``, or ``prod/mvi`` for the person
index. Methods and providers have keys if the policy gives them a banner id and they have not retired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.axes import ANY, named, path_of
from detectors.policy.policy import Policy
from detectors.values import OTHER

__all__ = ["MVI", "BannerKeys", "Services"]

#: The master person index: both sign-in methods depend on it. The front end knows it as ``mvi``.
MVI = "mvi"
_METHOD, _CSP, _CLIENT = "auth_method", "csp", "client_id"

#: Service id of the front end -> name for people, banner keys.
Services = Mapping[str, tuple[str, Sequence[str]]]


class BannerKeys:
    """The keys that a policy gives rise to.

    Args:
        policy: its axes, values and environments are used. An environment that it does not list has no banner.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def methods(self, at: int) -> tuple[str, ...]:
        """The auth methods that have a banner at ``at`` (ms), in the order of the policy."""
        return self._shown(_METHOD, at)

    def of_env(self, env: str, at: int) -> tuple[str, ...]:
        """The keys that an environment always has at ``at`` (ms); those of clients come with their incidents."""
        if env not in self._policy.envs:
            return ()
        methods = self.methods(at)
        pairs = [(method, csp) for method in methods or (ANY,) for csp in self._shown(_CSP, at)]
        return (
            *(self._path(env, method) for method in methods),
            f"{env}/{MVI}",
            *(self._path(env, method, csp) for method, csp in pairs),
        )

    def of_scope(self, scope: str, at: int) -> tuple[str, ...]:
        """The keys that an incident on ``scope`` sets at ``at`` (ms).

        A provider on all methods sets the key of each. The whole environment sets the keys of all methods and of the
        person index. A method does not set the keys of its providers: a visitor who uses the method sees the method's
        own banner. A scope that names a client sets the key of its own path. A scope with a value that has no banner
        sets none.
        """
        env = scope.partition("/")[0]
        if env not in self._policy.envs:
            return ()
        pairs = zip(self._policy.axes, named(scope), strict=False)
        values = {axis: value for axis, value in pairs if value != ANY}
        methods = self.methods(at)
        if not values:
            return (*(self._path(env, method) for method in methods), f"{env}/{MVI}")
        if not all(self._has_banner(axis, value, at) for axis, value in values.items()):
            return ()
        if _CLIENT in values or _METHOD in values:
            return (scope,)
        return tuple(self._path(env, method, values[_CSP]) for method in methods or (ANY,))

    def services(self, env: str, at: int, method: str | None, client: str) -> Services:
        """The services that the front end reads of: providers, the person index, methods.

        Args:
            env: the environment.
            at: ms since the epoch.
            method: the visitor's auth method; None: all.
            client: the visitor's client, whose keys count as those of its method or provider.
        """
        methods = self.methods(at) if method is None else (method,)
        found: dict[str, tuple[str, list[str]]] = {}

        def add(axis: str, value: str, keys: Sequence[str]) -> None:
            listed = self._policy.values[axis][value]
            service = listed.banner or value
            found.setdefault(service, (self._policy.name_of(axis, value), []))[1].extend(keys)

        for csp in self._shown(_CSP, at):
            pairs = [(one, csp) for one in methods or (ANY,)]
            keys = [self._path(env, *pair) for pair in pairs]
            add(_CSP, csp, [*keys, *self._of_client(env, [*pairs, (ANY, csp)], client)])
        found.setdefault(MVI, ("MVI", []))[1].append(f"{env}/{MVI}")
        for one in methods:
            pairs = [(one, ANY), (ANY, ANY)]
            add(_METHOD, one, [self._path(env, one), *self._of_client(env, pairs, client)])
        return found

    def provider_name(self, key: str) -> str | None:
        """What people call the provider that a key names; None if it names none."""
        for axis, value in zip(self._policy.axes, named(key), strict=False):
            if axis == _CSP and value != ANY:
                return self._policy.name_of(axis, value)
        return None

    def _of_client(self, env: str, pairs: Sequence[tuple[str, str]], client: str) -> list[str]:
        if _CLIENT not in self._policy.axes:
            return []
        return [self._path(env, method, csp, client) for method, csp in pairs]

    def _shown(self, axis: str, at: int) -> tuple[str, ...]:
        if axis not in self._policy.axes:
            return ()
        return tuple(value for value in self._policy.values_of(axis) if self._has_banner(axis, value, at))

    def _has_banner(self, axis: str, value: str, at: int) -> bool:
        if value == OTHER or self._policy.is_retired(axis, value, at):
            return False
        if axis == _CLIENT:
            return True
        listed = self._policy.values.get(axis, {}).get(value)
        return axis in (_METHOD, _CSP) and listed is not None and listed.banner is not None

    def _path(self, env: str, method: str, csp: str = ANY, client: str = ANY) -> str:
        values = {_METHOD: method, _CSP: csp, _CLIENT: client}
        return path_of(env, (values.get(axis, ANY) for axis in self._policy.axes))
