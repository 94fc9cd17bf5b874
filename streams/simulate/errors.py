"""Which error codes and classes do simulated failures have, and how often?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from detectors.scopes import CSPS

__all__ = ["BY_USER", "ERRORS", "MIXES", "Mix", "user_errors"]

#: (error_code or None, error_class). Codes are those of the sign-in API; None is an exception without a code.
ERRORS: tuple[tuple[str | None, str], ...] = (
    ("001", "UserDeniedConsent"),
    ("002", "SAMLReplay"),
    ("003", "AuthTooEarly"),
    ("004", "ValidationError"),
    ("005", "AuthTooLate"),
    ("007", "CredentialProviderError"),
    ("007", "SSOeUnavailable"),
    ("009", "LoginGovAccessDenied"),
    ("101", "MultipleMHVIENs"),
    ("102", "MultipleEDIPIs"),
    ("103", "MHVICNMismatch"),
    ("104", "UUIDMissing"),
    ("106", "MultipleCorpIDs"),
    ("107", "MPILockedAccount"),
    ("108", "MHVUnverified"),
    ("110", "TermsOfUseProvisioningError"),
    ("113", "SSNMismatch"),
    ("201", "OAuthError"),
    ("202", "StateMismatch"),
    ("203", "InvalidRequest"),
    ("400", "UnexpectedError"),
    ("400", "MPIServiceError"),
    (None, "GatewayTimeout"),
    (None, "ConnectionFailed"),
)

_OF_THE_SERVER = frozenset({"003", "004", "007", "110", "201", "400", None})
#: Which of ``ERRORS`` are user errors; people try again less often after these.
BY_USER: npt.NDArray[np.bool_] = np.array([code not in _OF_THE_SERVER for code, _ in ERRORS])


@dataclass(frozen=True)
class Mix:
    """Errors with their probabilities; ``identified`` is the probability that a failing event names the person."""

    entries: tuple[tuple[str | None, str, float], ...]
    identified: float = 0.95

    def draw(self, rng: np.random.Generator, size: int) -> npt.NDArray[np.int16]:
        """Draw ``size`` errors, as positions in ``ERRORS``."""
        edges = np.cumsum([weight for _, _, weight in self.entries])
        # The last edge is left out, so that no rounding can point past it.
        where = np.searchsorted(edges[:-1], rng.random(size) * edges[-1], side="right")
        drawn: npt.NDArray[np.int16] = self._positions[where]
        return drawn

    @cached_property
    def _positions(self) -> npt.NDArray[np.int16]:
        return np.array([ERRORS.index((code, name)) for code, name, _ in self.entries], dtype=np.int16)


#: Name -> mix of errors, for episodes. The first three are the failures of an ordinary day.
MIXES: dict[str, Mix] = {
    "ssoe_noise": Mix(
        (
            ("007", "CredentialProviderError", 45),
            ("004", "ValidationError", 15),
            ("003", "AuthTooEarly", 10),
            ("110", "TermsOfUseProvisioningError", 5),
            ("400", "UnexpectedError", 15),
            (None, "GatewayTimeout", 10),
        )
    ),
    "sis_noise": Mix(
        (
            ("201", "OAuthError", 35),
            ("007", "CredentialProviderError", 20),
            ("004", "ValidationError", 15),
            ("400", "UnexpectedError", 20),
            (None, "ConnectionFailed", 10),
        )
    ),
    "request_noise": Mix((("202", "StateMismatch", 40), ("203", "InvalidRequest", 60))),
    "ssoe_down": Mix(
        (
            ("007", "SSOeUnavailable", 80),
            ("400", "UnexpectedError", 8),
            (None, "GatewayTimeout", 12),
        )
    ),
    "sis_down": Mix(
        (
            ("201", "OAuthError", 25),
            ("400", "UnexpectedError", 45),
            (None, "ConnectionFailed", 30),
        )
    ),
    "csp_down": Mix((("007", "CredentialProviderError", 85), ("400", "UnexpectedError", 15))),
    "mpi_down": Mix((("400", "MPIServiceError", 70), ("004", "ValidationError", 30))),
    "too_late": Mix((("005", "AuthTooLate", 1),), identified=0.5),
    "user_errors": Mix(
        (
            ("001", "UserDeniedConsent", 40),
            ("101", "MultipleMHVIENs", 15),
            ("102", "MultipleEDIPIs", 15),
            ("106", "MultipleCorpIDs", 15),
            ("108", "MHVUnverified", 15),
        )
    ),
}

_COMMON = (
    ("001", "UserDeniedConsent", 34.0),
    ("005", "AuthTooLate", 20.0),
    ("101", "MultipleMHVIENs", 6.0),
    ("102", "MultipleEDIPIs", 5.0),
    ("103", "MHVICNMismatch", 3.0),
    ("104", "UUIDMissing", 2.0),
    ("106", "MultipleCorpIDs", 5.0),
    ("107", "MPILockedAccount", 4.0),
    ("113", "SSNMismatch", 5.0),
)
#: Further errors of people of one credential provider, per method where methods differ.
_OWN: dict[str, tuple[tuple[str | None, str, float], ...]] = {
    "idme": (),
    "logingov": (("009", "LoginGovAccessDenied", 25.0),),
    "mhv": (("108", "MHVUnverified", 20.0),),
    "dslogon": (),
}
_SAML_REPLAY = ("002", "SAMLReplay", 10.0)
_USER_ERRORS = tuple(
    tuple(Mix((*_COMMON, *_OWN[csp], *((_SAML_REPLAY,) if method == 0 else ()))) for csp in CSPS)
    for method in (0, 1)
)


def user_errors(method: int, csp: int) -> Mix:
    """Return the user errors of a method and a credential provider (positions on their axes)."""
    return _USER_ERRORS[method][csp]
