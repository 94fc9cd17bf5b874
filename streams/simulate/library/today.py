"""Which scenarios are about the world of today: values that appear, move and end, and what looks like an outage?"""

from __future__ import annotations

from dataclasses import replace

from detectors.instants import HOUR, MINUTE
from streams.simulate.episodes import Episode
from streams.simulate.scenario import Scenario
from streams.simulate.worlds.today import TODAY

__all__ = ["TODAY_SCENARIOS"]

#: A Tuesday, Eastern time: the traffic of the busiest hours from 10:00 on, and a quiet night.
_MORNING = "2026-10-06T10:00:00-04:00"
_NIGHT = "2026-10-06T01:00:00-04:00"

#: People sign in by mhv 40 times in five minutes of the peak, on both methods.
_BEFORE_MHV_ENDED = replace(
    TODAY,
    csp_shares=((0.48, 0.37, 0.15, 0.0), (0.53, 0.43, 0.04, 0.0)),
    populations={**TODAY.populations, "prod": (2_600_000, 2_200_000, 100_000, 200_000)},
)
#: A silence that has lasted this long is no outage any more: what was silent is gone.
_GONE_AFTER = 4 * HOUR


def _migration(name: str, description: str, rise: int, duration: int) -> Scenario:
    """Build a scenario in which everybody who signs in by Login.gov comes to sign in by ID.me."""
    move = Episode(
        effect="shift",
        scope="prod/*/logingov",
        lasts=duration - 10 * MINUTE,
        rise=rise,
        to="*/idme",
        label="noticed",
    )
    return Scenario(
        name=name,
        description=description,
        episodes=(move,),
        starts=_MORNING,
        duration=duration,
        world=TODAY,
    )


TODAY_SCENARIOS = (
    # Values that appear, move and end.
    Scenario(
        name="new_provider",
        description="clear appears on sis and grows; after two hours its callbacks fail for 300 people.",
        episodes=(
            Episode(
                effect="shift",
                scope="prod/sis",
                lasts=2 * HOUR + 40 * MINUTE,
                share=0.15,
                rise=90 * MINUTE,
                to="*/clear",
                about="prod/*/clear",
                label="noticed",
            ),
            Episode(
                effect="failure",
                scope="prod/*/clear",
                at=2 * HOUR,
                lasts=22 * MINUTE,
                steps=("callback",),
                errors="csp_down",
            ),
        ),
        starts=_MORNING,
        duration=2 * HOUR + 50 * MINUTE,
        world=TODAY,
    ),
    Scenario(
        name="provider_retired",
        description="mhv, with 40 sign-ins each five minutes, ends; its people do not come back.",
        episodes=(
            Episode(effect="silence", scope="prod/*/mhv", at=30 * MINUTE, lasts=_GONE_AFTER),
            # The silence continues until the end; from then on it is no outage.
            Episode(
                effect="silence",
                scope="prod/*/mhv",
                at=30 * MINUTE,
                lasts=_GONE_AFTER + 90 * MINUTE,
                label="none",
            ),
        ),
        starts=_MORNING,
        duration=6 * HOUR,
        world=_BEFORE_MHV_ENDED,
    ),
    _migration("migration", "Everybody moves from Login.gov to ID.me within a minute.", MINUTE, 2 * HOUR),
    _migration(
        "migration_gradual", "Everybody moves from Login.gov to ID.me within three hours.", 3 * HOUR, 4 * HOUR
    ),
    Scenario(
        name="new_step",
        description="Three in ten sign-ins of sis begin to offer a passkey, a step that nobody has listed.",
        episodes=(
            Episode(
                effect="added",
                scope="prod/sis",
                lasts=50 * MINUTE,
                share=0.3,
                adds=("webauthn_options", "offered"),
                label="noticed",
            ),
        ),
        world=TODAY,
    ),
    # An outage of one client.
    Scenario(
        name="client_outage",
        description="Nine in ten of vaweb's sign-ins fail on sis; vamobile on sis and vaweb on ssoe are well.",
        episodes=(
            Episode(
                effect="failure",
                scope="prod/sis/*/vaweb",
                share=0.9,
                steps=("authorize_sso", "callback"),
                errors="client_down",
            ),
        ),
        world=TODAY,
    ),
    # What looks like an outage and is none: these scenarios may wake nobody.
    Scenario(
        name="expired_sessions",
        description="An ordinary day: about 12 % of the refreshes fail because the session has ended.",
        duration=2 * HOUR,
        world=TODAY,
    ),
    Scenario(
        name="scanner",
        description="A scanner opens the callback 300 times in two minutes of a quiet night.",
        episodes=(
            Episode(
                effect="scan",
                scope="prod/sis",
                lasts=2 * MINUTE,
                errors="scanner",
                per_minute=150,
                label="noticed",
            ),
        ),
        starts=_NIGHT,
        duration=90 * MINUTE,
        world=TODAY,
    ),
)
