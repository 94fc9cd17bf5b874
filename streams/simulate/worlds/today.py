"""How do people sign in today? By sis on the web and in the mobile app; ssoe fades, and mhv has exceptions alone.

Shares are a realistic guess. The public record says that sis is the main broker, and no more.
"""

from __future__ import annotations

from streams.simulate.errors import Mix
from streams.simulate.worlds.world import Chances, Provider, World

__all__ = ["TODAY"]

_LOA = ("loa3", "loa1")
_IAL = ("ial2", "ial1")
_PROVIDERS = (
    Provider(name="idme", acrs=_LOA, verified_type=True),
    Provider(name="logingov", acrs=_IAL, verified_type=True),
    # Ended in March 2025; exceptions remain.
    Provider(name="mhv", acrs=_LOA, operation="mhv_exception"),
    # Known to sis, and refused unless a setting enables it.
    Provider(name="clear", acrs=_IAL),
)
_SAML = (
    ("001", "UserDeniedConsent", 34.0),
    ("002", "SAMLReplay", 10.0),
    ("005", "AuthTooLate", 20.0),
    ("101", "MultipleMHVIENs", 6.0),
    ("102", "MultipleEDIPIs", 5.0),
    ("103", "MHVICNMismatch", 3.0),
    ("104", "UUIDMissing", 2.0),
    ("106", "MultipleCorpIDs", 5.0),
    ("113", "SSNMismatch", 5.0),
)
_OAUTH = (
    ("001", "AccessDeniedError", 34.0),
    ("400", "StateCodeInvalidError", 14.0),
    ("400", "InvalidCredentialLevelError", 6.0),
    ("101", "MPIMalformedAccountError", 6.0),
    ("102", "MPIMalformedAccountError", 5.0),
    ("106", "MPIMalformedAccountError", 5.0),
    ("107", "MPILockedAccountError", 4.0),
    ("108", "UnverifiedCredentialBlockedError", 10.0),
    ("113", "AttributeMismatchError", 5.0),
)
_DENIED = (
    {"logingov": (("009", "LoginGovAccessDenied", 25.0),), "mhv": (("108", "MHVUnverified", 20.0),)},
    {"logingov": (("009", "AccessDeniedError", 25.0),)},
)

TODAY = World(
    name="today",
    description="sis on the web and in the mobile app, ssoe fading; idme, logingov and a rest of mhv.",
    providers=_PROVIDERS,
    clients=(
        ("vaweb", "outbound"),
        ("mhv", "inbound"),
        ("myvahealth", "inbound"),
        ("ebenefits", "inbound"),
        ("vaoccmobile", "outbound"),
        ("vamobile", "outbound"),
        ("arp", "outbound"),
        ("okta", "inbound"),
    ),
    operations=("authorize", "authorize_sso", "interstitial_verify", "mhv_exception"),
    method_shares=(0.12, 0.88),
    csp_shares=((0.53, 0.44, 0.03, 0.0), (0.55, 0.45, 0.0, 0.0)),
    client_shares=(
        (0.76, 0.09, 0.09, 0.04, 0.02, 0.0, 0.0, 0.0),
        (0.50, 0.0, 0.0, 0.0, 0.0, 0.45, 0.02, 0.03),
    ),
    operation_shares=(0.90, 0.04, 0.06, 0.0),
    verified=0.92,
    populations={
        "prod": (2_600_000, 2_200_000, 4_000, 200_000),
        "staging": (150, 130, 10, 20),
        "dev": (14, 12, 2, 4),
    },
    returning=1.5,
    machines=0.2,
    sso_clients=("vaweb",),
    csp_steps=frozenset(("new", "authorize", "callback")),
    # A failed token, refresh or revoke of sis names neither client nor person, so that no such request is told apart.
    client_steps=frozenset(("new", "authorize", "authorize_sso", "callback")),
    session_identified=0.0,
    chances=Chances(
        user_error=((0.022, 0.030, 0.036, 0.030), (0.020, 0.028, 0.034, 0.030)),
        logout=(0.25, 0.12),
        ended=0.575,
        revoke_all=0.002,
        sso=0.2,
        sso_known=0.5,
        machine_bad=0.0005,
    ),
    noise=(
        Mix(
            (
                ("007", "CredentialProviderError", 50),
                ("004", "ValidationError", 20),
                ("003", "AuthTooEarly", 10),
                (None, "GatewayTimeout", 20),
            )
        ),
        Mix(
            (
                ("007", "CredentialProviderError", 40),
                ("400", "MPIUserCreationFailedError", 25),
                ("400", "UserAccountNotFoundError", 10),
                ("400", "UnexpectedError", 25),
            )
        ),
    ),
    bad_requests=Mix((("400", "InvalidCredentialLevelError", 1),)),
    user_errors=tuple(
        tuple(Mix((*common, *own.get(one.name, ()))) for one in _PROVIDERS)
        for common, own in zip((_SAML, _OAUTH), _DENIED, strict=True)
    ),
    history_form=2,
)
