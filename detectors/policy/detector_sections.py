"""Which thresholds do ``outage``, ``burn_rate``, ``silence``, ``latency`` and ``attribution`` have in a policy?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from detectors.instants import HOUR, MINUTE, format_duration
from detectors.policy.types import Count, Duration, Fault, Ratio, Section, repeated, within

__all__ = [
    "Attribution",
    "BurnRate",
    "BurnRateRule",
    "Latency",
    "LatencyRule",
    "Outage",
    "Silence",
]

#: A window that panes answer for; people are kept for an hour.
PaneWindow = Annotated[Duration, within("1s", "1h")]


class Outage(Section):
    """Section ``outage``: more people of a scope fail than chance explains.

    Attributes:
        false_alarm_every: ms: how often all tests of an environment together may fire by chance, at most.
        min_people: distinct people who must have failed.
        usual: the failing share where the history knows none, and the least that is taken as usual.
        spread: relative standard deviation of the usual share: how well it is known.
        least_excess: the failing share above the usual one that is told, if fewer people an hour than those of severity
            2 are affected.
        recover_chance: failures are over when the probability that as few of a window's failures are recent by chance
            is at most this, for five minutes or more; for shorter windows in proportion ...
        recover_share: ... and at most this share of the expected recent failures happened.
        recover_confidence: z of the upper bounds of a failing ratio.
        quiet_below: a scope is quiet when surely less than this share of completed requests fails (and nothing fires).
    """

    false_alarm_every: Annotated[Duration, within("1d", "36500d")]
    min_people: Annotated[Count, Field(ge=1)]
    usual: Annotated[Ratio, Field(ge=1e-6, lt=0.5)]
    spread: Annotated[float, Field(strict=True, ge=0.01, le=1)]
    least_excess: Annotated[Ratio, Field(lt=1)]
    recover_chance: Annotated[Ratio, Field(gt=0, lt=0.5)]
    recover_share: Annotated[Ratio, Field(gt=0)]
    recover_confidence: Annotated[float, Field(strict=True, ge=1, le=6)]
    quiet_below: Annotated[Ratio, Field(gt=0, lt=1)]


class _TwoWindows(Section):
    """Something happens ``factor`` times too often, over a long window and over a short one.

    Attributes:
        long, short: the windows, ms. Up to one hour panes answer, beyond that the history of five minutes.
        factor: multiple of the rate that is allowed.
    """

    long: Annotated[Duration, within("1m", "30d")]
    short: Annotated[Duration, within("1s", "3d")]
    factor: Annotated[float, Field(strict=True, gt=0, le=10_000)]

    def faults(self) -> Iterator[Fault]:
        if self.short >= self.long:
            longest, given = format_duration(self.long), format_duration(self.short)
            yield Fault(("short",), f"must be shorter than long ({longest}), is {given}")
        for name, window in (("long", self.long), ("short", self.short)):
            if window > HOUR and window % (5 * MINUTE):
                yield Fault((name,), "beyond 1h must be a multiple of 5m, which the history is kept in")


class BurnRateRule(_TwoWindows):
    """The error budget burns ``factor`` times too fast, over a long window and over a short one.

    Attributes:
        long, short: the windows, ms.
        factor: multiple of the rate that would use up exactly the month's budget.
        min_people: distinct people who must have failed in the short window, at most half an hour back.
    """

    min_people: Annotated[Count, Field(ge=1)]


class BurnRate(Section):
    """Section ``burn_rate``; the objective itself is in ``objectives``.

    Attributes:
        confidence: z of the one-sided lower bound of the failing ratio in each window.
        min_coverage: share of a window that the history must know.
    """

    confidence: Annotated[float, Field(strict=True, ge=1, le=6)]
    min_coverage: Annotated[Ratio, Field(gt=0)]
    rules: Annotated[tuple[BurnRateRule, ...], Field(min_length=1)]

    def faults(self) -> Iterator[Fault]:
        for i, rule in enumerate(self.rules):
            if any((rule.long, rule.short) == (other.long, other.short) for other in self.rules[:i]):
                yield Fault(("rules", i), "another rule has the same two windows", "listed-twice")


class LatencyRule(_TwoWindows):
    """More requests than the objective allows are slow, over a long window and over a short one.

    Attributes:
        long, short: the windows, ms.
        factor: multiple of the share that may be slow (1 - ``latency_target``).
        min_slow: slow requests in the short window, at most an hour back.
    """

    min_slow: Annotated[Count, Field(ge=1)]


class Latency(Section):
    """Section ``latency``; ``objectives`` defines which requests are slow and which share may be slow.

    Attributes:
        confidence: z of the one-sided lower bound of the slow share in each window.
        recover_confidence: z of the upper bounds.
        quiet_factor: a scope is quiet when the slow share is surely less than this multiple of the allowed share.
        min_coverage: share of a window that the history must know.
        pages: whether slowness of a method that has lasted for ``lifecycle.declare_after`` is declared and pages.
    """

    pages: Annotated[bool, Field(strict=True)]
    confidence: Annotated[float, Field(strict=True, ge=1, le=6)]
    recover_confidence: Annotated[float, Field(strict=True, ge=1, le=6)]
    quiet_factor: Annotated[float, Field(strict=True, gt=0, le=1000)]
    min_coverage: Annotated[Ratio, Field(gt=0)]
    rules: Annotated[tuple[LatencyRule, ...], Field(min_length=1)]

    def faults(self) -> Iterator[Fault]:
        for i, rule in enumerate(self.rules):
            if any((rule.long, rule.short) == (other.long, other.short) for other in self.rules[:i]):
                yield Fault(("rules", i), "another rule has the same two windows", "listed-twice")


class Attribution(Section):
    """Section ``attribution``: how explanations of failures are compared, in nats (log likelihood).

    Attributes:
        scope_costs: the gain that each scope of an explanation must exceed.
        widening: the additional gain that a wide scope must have.
        naming: the additional gain that a scope must have which names a value beyond the first two axes.
        traffic: events in an hour from which on a credential provider has traffic.
    """

    scope_costs: Annotated[float, Field(strict=True, ge=0, le=100)]
    widening: Annotated[float, Field(strict=True, ge=0, le=100)]
    naming: Annotated[float, Field(strict=True, ge=0, le=100)]
    traffic: Annotated[Count, Field(ge=1)]


class Silence(Section):
    """Section ``silence``: far fewer sign-ins arrive than the previous two weeks let expect.

    Attributes:
        windows: ms each.
        min_expected: sign-ins that must be expected in a window before its silence says anything.
        chance: fires when so few would arrive by chance with at most this probability ...
        floor_ratio: ... and no more than this share of the expected did arrive, or, for minutes ...
        shortfall: ... this share of the expected did not.
        spread: relative standard deviation of the level of arrivals around what is expected, for that
            probability ...
        level_spread: ... and for that of a shortfall, beside the error of the hour before that says the level.
        completing_ratio: no silence where more than this share of the usual successes still comes.
        recover_ratio: quiet when this share of the expected arrives again.
    """

    windows: Annotated[tuple[PaneWindow, ...], Field(min_length=1)]
    min_expected: Annotated[Count, Field(ge=1)]
    chance: Annotated[Ratio, Field(gt=0, lt=0.5)]
    floor_ratio: Annotated[Ratio, Field(gt=0, lt=1)]
    shortfall: Annotated[Ratio, Field(gt=0, lt=1)]
    spread: Annotated[float, Field(strict=True, gt=0.01, le=2)]
    level_spread: Annotated[float, Field(strict=True, ge=0.01, le=2)]
    completing_ratio: Annotated[Ratio, Field(gt=0)]
    recover_ratio: Annotated[Ratio, Field(gt=0, le=1)]

    def faults(self) -> Iterator[Fault]:
        yield from repeated("windows", self.windows)
        if self.recover_ratio <= self.floor_ratio:
            yield Fault(
                ("recover_ratio",),
                f"must be more than floor_ratio ({self.floor_ratio:g}), is {self.recover_ratio:g}: "
                "a finding would come and go at one value",
                "recovery-beyond-trigger",
            )
