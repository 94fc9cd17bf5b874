"""Which scenarios are hard to judge? Outages beside others, missing traffic, moves, wrong clocks, and no crowds."""

from __future__ import annotations

from dataclasses import replace

from detectors.instants import DAY, HOUR, MINUTE, SECOND
from streams.simulate.episodes import Episode
from streams.simulate.scenario import Past, Planned, Scenario
from streams.simulate.worlds.today import TODAY

__all__ = ["BOTH", "SITUATIONS"]

#: Tuesdays, Eastern time: the traffic of the busiest hours from 10:00 on, and a quiet night.
_MORNING = "2026-10-06T10:00:00-04:00"
_NIGHT = "2026-10-06T01:00:00-04:00"
_CALLBACK = ("callback",)

#: Today, with both methods in use, so that each has traffic enough to be judged beside the other.
BOTH = replace(TODAY, method_shares=(0.45, 0.55))


def _failing(scope: str, *, at: int = 10 * MINUTE, lasts: int = 25 * MINUTE, share: float = 1.0) -> Episode:
    errors = "csp_down" if scope.count("/") > 1 else "ssoe_down"
    return Episode(
        effect="failure", scope=scope, at=at, lasts=lasts, share=share, steps=_CALLBACK, errors=errors
    )


def _at_peak(
    name: str, description: str, *episodes: Episode, duration: int = HOUR, past: tuple[Past, ...] = ()
) -> Scenario:
    return Scenario(
        name=name, description=description, episodes=episodes, duration=duration, world=BOTH, past=past
    )


def _clock(name: str, description: str, at: int, skew: int, *, is_stamped: bool) -> Scenario:
    wrong = Episode(effect="clock", scope="prod/ssoe", at=at, lasts=50 * MINUTE, skew=skew, label="noticed")
    return Scenario(
        name=name,
        description=description,
        episodes=(wrong,),
        duration=HOUR,
        world=BOTH,
        is_stamped=is_stamped,
    )


def _move(name: str, description: str, scope: str, to: str) -> Scenario:
    move = Episode(
        effect="shift", scope=scope, lasts=110 * MINUTE, rise=MINUTE, to=to, about=scope, label="noticed"
    )
    return Scenario(
        name=name,
        description=description,
        episodes=(move,),
        starts=_MORNING,
        duration=2 * HOUR,
        world=BOTH,
    )


_BESIDE_OTHERS = (
    _at_peak(
        "stray_beside_outage",
        "Every ssoe callback fails; within the 15 s before, one or two callbacks of sis have failed.",
        Episode(
            effect="failure",
            scope="prod/sis",
            at=10 * MINUTE - 6 * SECOND,
            lasts=2 * SECOND,
            steps=_CALLBACK,
            label="none",
        ),
        _failing("prod/ssoe"),
    ),
    _at_peak(
        "stepped_recovery",
        "97 % of the ssoe callbacks fail, then 40, 10 and 2 %; sis is well throughout.",
        replace(
            _failing("prod/ssoe", lasts=40 * MINUTE, share=0.97),
            stages=((15 * MINUTE, 0.4), (22 * MINUTE, 0.1), (30 * MINUTE, 0.02)),
        ),
        duration=90 * MINUTE,
    ),
    _at_peak(
        "tokens_within_outage",
        "ID.me fails on both methods; after 30 min 97 % of the tokens of sis fail as well.",
        _failing("prod/*/idme", lasts=50 * MINUTE),
        Episode(
            effect="failure",
            scope="prod/sis",
            at=40 * MINUTE,
            lasts=20 * MINUTE,
            share=0.97,
            steps=("token",),
            errors="sis_down",
        ),
        duration=100 * MINUTE,
    ),
    replace(
        _at_peak(
            "outage_beside_maintenance",
            "ssoe fails while sis is down for maintenance that was announced.",
            Episode(effect="failure", scope="prod/sis", steps=_CALLBACK, errors="sis_down", label="none"),
            _failing("prod/ssoe", at=20 * MINUTE),
            duration=75 * MINUTE,
        ),
        planned=(Planned(scope="prod/sis", at=0, lasts=75 * MINUTE),),
    ),
    _at_peak(
        "failures_without_provider",
        "Every ssoe callback fails and names no provider, which successes do.",
        replace(_failing("prod/ssoe"), hides=True),
        duration=75 * MINUTE,
    ),
    _at_peak(
        "denied_collapse",
        "97 % of Login.gov's callbacks say that the person was denied (009), which counts as the person's act.",
        replace(_failing("prod/*/logingov", share=0.97), errors="denied"),
        duration=75 * MINUTE,
    ),
    _at_peak(
        "three_blips",
        "Every ssoe callback fails for 20 s, three times in an hour.",
        replace(
            _failing("prod/ssoe", lasts=HOUR),
            flapping=(20 * SECOND, 20 * MINUTE - 20 * SECOND),
            label="either",
        ),
        duration=100 * MINUTE,
    ),
    _at_peak(
        "steady_5_percent",
        "5.2 % of the ssoe callbacks fail for two hours.",
        _failing("prod/ssoe", lasts=2 * HOUR, share=0.052),
        duration=165 * MINUTE,
    ),
    _at_peak(
        "chronic_then_worse",
        "3 % of the ssoe callbacks have failed for two weeks; then 10 % do.",
        replace(_failing("prod/ssoe", at=0, lasts=3 * HOUR, share=0.03), label="none"),
        _failing("prod/ssoe", at=40 * MINUTE, lasts=40 * MINUTE, share=0.072),
        duration=2 * HOUR,
        past=(Past(scope="prod/ssoe", ago=14 * DAY, lasts=14 * DAY, bad=0.03),),
    ),
    replace(
        _at_peak(
            "large_house",
            "At twenty times the traffic 0.3 % of the callbacks fail for 40 min.",
            _failing("prod", lasts=40 * MINUTE, share=0.003),
            duration=65 * MINUTE,
        ),
        rate=50.0,
    ),
    _at_peak(
        "outage_in_a_deploy",
        "A deploy: for 25 s nothing arrives; when events arrive again every ssoe callback fails.",
        Episode(effect="silence", scope="prod", lasts=25 * SECOND, label="none"),
        _failing("prod/ssoe", at=10 * MINUTE + 15 * SECOND),
    ),
    replace(
        _at_peak(
            "small_client",
            "Every callback of arp fails, a client of one sign-in in fifty.",
            replace(_failing("prod/*/*/arp", lasts=40 * MINUTE), errors="client_down"),
            duration=90 * MINUTE,
        ),
        world=TODAY,
    ),
    _at_peak(
        "slow_quarter",
        "ssoe callbacks take eight times as long for 20 min.",
        Episode(
            effect="slow", scope="prod/ssoe", lasts=20 * MINUTE, steps=_CALLBACK, factor=8.0, label="either"
        ),
        duration=75 * MINUTE,
    ),
)

