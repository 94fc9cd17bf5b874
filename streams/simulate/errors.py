"""Which error codes and classes do simulated failures have, and how often?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["BY_USER", "ENDED", "ERRORS", "MIXES", "REDIRECTED", "Mix"]

#: (error_code or None, error_class or None). Codes are those of the sign-in API; None as the code is an exception
#: without a code, None as the class a log line that does not name it.
ERRORS: tuple[tuple[str | None, str | None], ...] = (
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
    # Classes of sis, whose code is 400 unless another is named.
    ("001", "AccessDeniedError"),
    ("009", "AccessDeniedError"),
    ("101", "MPIMalformedAccountError"),
    ("102", "MPIMalformedAccountError"),
    ("106", "MPIMalformedAccountError"),
    ("107", "MPILockedAccountError"),
    ("108", "UnverifiedCredentialBlockedError"),
    ("113", "AttributeMismatchError"),
    ("400", "StateCodeInvalidError"),
    ("400", "InvalidCredentialLevelError"),
    ("400", "MPIUserCreationFailedError"),
    ("400", "UserAccountNotFoundError"),
    ("400", "InvalidClientConfigError"),
    ("400", "ServiceAccountConfigNotFoundError"),
    ("400", "SessionNotAuthorizedError"),
    ("400", "AccessTokenExpiredError"),
    ("400", "MalformedParamsError"),
    ("400", None),
)

_OF_THE_SERVER = frozenset({"003", "004", "007", "110", "201", "400", None})
#: Classes that are no failures of the server though their code is 400.
_EXCLUDED = frozenset(
    {
        *("StateCodeInvalidError", "InvalidCredentialLevelError"),
        *("SessionNotAuthorizedError", "AccessTokenExpiredError", "MalformedParamsError"),
    }
)
#: Which of ``ERRORS`` are user errors; people try again less often after these.
BY_USER: npt.NDArray[np.bool_] = np.array(
    [code not in _OF_THE_SERVER or name in _EXCLUDED for code, name in ERRORS]
)
#: The error of a request that sends a person without a session on to sign in, as a position in ``ERRORS``.
REDIRECTED = ERRORS.index(("400", None))


@dataclass(frozen=True)
class Mix:
    """Errors with their probabilities; ``identified`` is the probability that a failing event names the person."""

    entries: tuple[tuple[str | None, str | None, float], ...]
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


#: The errors of a refresh whose session has ended.
ENDED = Mix(
    (("400", "SessionNotAuthorizedError", 70), ("400", "AccessTokenExpiredError", 30)), identified=0.0
)

#: Name -> mix of errors, for episodes. The first three are the failures of an ordinary day in 2024.
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
    "client_down": Mix((("400", "InvalidClientConfigError", 85), ("400", "UnexpectedError", 15))),
    "machine_down": Mix((("400", "ServiceAccountConfigNotFoundError", 1),), identified=0.0),
    "scanner": Mix((("400", "MalformedParamsError", 1),), identified=0.0),
    "too_late": Mix((("005", "AuthTooLate", 1),), identified=0.5),
    "denied": Mix((("009", "AccessDeniedError", 1),)),
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
