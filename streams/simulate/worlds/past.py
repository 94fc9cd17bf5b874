"""How did people sign in in 2024? By ssoe on the web and sis in the mobile app, with four credential providers.

Figures of quality and speed that were measured in this world stay comparable as long as its numbers stay.
"""

from __future__ import annotations

from streams.simulate.errors import MIXES, Mix
from streams.simulate.worlds.world import STEPS, Chances, Provider, World

__all__ = ["PAST"]

_LOA = ("loa3", "loa1")
_PROVIDERS = (
    Provider(name="idme", acrs=_LOA, verified_type=True),
    Provider(name="logingov", acrs=("ial2", "ial1"), verified_type=True),
    Provider(name="mhv", acrs=_LOA),
    Provider(name="dslogon", acrs=_LOA),
)
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
#: Further errors of people of one credential provider.
_OWN: dict[str, tuple[tuple[str, str, float], ...]] = {
    "logingov": (("009", "LoginGovAccessDenied", 25.0),),
    "mhv": (("108", "MHVUnverified", 20.0),),
}
#: Further errors per method, in the order of the methods.
_OF_METHOD: tuple[tuple[tuple[str, str, float], ...], ...] = ((("002", "SAMLReplay", 10.0),), ())

PAST = World(
    name="2024",
    description="ssoe on the web, sis in the mobile app; idme, logingov, mhv and dslogon.",
    providers=_PROVIDERS,
    clients=(
        ("vaweb", "outbound"),
        ("mhv", "inbound"),
        ("myvahealth", "inbound"),
        ("ebenefits", "inbound"),
        ("vaoccmobile", "outbound"),
        ("vamobile", "outbound"),
    ),
    operations=("authorize", "authorize_sso", "interstitial_verify"),
    # Web sign-ins use ssoe, mobile sign-ins use sis.
    method_shares=(0.70, 0.30),
    # About 45, 40, 8 and 7 % over both methods.
    csp_shares=((0.43, 0.39, 0.10, 0.08), (0.50, 0.43, 0.04, 0.03)),
    client_shares=((0.84, 0.07, 0.05, 0.02, 0.02, 0.0), (0.10, 0.0, 0.0, 0.0, 0.0, 0.90)),
    operation_shares=(0.90, 0.04, 0.06),
    verified=0.92,
    populations={
        "prod": (2_000_000, 1_800_000, 350_000, 300_000),
        "staging": (120, 100, 40, 40),
        "dev": (12, 10, 4, 4),
    },
    returning=3.0,
    csp_steps=frozenset(("new", "authorize", "callback")),
    client_steps=frozenset(STEPS),
    session_identified=1.0,
    chances=Chances(
        user_error=((0.022, 0.030, 0.036, 0.030), (0.020, 0.028, 0.034, 0.030)), logout=(0.25, 0.12)
    ),
    noise=(MIXES["ssoe_noise"], MIXES["sis_noise"]),
    bad_requests=MIXES["request_noise"],
    user_errors=tuple(
        tuple(Mix((*_COMMON, *_OWN.get(one.name, ()), *extra)) for one in _PROVIDERS) for extra in _OF_METHOD
    ),
    history_form=1,
)
