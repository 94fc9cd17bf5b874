"""Which durations contradict each other: windows, retention, the life of an incident, banners?"""

from __future__ import annotations

from collections.abc import Iterator
from math import lcm

from detectors.instants import MINUTE, format_duration
from detectors.lint.rule import Ground, Rule
from detectors.policy.types import Fault

__all__ = ["RULES"]

#: Counts enter the history in fives of minutes, which must lie within what is kept.
_MARGIN = 5 * MINUTE
#: While nothing arrives only full minutes are judged.
_ASLEEP = MINUTE
#: Outage communication: "at least every 30 minutes".
_UPDATES = 30 * MINUTE


def _retention(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    longest = policy.windows()[-1]
    needed = longest + _MARGIN + policy.watermark_delay
    if policy.retention < needed:
        yield Fault(
            ("retention",),
            f"must be at least {format_duration(needed)}: the longest window ({format_duration(longest)}), five"
            f" minutes of history and watermark_delay; is {format_duration(policy.retention)}",
        )


def _past(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    if policy.past_limit < policy.retention:
        yield Fault(
            ("past_limit",),
            f"what is older than {format_duration(policy.past_limit)} is rejected, so the rest of the retention"
            f" ({format_duration(policy.retention)}) never holds anything",
        )


def _skew(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    if policy.skew_after <= policy.watermark_delay:
        yield Fault(
            ("skew_after",),
            f"every producer is that far behind, by watermark_delay ({format_duration(policy.watermark_delay)}):"
            " the clock would always stand in for events",
        )


def _duplicates(ground: Ground) -> Iterator[Fault]:
    for name in ("dedup_ids", "dedup_horizon"):
        if getattr(ground.policy, name) == 0:
            yield Fault((name,), "no duplicate is ever found: an event that is sent again counts twice")


def _sli_gaps(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    for i, window in enumerate(policy.sli_windows):
        if window < policy.sli_every:
            yield Fault(
                ("sli_windows", i),
                f"is shorter than sli_every ({format_duration(policy.sli_every)}): what happens between two"
                " values is in neither",
            )


def _recovering(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.lifecycle
    if rules.recovering_after > rules.recover_for // 2:
        yield Fault(
            ("lifecycle", "recovering_after"),
            f"half of recover_for ({format_duration(rules.recover_for)}) is the longest that counts; is"
            f" {format_duration(rules.recovering_after)}",
        )
    if rules.recover_for == 0:
        yield Fault(("lifecycle", "recover_for"), "an incident resolves with the first quiet moment")


def _fades(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.lifecycle
    if rules.faded_after <= rules.recover_for:
        yield Fault(
            ("lifecycle", "faded_after"),
            f"must be longer than recover_for ({format_duration(rules.recover_for)}), or incidents fade before"
            " they can recover",
        )


def _reopening(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.lifecycle
    if rules.reopen_within == 0:
        yield Fault(
            ("lifecycle", "reopen_within"),
            "an outage that comes back is a new incident, and a new page, each time",
        )
    elif rules.resolve_grace >= rules.reopen_within:
        yield Fault(
            ("lifecycle", "resolve_grace"),
            f"an incident that a person resolved too early is closed by then (reopen_within is"
            f" {format_duration(rules.reopen_within)}): it never reopens",
        )


def _warning(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.lifecycle
    if rules.warning_waits >= rules.alert_target:
        yield Fault(
            ("lifecycle", "warning_waits"),
            f"PagerDuty hears of a severity 3 when the target to answer it"
            f" ({format_duration(rules.alert_target)}) is over",
        )


def _updates(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.lifecycle
    if rules.update_every > _UPDATES:
        yield Fault(
            ("lifecycle", "update_every"),
            f"the support channel is to hear at least every {format_duration(_UPDATES)}, is"
            f" {format_duration(rules.update_every)}",
        )


def _expires(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    rules = policy.banner
    for every, when in (
        (lcm(rules.republish_every, policy.step), "is published only at a common multiple with step"),
        (
            lcm(rules.republish_every, policy.step, _ASLEEP),
            "while nothing arrives only full minutes are judged",
        ),
    ):
        if every >= rules.valid_for:
            yield Fault(
                ("banner", "republish_every"),
                f"{when}: in truth each {format_duration(every)}, and a banner expires after"
                f" {format_duration(rules.valid_for)}",
            )
            return


def _expires_soon(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.banner
    if rules.republish_every < rules.valid_for < 2 * rules.republish_every:
        yield Fault(
            ("banner", "valid_for"),
            f"should be at least twice republish_every ({format_duration(rules.republish_every)}), so that one"
            f" lost message does no harm; is {format_duration(rules.valid_for)}",
        )


RULES = (
    Rule("retention-too-short", "error", "less kept than the longest window needs", _retention),
    Rule("past-within-retention", "warning", "events rejected that retention would still take", _past),
    Rule("skew-within-delay", "error", "every producer taken for a slow one", _skew),
    Rule("duplicates-unseen", "warning", "duplicates that are never found", _duplicates),
    Rule("sli-gaps", "warning", "SLIs published more rarely than their window", _sli_gaps),
    Rule("recovery-too-soon", "warning", "recovery that does not wait as it says", _recovering),
    Rule("fades-first", "error", "incidents that fade before they can recover", _fades),
    Rule("never-reopens", "warning", "incidents that cannot reopen", _reopening),
    Rule("warning-too-late", "error", "a page that comes after the time to answer it", _warning),
    Rule("updates-too-rare", "warning", "fewer updates than outage communication asks for", _updates),
    Rule("banner-expires", "error", "a banner that expires between two publications", _expires),
    Rule("banner-expires-soon", "warning", "a banner that one lost message lets expire", _expires_soon),
)