_MISSING = (
    _at_peak(
        "shortfall",
        "70 % of all starts and of what follows on them never arrive, for 23 min.",
        Episode(effect="silence", scope="prod", lasts=23 * MINUTE, share=0.7),
    ),
    _at_peak(
        "shortfall_of_a_method",
        "70 % of the events of ssoe never arrive, for 23 min.",
        Episode(effect="silence", scope="prod/ssoe", lasts=23 * MINUTE, share=0.7),
    ),
    _at_peak(
        "silence_but_for_a_tenth",
        "90 % of all events never arrive.",
        Episode(effect="silence", scope="prod", share=0.9),
    ),
    _at_peak(
        "silence_after_a_dead_week",
        "Nothing arrives at all, and a week ago everything was down at this hour.",
        Episode(effect="silence", scope="prod"),
        past=(Past(scope="prod", ago=7 * DAY + 30 * MINUTE, lasts=2 * HOUR, share=0.0),),
    ),
    _at_peak(
        "silence_after_an_incident_last_week",
        "Nothing of ssoe arrives, and a week ago an incident of ssoe, known as such, took half of its traffic.",
        Episode(effect="silence", scope="prod/ssoe"),
        past=(Past(scope="prod/ssoe", ago=7 * DAY + 30 * MINUTE, lasts=2 * HOUR, share=0.5, excluded=True),),
    ),
    replace(
        _at_peak(
            "first_day",
            "A new installation: after 75 min of steady traffic nothing arrives any more.",
            Episode(effect="silence", scope="prod", at=75 * MINUTE),
            duration=125 * MINUTE,
        ),
        history=0,
    ),
    _at_peak(
        "slow_provider",
        "People take 4 min longer at ID.me, and all get in.",
        Episode(
            effect="wait",
            scope="prod/*/idme",
            lasts=40 * MINUTE,
            delay=(4 * MINUTE, 4 * MINUTE),
            label="noticed",
        ),
        duration=90 * MINUTE,
    ),
)

_HARMLESS = (
    _clock(
        "clock_behind",
        "The clock of ssoe's producer jumps back by 5 min; the broker's is right.",
        10 * MINUTE,
        -5 * MINUTE,
        is_stamped=True,
    ),
    _clock(
        "clock_ahead",
        "The clock of ssoe's producer jumps ahead by 90 s, and no broker says so.",
        10 * MINUTE,
        90 * SECOND,
        is_stamped=False,
    ),
    _clock(
        "clock_ahead_of_broker",
        "The clock of ssoe's producer jumps ahead by 90 s; the broker's is right.",
        10 * MINUTE,
        90 * SECOND,
        is_stamped=True,
    ),
    _move("move_of_method", "Everybody who signs in by ssoe comes to sign in by sis.", "prod/ssoe", "sis"),
    _move(
        "move_of_client",
        "Everybody who uses vaweb comes to use vamobile.",
        "prod/*/*/vaweb",
        "*/*/vamobile",
    ),
    _at_peak(
        "there_and_back",
        "Everybody who signs in by ssoe comes to sign in by sis, and goes back after 40 min.",
        Episode(
            effect="shift",
            scope="prod/ssoe",
            lasts=40 * MINUTE,
            rise=MINUTE,
            to="sis",
            about="prod/ssoe",
            label="noticed",
        ),
        duration=90 * MINUTE,
    ),
    _at_peak(
        "repeaters",
        "The same hundred people fail every 5 min for 55 min.",
        Episode(
            effect="bot",
            scope="prod/sis/idme",
            lasts=57 * MINUTE,
            steps=_CALLBACK,
            errors="csp_down",
            per_minute=20,
            people=100,
        ),
        duration=100 * MINUTE,
    ),
    Scenario(
        name="retries_at_night",
        description="One person without a hash fails 80 times in 20 min of a quiet night.",
        episodes=(
            Episode(
                effect="bot",
                scope="prod/sis/idme",
                lasts=22 * MINUTE,
                steps=_CALLBACK,
                errors="csp_down",
                per_minute=4,
                identified=False,
                label="noticed",
            ),
        ),
        starts=_NIGHT,
        duration=100 * MINUTE,
        world=TODAY,
    ),
)

SITUATIONS = (*_BESIDE_OTHERS, *_MISSING, *_HARMLESS)
