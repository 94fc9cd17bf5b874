"""Which scenarios are about the world of 2024? Each has a name, a description, episodes and a start."""

from __future__ import annotations

from detectors.instants import HOUR, MINUTE, SECOND
from streams.simulate.episodes import Episode
from streams.simulate.scenario import PEAK, Scenario

__all__ = ["PAST_SCENARIOS"]

#: Starts besides ``PEAK``, Eastern time.
_EVENING = "2026-10-06T20:00:00-04:00"
_NIGHT = "2026-10-06T01:00:00-04:00"
_WEEKEND = "2026-10-03T14:00:00-04:00"
_HOLIDAY = "2026-11-26T14:00:00-05:00"  # Thanksgiving
_SPRING_FORWARD = "2026-03-08T00:30:00-05:00"  # 02:00 does not exist
_FALL_BACK = "2026-11-01T00:30:00-04:00"  # 01:00 to 02:00 happens twice

_SIS_STEPS = ("authorize", "callback", "token", "refresh")
_CALLBACK = ("callback",)
_LONG = 2 * HOUR


def _ssoe(
    *,
    scope: str = "prod/ssoe",
    at: int = 10 * MINUTE,
    lasts: int = 25 * MINUTE,
    share: float = 1.0,
    rise: int = 0,
) -> Episode:
    return Episode(
        effect="failure",
        scope=scope,
        at=at,
        lasts=lasts,
        share=share,
        rise=rise,
        steps=_CALLBACK,
        errors="ssoe_down",
    )


def _sis(*, at: int = 10 * MINUTE, lasts: int = 25 * MINUTE, share: float = 1.0) -> Episode:
    return Episode(
        effect="failure",
        scope="prod/sis",
        at=at,
        lasts=lasts,
        share=share,
        steps=_SIS_STEPS,
        errors="sis_down",
    )


def _csp(scope: str, *, at: int = 10 * MINUTE, lasts: int = 25 * MINUTE, share: float = 1.0) -> Episode:
    return Episode(
        effect="failure", scope=scope, at=at, lasts=lasts, share=share, steps=_CALLBACK, errors="csp_down"
    )


