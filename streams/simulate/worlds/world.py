"""What is a world? Which methods, providers and clients people sign in by, and what fails on an ordinary day.

Rows of the simulator hold positions in tables. ``ENVS``, ``METHODS``, ``STEPS`` and ``OUTCOMES`` are equal in all
worlds, because the simulator knows how a sign-in by each method goes; providers, clients and operations are the
world's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from streams.simulate.errors import Mix

__all__ = [
    "CALLBACK",
    "ENVS",
    "FAILURE",
    "METHODS",
    "OUTCOMES",
    "SIGN_IN_STEPS",
    "SIS",
    "STARTED",
    "START_STEP",
    "STEPS",
    "SUCCESS",
    "Chances",
    "Provider",
    "World",
]

ENVS = ("prod", "staging", "dev", "localhost")
METHODS = ("ssoe", "sis")
SIS = METHODS.index("sis")
STEPS = (
    *("new", "authorize", "callback", "token", "refresh", "revoke", "logout"),
    *("authorize_sso", "revoke_all_sessions", "sts", "webauthn_options"),
)
#: Steps whose events count as a person's sign-in.
SIGN_IN_STEPS = ("new", "authorize", "authorize_sso", "callback", "token")
OUTCOMES = ("started", "success", "failure", "redirect", "offered")
STARTED, SUCCESS, FAILURE = range(3)
CALLBACK = STEPS.index("callback")
#: The step that begins a sign-in, by method.
START_STEP = np.array([STEPS.index("new"), STEPS.index("authorize")], dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class Chances:
    """The probabilities of what happens to a request or a person on an ordinary day.

    Attributes:
        returns: a person comes back from the credential provider to a callback that reports success or failure.
            The others never come back, or are sent on to verify their identity, which reports neither.
        user_error: a callback fails with a user error, per method and credential provider.
        callback_bad, token_bad, refresh_bad: the request fails with a server error.
        bad_request: an ``authorize`` is refused as invalid (excluded).
        retry_bad, retry_user_error: a person tries again after a server error, after a user error.
        sign_in_after_refresh: a person whose refreshes failed signs in again.
        logout: a session ends by logging out, per method.
        ended: the session of a person who comes back has ended, so that the first refresh fails (excluded).
        revoke_all: a session of sis ends because the person ends all sessions.
        sso: a sign-in of sis by one of the world's ``sso_clients`` first asks for the session of another client.
        sso_known: there is such a session, and the person is signed in by it; else the person is redirected.
        machine_bad: a request of a machine for a token fails.
    """

    user_error: tuple[tuple[float, ...], ...]
    logout: tuple[float, ...]
    returns: float = 0.72
    callback_bad: float = 0.0004
    token_bad: float = 0.0002
    refresh_bad: float = 0.00005
    bad_request: float = 0.0005
    retry_bad: float = 0.70
    retry_user_error: float = 0.45
    sign_in_after_refresh: float = 0.5
    ended: float = 0.0
    revoke_all: float = 0.0
    sso: float = 0.0
    sso_known: float = 0.0
    machine_bad: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A credential provider.

    Attributes:
        name: the value of ``csp``.
        acrs: the ``acr`` of a verified and of an unverified person.
        verified_type: whether the ``login_type`` of verified people is the name followed by ``_verified``.
        operation: the only operation of this provider's sign-ins; None for the operations of the world.
    """

    name: str
    acrs: tuple[str, str]
    verified_type: bool = False
    operation: str | None = None


@dataclass(frozen=True, kw_only=True)
class World:
    """A time in the life of sign-in.

    Attributes:
        name: the name on the command line.
        description: one line.
        providers: the credential providers; those with a share of 0 are known and not used.
        clients: (client_id, direction) of each client. A sign-in that began on another site is inbound.
        operations: the values of ``operation``.
        method_shares: share of the sign-ins that each method has, in the order of ``METHODS``; they add up to 1.
        csp_shares, client_shares: per method, in the order of ``providers`` and ``clients``.
        operation_shares: in the order of ``operations``.
        verified: share of the people who have verified their identity.
        populations: people with an account, per environment and provider.
        returning: number of people who come back to sis with a session from before, for each one who signs in by sis;
            their tokens are refreshed without a sign-in.
        machines: requests of machines for tokens (``sts``), for each sign-in at the weekday peak, at any hour.
        sso_clients: clients that may use the session of another client.
        csp_steps: steps whose requests name flow and credential provider.
        client_steps: steps whose requests name the client.
        session_identified: probability that a failed request of a session names its person.
        chances: what happens on an ordinary day.
        noise: the server errors of an ordinary day, per method.
        bad_requests: the errors of an ``authorize`` that is refused as invalid.
        user_errors: per method and provider, the errors that people make.
        history_form: the form of the records of the two weeks before: 1 by scope, 2 by leaf.
    """

    name: str
    description: str
    providers: tuple[Provider, ...]
    clients: tuple[tuple[str, str], ...]
    operations: tuple[str, ...]
    method_shares: tuple[float, ...]
    csp_shares: tuple[tuple[float, ...], ...]
    client_shares: tuple[tuple[float, ...], ...]
    operation_shares: tuple[float, ...]
    verified: float
    populations: Mapping[str, tuple[int, ...]] = field(hash=False)
    returning: float
    csp_steps: frozenset[str]
    client_steps: frozenset[str]
    session_identified: float
    chances: Chances
    noise: tuple[Mix, ...]
    bad_requests: Mix
    user_errors: tuple[tuple[Mix, ...], ...]
    history_form: int
    machines: float = 0.0
    sso_clients: tuple[str, ...] = ()

    @cached_property
    def axes(self) -> tuple[tuple[str, ...], ...]:
        """The values on each axis of a scope: methods, providers, clients."""
        return METHODS, tuple(one.name for one in self.providers), tuple(name for name, _ in self.clients)

    def leaf(self, scope: str) -> tuple[int, tuple[int | None, ...]]:
        """Return the position of a scope's environment, and for each axis that of the value, or None for ``*``.

        Raises:
            ValueError: this world has no such scope.
        """
        env, *values = scope.split("/")
        if env not in ENVS or len(values) > len(self.axes):
            raise ValueError(f"no scope {scope!r} in the world {self.name}")
        where: list[int | None] = [None] * len(self.axes)
        for axis, value in enumerate(values):
            if value == "*":
                continue
            if value not in self.axes[axis]:
                raise ValueError(f"no scope {scope!r} in the world {self.name}: it has no {value!r}")
            where[axis] = self.axes[axis].index(value)
        return ENVS.index(env), tuple(where)

    @cached_property
    def user_error(self) -> npt.NDArray[np.float64]:
        """``chances.user_error`` as an array (method, provider)."""
        return np.array(self.chances.user_error)

    @cached_property
    def logout(self) -> npt.NDArray[np.float64]:
        """``chances.logout`` as an array (method)."""
        return np.array(self.chances.logout)

    @cached_property
    def uses_sso(self) -> npt.NDArray[np.bool_]:
        """Whether each client may use the session of another, as an array (client)."""
        return np.array([name in self.sso_clients for name, _ in self.clients])

    @cached_property
    def names_csp(self) -> npt.NDArray[np.bool_]:
        """Whether the requests of each step name flow and credential provider, as an array (step)."""
        return np.array([step in self.csp_steps for step in STEPS])

    @cached_property
    def names_client(self) -> npt.NDArray[np.bool_]:
        """Whether the requests of each step name the client, as an array (step)."""
        return np.array([step in self.client_steps for step in STEPS])
