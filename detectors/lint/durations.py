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
            f"events older than {format_duration(policy.past_limit)} are rejected, so the retention"
            f" ({format_duration(policy.retention)}) is longer than needed",
        )


def _skew(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    if policy.skew_after <= policy.watermark_delay:
        yield Fault(
            ("skew_after",),
            f"must be longer than watermark_delay ({format_duration(policy.watermark_delay)}), by which every producer"
            " is behind: otherwise the clock always replaces the events",
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
                f"is shorter than sli_every ({format_duration(policy.sli_every)}): no published value covers the time"
                " between two windows",
            )


def _recovering(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.lifecycle
    if rules.recovering_after > rules.recover_for // 2:
        yield Fault(
            ("lifecycle", "recovering_after"),
            f"{format_duration(rules.recovering_after)} is more than half of recover_for"
            f" ({format_duration(rules.recover_for)}), and counts as half of it",
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
            "no incident reopens: an outage that comes back opens a new incident, and pages, each time",
        )
    elif rules.resolve_grace >= rules.reopen_within:
        yield Fault(
            ("lifecycle", "resolve_grace"),
            f"an incident that a person resolved too early never reopens: it is closed after"
            f" {format_duration(rules.reopen_within)} (reopen_within)",
        )


def _warning(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.lifecycle
    if rules.warning_waits >= rules.alert_target:
        yield Fault(
            ("lifecycle", "warning_waits"),
            f"PagerDuty receives an incident of severity 3 only after {format_duration(rules.warning_waits)}, when the"
            f" time to answer it ({format_duration(rules.alert_target)}) is over",
        )


def _updates(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.lifecycle
    if rules.update_every > _UPDATES:
        yield Fault(
            ("lifecycle", "update_every"),
            f"the support channel gets an update every {format_duration(rules.update_every)}; outage communication asks"
            f" for one at least every {format_duration(_UPDATES)}",
        )


def _expires(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    rules = policy.banner
    for every, when in (
        (
            lcm(rules.republish_every, policy.step),
            "a banner is published only at common multiples of republish_every and step",
        ),
        (
            lcm(rules.republish_every, policy.step, _ASLEEP),
            "while no event arrives, only full minutes are judged",
        ),
    ):
        if every >= rules.valid_for:
            yield Fault(
                ("banner", "republish_every"),
                f"{when}, so every {format_duration(every)}; it expires after {format_duration(rules.valid_for)},"
                " before it is published again",
            )
            return


def _expires_soon(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.banner
    if rules.republish_every < rules.valid_for < 2 * rules.republish_every:
        yield Fault(
            ("banner", "valid_for"),
            f"{format_duration(rules.valid_for)} is less than twice republish_every"
            f" ({format_duration(rules.republish_every)}): one lost message lets the banner expire",
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
