"""The page of the policy has every key that a policy may have, and is the one that is checked in."""

from __future__ import annotations

from detectors.instants import format_duration
from streams.cli.guidance.policy_reference import PAGE, keys, render
from streams.settings.policy_file import default_policy


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run python -m streams.cli.guidance.policy_reference"


def test_each_key_says_what_it_is_and_what_it_means() -> None:
    found = list(keys())
    assert [key.path for key in found if not (key.kind and key.meaning)] == []
    assert len({key.path for key in found}) == len(found)


def test_kinds_bounds_defaults_and_sources_are_those_of_models_and_policy() -> None:
    told = {key.path: key for key in keys()}
    recover_for = told["lifecycle.recover_for"]
    assert (recover_for.kind, recover_for.source) == ("duration, 0s to 1d", "ours")
    assert recover_for.default == f"`{format_duration(default_policy().lifecycle.recover_for)}`"
    assert told["severity.severity_1_over"].source.startswith("SLA, severity 1")
    assert told["outage.usual"].kind == "share, ≥ 1e-06, < 0.5"
    assert told["notify.console_url"].kind == "URL or null"
    assert {"objectives.<value>.availability", "routes[].match.hours", "burn_rate.rules[].factor"} <= set(
        told
    )
