"""Which thresholds can no data reach, and which are reached only when it is too late?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from detectors.confidence import chance_of_so_few, excess_evidence, wilson_lower
from detectors.detection.outage import needed_evidence
from detectors.instants import DAY, HOUR, format_duration
from detectors.lint.delays import RETURNING
from detectors.lint.rule import Ground, Rule
from detectors.policy.source import Path
from detectors.policy.types import Fault

__all__ = ["RULES"]

#: The error budget is that of a month, taken as 30 days (The Site Reliability Workbook, chapter 5).
_MONTH = 30 * DAY


def _burn_rates(ground: Ground) -> Iterator[Fault]:
    for i, rule in enumerate(ground.policy.burn_rate.rules):
        for method, promise in ground.policy.objectives.items():
            most = 1.0 / (1.0 - promise.availability)
            if rule.factor >= most * (1 - 1e-9):
                yield Fault(
                    ("burn_rate", "rules", i, "factor"),
                    f"the rule never fires for {method}: its error budget of {1 - promise.availability:.3g} burns at"
                    f" most {most:,.4g} times too fast, when every sign-in fails",
                )


def _budget_is_gone(ground: Ground) -> Iterator[Fault]:
    for i, rule in enumerate(ground.policy.burn_rate.rules):
        share = rule.factor * rule.long / _MONTH
        if share >= 1:
            yield Fault(
                ("burn_rate", "rules", i, "factor"),
                f"{format_duration(rule.long)} at {rule.factor:g} times the allowed rate use up {share:.0%} of the"
                " month's error budget: nothing of the budget is left when the rule fires",
            )


def _slower_burns(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.burn_rate.rules
    ordered = sorted(range(len(rules)), key=lambda i: rules[i].long)
    for a, b in itertools.pairwise(ordered):
        short, long = rules[a], rules[b]
        if short.long < long.long and long.factor >= short.factor and long.min_people >= short.min_people:
            yield Fault(
                ("burn_rate", "rules", b, "factor"),
                f"{long.factor:g} is not below the factor {short.factor:g} of the shorter window"
                f" {format_duration(short.long)}: the longer window finds nothing that the shorter one misses",
            )


def _people(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    thresholds: list[tuple[Path, int, int]] = [
        (("outage", "min_people"), policy.outage.min_people, HOUR),
        *(
            (("burn_rate", "rules", i, "min_people"), rule.min_people, min(rule.short, HOUR))
            for i, rule in enumerate(policy.burn_rate.rules)
        ),
    ]
    for path, people, window in thresholds:
        most = ground.most(window)
        if people > most:
            yield Fault(
                path,
                f"the rule never fires: at the busiest {most:,} people sign in within {format_duration(window)}"
                f" ({ground.peak:,} an hour), fewer than {people:,}",
            )


def _ratios(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    thresholds: list[tuple[Path, float, int, float]] = [
        *(
            (
                ("burn_rate", "rules", i, "factor"),
                rule.factor * (1 - min(promise.availability for promise in policy.objectives.values())),
                min(rule.short, HOUR),
                policy.burn_rate.confidence,
            )
            for i, rule in enumerate(policy.burn_rate.rules)
        ),
    ]
    for path, ratio, window, z in thresholds:
        most = ground.most(window)
        bound = float(wilson_lower(most, most, z))
        if bound <= min(ratio, 0.99) and ratio < 1:
            yield Fault(
                path,
                f"the rule never fires: at the busiest {most:,} people sign in within {format_duration(window)}, and if"
                f" all of them fail, the lower bound of the failure ratio (z = {z:g}) is {bound:.3g}, not above"
                f" {ratio:.3g}",
            )


def _evidence(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.outage
    most, needed = ground.most(HOUR), needed_evidence(ground.policy)
    found = float(excess_evidence(most, most, rules.usual, rules.spread))
    if found < needed:
        yield Fault(
            ("outage", "usual"),
            f"no outage is ever found: at the busiest {most:,} people sign in within 1h, and if all of them fail,"
            f" the evidence against a usual ratio of {rules.usual:.3g} (spread {rules.spread:.3g}) is {found:.3g} nats,"
            f" less than the {needed:.3g} nats needed",
        )


def _silences(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.silence
    for i, window in enumerate(rules.windows):
        expected = ground.most(window)
        chance = float(chance_of_so_few(0, expected, rules.spread))
        if expected < rules.min_expected:
            yield Fault(
                ("silence", "windows", i),
                f"a silence is never judged: at the busiest {expected:,} sign-ins are expected in"
                f" {format_duration(window)}, fewer than min_expected ({rules.min_expected:,})",
            )
        elif chance > rules.chance:
            yield Fault(
                ("silence", "windows", i),
                f"a silence never fires: even at the busiest, {format_duration(window)} pass without a sign-in with"
                f" a probability of {chance:.2g}, more than chance allows ({rules.chance:g})",
            )


def _slowness(ground: Ground) -> Iterator[Fault]:
    for i, rule in enumerate(ground.policy.latency.rules):
        most = ground.most(min(rule.short, HOUR))
        if rule.min_slow > most:
            yield Fault(
                ("latency", "rules", i, "min_slow"),
                f"the rule never fires: at the busiest {most:,} people sign in within"
                f" {format_duration(min(rule.short, HOUR))} ({ground.peak:,} an hour), fewer than {rule.min_slow:,}",
            )
        for method, promise in ground.policy.objectives.items():
            most_times = 1.0 / (1.0 - promise.latency_target)
            if rule.factor >= most_times * (1 - 1e-9):
                yield Fault(
                    ("latency", "rules", i, "factor"),
                    f"the rule never fires for {method}: if every request is slow, requests are slow"
                    f" {most_times:,.4g} times as often as the target of {promise.latency_target:g} allows, not"
                    f" {rule.factor:g} times",
                )


def _funnels(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.funnel
    for i, window in enumerate(rules.windows):
        most = ground.most(window)
        expected = int(RETURNING * most)
        spread = (rules.spread**2 + 1.0 / max(most, 1)) ** 0.5
        chance = float(chance_of_so_few(0, rules.fires_below * expected, spread))
        if expected < rules.min_expected:
            yield Fault(
                ("funnel", "windows", i),
                f"lost returns are never judged: at the busiest {expected:,} people come back from a provider in"
                f" {format_duration(window)}, fewer than min_expected ({rules.min_expected:,})",
            )
        elif chance > rules.chance:
            yield Fault(
                ("funnel", "windows", i),
                f"the funnel never fires: even at the busiest, nobody comes back from a provider in"
                f" {format_duration(window)} with a probability of {chance:.2g}, more than chance allows"
                f" ({rules.chance:g})",
            )


def _surges(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.surge
    thresholds: list[tuple[Path, int, int]] = [
        *((("surge", "codes", code, "count"), one.count, rules.window) for code, one in rules.codes.items()),
        (("surge", "any_code", "count"), rules.any_code.count, rules.window),
        (
            ("surge", "user_errors", "min_people"),
            rules.user_errors.min_people,
            min(rules.user_errors.windows),
        ),
    ]
    for path, count, window in thresholds:
        most = ground.most(window)
        if count > most:
            yield Fault(
                path,
                f"the rule never fires: at the busiest {most:,} people sign in within {format_duration(window)}"
                f" ({ground.peak:,} an hour), fewer than {count:,}",
            )
    for name in ("usual_user_errors", "usual_failures"):
        if rules.times_usual * getattr(rules, name) >= 1:
            yield Fault(
                ("surge", "times_usual"),
                f"{rules.times_usual:g} times {name} ({getattr(rules, name):g}) is more than all sign-ins: a scope"
                " without a history never has a surge",
            )


def _severities(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    thresholds: tuple[tuple[Path, int], ...] = (
        (("severity", "severity_1_over"), policy.severity.severity_1_over),
        (("severity", "severity_2_over"), policy.severity.severity_2_over),
        (("priority", "over"), policy.priority.over[0]),
    )
    for path, over in thresholds:
        if over >= ground.peak:
            yield Fault(
                path,
                f"at most {ground.peak:,} people sign in within an hour, so more than {over:,} never fail",
            )


def _fail_over(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.fail_over
    if rules.ssoe_below == 0:
        yield Fault(("fail_over", "ssoe_below"), "no success ratio is below 0: the advice is never given")
    if rules.sis_above == 1:
        yield Fault(("fail_over", "sis_above"), "no success ratio is above 1: the advice is never given")
    if rules.window not in ground.policy.funnel.windows:
        yield Fault(
            ("fail_over", "window"),
            f"funnel.windows does not list {format_duration(rules.window)}: nobody counts who returns from a provider"
            " in that time, so no advice is given for a provider",
        )


def _banner(ground: Ground) -> Iterator[Fault]:
    if ground.policy.banner.min_failing_ratio == 1:
        yield Fault(("banner", "min_failing_ratio"), "a banner is shown only if every sign-in fails")


RULES = (
    Rule("burn-rate-out-of-reach", "error", "a burn rate past 1 / (1 - objective)", _burn_rates),
    Rule("budget-gone", "warning", "a burn rate that uses up the budget before it fires", _budget_is_gone),
    Rule("burn-rate-order", "warning", "a longer window with no lesser factor", _slower_burns),
    Rule("people-out-of-reach", "warning", "more people than the window holds at the busiest", _people),
    Rule("ratio-out-of-reach", "warning", "a ratio that a total outage does not surely exceed", _ratios),
    Rule("evidence-out-of-reach", "warning", "an outage that no evidence shows", _evidence),
    Rule("silence-out-of-reach", "warning", "a silence that is always put down to chance", _silences),
    Rule("latency-out-of-reach", "error", "slowness that no traffic can show", _slowness),
    Rule("funnel-out-of-reach", "warning", "lost returns that are always put down to chance", _funnels),
    Rule("surge-out-of-reach", "warning", "more failures than there are sign-ins at the busiest", _surges),
    Rule("severity-out-of-reach", "warning", "more people an hour than ever sign in", _severities),
    Rule("advice-out-of-reach", "error", "fail-over advice whose condition cannot hold", _fail_over),
    Rule("banner-out-of-reach", "warning", "a banner that waits for a total outage", _banner),
)