PAST_SCENARIOS = (
    # Healthy: these scenarios may wake nobody.
    Scenario(name="healthy", description="An ordinary day: nothing goes wrong."),
    Scenario(name="healthy_night", description="An ordinary quiet night.", starts=_NIGHT, duration=4 * HOUR),
    Scenario(name="healthy_weekend", description="An ordinary Saturday.", starts=_WEEKEND, duration=4 * HOUR),
    Scenario(
        name="healthy_holiday",
        description="A federal holiday, as busy as a Sunday.",
        starts=_HOLIDAY,
        duration=4 * HOUR,
    ),
    Scenario(
        name="spring_forward",
        description="The night in March that lacks an hour.",
        starts=_SPRING_FORWARD,
        duration=5 * HOUR,
    ),
    Scenario(
        name="fall_back",
        description="The night in November that has an hour twice.",
        starts=_FALL_BACK,
        duration=5 * HOUR,
    ),
    Scenario(
        name="deploy_gap",
        description="A deploy: for 25 s no events arrive at all, then everything is well.",
        episodes=(Episode(effect="silence", scope="prod", lasts=25 * SECOND, label="none"),),
    ),
    Scenario(
        name="bot",
        description="One identity fails twelve times a minute for half an hour.",
        episodes=(
            Episode(
                effect="bot",
                scope="prod/ssoe/logingov",
                lasts=30 * MINUTE,
                steps=_CALLBACK,
                errors="csp_down",
                per_minute=12,
                label="none",
            ),
        ),
    ),
    Scenario(
        name="late_delivery",
        description="A fifth of the events arrive up to three minutes late; nobody is hurt.",
        episodes=(
            Episode(effect="late", scope="prod", share=0.2, delay=(5 * SECOND, 3 * MINUTE), label="none"),
        ),
    ),
    # Total outages of each scope, at the peak.
    Scenario(name="ssoe_outage", description="Every ssoe callback fails, at once.", episodes=(_ssoe(),)),
    Scenario(
        name="sis_outage",
        description="Every sis authorize, callback, token and refresh fails, at once.",
        episodes=(_sis(),),
    ),
    Scenario(
        name="idme_outage",
        description="Every ID.me callback fails, on both methods.",
        episodes=(_csp("prod/*/idme"),),
    ),
    Scenario(
        name="logingov_outage",
        description="Every Login.gov callback fails, on both methods.",
        episodes=(_csp("prod/*/logingov", lasts=35 * MINUTE),),
        duration=75 * MINUTE,
    ),
    Scenario(
        name="mhv_outage",
        description="Every My HealtheVet callback fails, on both methods.",
        episodes=(_csp("prod/*/mhv"),),
    ),
    Scenario(
        name="dslogon_outage",
        description="Every DS Logon callback fails, on both methods.",
        episodes=(_csp("prod/*/dslogon"),),
    ),
    Scenario(
        name="ssoe_idme_outage",
        description="Every ID.me callback fails, on ssoe only.",
        episodes=(_csp("prod/ssoe/idme"),),
    ),
    Scenario(
        name="sis_logingov_outage",
        description="Every Login.gov callback fails, on sis only.",
        episodes=(_csp("prod/sis/logingov"),),
    ),
    Scenario(
        name="mpi_down",
        description="The Master Person Index is down: every callback fails, whatever the method.",
        episodes=(Episode(effect="failure", scope="prod", steps=_CALLBACK, errors="mpi_down"),),
    ),
    Scenario(
        name="sis_token_outage",
        description="Every token request of sis fails; callbacks work.",
        episodes=(Episode(effect="failure", scope="prod/sis", steps=("token",), errors="sis_down"),),
    ),
    Scenario(
        name="sis_refresh_outage",
        description="Every token refresh fails; signing in works.",
        episodes=(Episode(effect="failure", scope="prod/sis", steps=("refresh",), errors="sis_down"),),
    ),
    Scenario(
        name="staging_outage",
        description="Every ssoe callback of staging fails; production is well.",
        episodes=(_ssoe(scope="staging/ssoe", lasts=HOUR),),
        duration=_LONG,
    ),
    # At other times.
    Scenario(
        name="ssoe_outage_evening",
        description="Every ssoe callback fails, in the evening.",
        episodes=(_ssoe(),),
        starts=_EVENING,
    ),
    Scenario(
        name="ssoe_outage_night",
        description="Every ssoe callback fails, in a quiet night, for two hours.",
        episodes=(_ssoe(lasts=_LONG),),
        starts=_NIGHT,
        duration=4 * HOUR,
    ),
    Scenario(
        name="ssoe_outage_weekend",
        description="Every ssoe callback fails, on a Saturday.",
        episodes=(_ssoe(),),
        starts=_WEEKEND,
    ),
    Scenario(
        name="ssoe_outage_holiday",
        description="Every ssoe callback fails, on a federal holiday.",
        episodes=(_ssoe(),),
        starts=_HOLIDAY,
    ),
    # Partial outages.
    *(
        Scenario(
            name=f"ssoe_{percent}_percent",
            description=f"{percent} % of the ssoe callbacks fail.",
            episodes=(_ssoe(share=percent / 100, lasts=lasts),),
            starts=starts,
            duration=lasts + 50 * MINUTE,
        )
        for percent, lasts, starts in (
            (50, 40 * MINUTE, PEAK),
            (25, 40 * MINUTE, PEAK),
            (10, HOUR, PEAK),
            (4, _LONG, PEAK),
            (1, _LONG, _EVENING),
        )
    ),
    Scenario(
        name="ssoe_ramp",
        description="The ssoe callbacks fail more and more, up to all of them after 30 min.",
        episodes=(_ssoe(lasts=45 * MINUTE, rise=30 * MINUTE),),
        duration=90 * MINUTE,
    ),
    Scenario(
        name="ssoe_blip",
        description="Every ssoe callback fails for 20 s.",
        episodes=(
            Episode(effect="failure", scope="prod/ssoe", lasts=20 * SECOND, steps=_CALLBACK, label="either"),
        ),
    ),
    Scenario(
        name="ssoe_flapping",
        description="ssoe is down for 150 s and up for 150 s, in turns, for an hour.",
        episodes=(
            Episode(
                effect="failure",
                scope="prod/ssoe",
                lasts=HOUR,
                flapping=(150 * SECOND, 150 * SECOND),
                steps=_CALLBACK,
            ),
        ),
        duration=_LONG,
    ),
    # Silence and lost returns, which show no failures.
    Scenario(
        name="ssoe_silence",
        description="Nothing of ssoe arrives at all.",
        episodes=(Episode(effect="silence", scope="prod/ssoe"),),
    ),
    Scenario(
        name="sis_silence",
        description="Nothing of sis arrives at all.",
        episodes=(Episode(effect="silence", scope="prod/sis", lasts=40 * MINUTE),),
        duration=75 * MINUTE,
    ),
    Scenario(
        name="silence",
        description="Nothing of production arrives at all.",
        episodes=(Episode(effect="silence", scope="prod"),),
    ),
    Scenario(
        name="idme_never_returns",
        description="ID.me's page hangs: people start and never come back.",
        episodes=(Episode(effect="no_return", scope="prod/*/idme", lasts=40 * MINUTE),),
        duration=_LONG,
    ),
    Scenario(
        name="ssoe_never_returns",
        description="Nobody comes back to ssoe's callback.",
        episodes=(Episode(effect="no_return", scope="prod/ssoe", lasts=40 * MINUTE),),
        duration=_LONG,
    ),
    # Noticed, and nobody is woken.
    Scenario(
        name="ssoe_slow",
        description="ssoe callbacks take eight times as long.",
        episodes=(
            Episode(
                effect="slow",
                scope="prod/ssoe",
                lasts=40 * MINUTE,
                steps=_CALLBACK,
                factor=8.0,
                label="noticed",
            ),
        ),
        duration=90 * MINUTE,
    ),
    Scenario(
        name="sis_slow",
        description="sis callbacks and tokens take eight times as long.",
        episodes=(
            Episode(
                effect="slow",
                scope="prod/sis",
                lasts=40 * MINUTE,
                steps=("callback", "token"),
                factor=8.0,
                label="noticed",
            ),
        ),
        duration=90 * MINUTE,
    ),
    Scenario(
        name="too_late_surge",
        description="Three in ten ssoe callbacks say that the person took too long (005).",
        episodes=(
            Episode(
                effect="surge",
                scope="prod/ssoe",
                share=0.3,
                steps=_CALLBACK,
                errors="too_late",
                label="noticed",
            ),
        ),
        duration=90 * MINUTE,
    ),
    Scenario(
        name="user_error_surge",
        description="Four in ten callbacks fail by errors of the users.",
        episodes=(
            Episode(
                effect="surge",
                scope="prod",
                share=0.4,
                steps=_CALLBACK,
                errors="user_errors",
                label="noticed",
            ),
        ),
        duration=90 * MINUTE,
    ),
    # More than one thing at once.
    Scenario(
        name="two_outages",
        description="ID.me fails on ssoe while Login.gov fails on sis: two outages.",
        episodes=(_csp("prod/ssoe/idme"), _csp("prod/sis/logingov", at=13 * MINUTE)),
        duration=70 * MINUTE,
    ),
    Scenario(
        name="outage_within_outage",
        description="sis begins to fail while ID.me is failing on ssoe.",
        episodes=(_csp("prod/ssoe/idme", lasts=40 * MINUTE), _sis(at=25 * MINUTE, lasts=15 * MINUTE)),
        duration=80 * MINUTE,
    ),
    Scenario(
        name="fail_over",
        description="ssoe fails; after 20 min web sign-ins are sent through sis, which is well.",
        episodes=(
            _ssoe(lasts=50 * MINUTE),
            Episode(effect="shift", scope="prod/ssoe", at=30 * MINUTE, lasts=35 * MINUTE, label="none"),
        ),
        duration=110 * MINUTE,
    ),
    Scenario(
        name="ssoe_outage_late",
        description="ssoe fails while a tenth of the events come up to 90 s late and a tenth come twice.",
        episodes=(
            _ssoe(),
            Episode(
                effect="late",
                scope="prod",
                at=0,
                lasts=HOUR,
                share=0.1,
                delay=(3 * SECOND, 90 * SECOND),
                label="none",
            ),
            Episode(
                effect="duplicate",
                scope="prod",
                at=0,
                lasts=HOUR,
                share=0.1,
                delay=(0, 60 * SECOND),
                label="none",
            ),
        ),
    ),
)
