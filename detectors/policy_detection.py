"""The sections of a policy that say when something is found: ``outage``, ``burn_rate``, ``silence``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from detectors.instants import HOUR, MINUTE, format_duration
from detectors.policy_values import Count, Duration, Fault, Ratio, Section, repeated, within

__all__ = ["BurnRate", "BurnRateRule", "Outage", "OutageRule", "Silence"]

#: A window that panes answer for; people are kept for an hour.
PaneWindow = Annotated[Duration, within("1s", "1h")]


class OutageRule(Section):
    """Sign-ins of one window collapse: enough people fail, and a share that chance does not explain.

    Attributes:
        window: ms.
        min_people: distinct people who must have failed.
        failing_ratio: fires when the lower confidence bound of bad / (good + bad) exceeds it.
        recover_below: goes quiet when the ratio itself is below it.
    """

    window: PaneWindow
    min_people: Annotated[Count, Field(ge=1)]
    failing_ratio: Annotated[Ratio, Field(gt=0, lt=1)]
    recover_below: Annotated[Ratio, Field(gt=0, lt=1)]

    def faults(self) -> Iterator[Fault]:
        if self.recover_below >= self.failing_ratio:
            yield (
                ("recover_below",),
                f"must be less than failing_ratio ({self.failing_ratio:g}), is {self.recover_below:g}: "
                "a finding would come and go at one value",
            )


class Outage(Section):
    """Section ``outage``. ``confidence``: z of the one-sided lower bound of the failing ratio."""

    confidence: Annotated[float, Field(strict=True, ge=1, le=6)]
    rules: Annotated[tuple[OutageRule, ...], Field(min_length=1)]

    def faults(self) -> Iterator[Fault]:
        for i, rule in enumerate(self.rules):
            if any(rule.window == other.window for other in self.rules[:i]):
                yield ("rules", i, "window"), f"another rule has the window {format_duration(rule.window)}"


class BurnRateRule(Section):
    """The error budget burns ``factor`` times too fast, over a long window and over a short one.

    Attributes:
        long, short: ms. Up to one hour panes answer, beyond that the history of five minutes.
        factor: multiple of the rate that would use up exactly the month's budget.
        min_people: distinct people who must have failed in the short window, at most an hour back.
        page: whether it may wake somebody; otherwise it only informs.
    """

    long: Annotated[Duration, within("1m", "30d")]
    short: Annotated[Duration, within("1s", "3d")]
    factor: Annotated[float, Field(strict=True, gt=0, le=10_000)]
    min_people: Annotated[Count, Field(ge=1)]
    page: Annotated[bool, Field(strict=True)]

    def faults(self) -> Iterator[Fault]:
        if self.short >= self.long:
            yield (
                ("short",),
                f"must be shorter than long ({format_duration(self.long)}), is {format_duration(self.short)}",
            )
        for name, window in (("long", self.long), ("short", self.short)):
            if window > HOUR and window % (5 * MINUTE):
                yield (name,), "beyond 1h must be a multiple of 5m, which the history is kept in"


class BurnRate(Section):
    """Section ``burn_rate``; the objective itself is in ``objectives``."""

    rules: Annotated[tuple[BurnRateRule, ...], Field(min_length=1)]

    def faults(self) -> Iterator[Fault]:
        for i, rule in enumerate(self.rules):
            if any((rule.long, rule.short) == (other.long, other.short) for other in self.rules[:i]):
                yield ("rules", i), "another rule has the same two windows"


class Silence(Section):
    """Section ``silence``: far fewer sign-ins arrive than the previous two weeks let expect.

    Attributes:
        windows: ms each.
        min_expected: sign-ins that must be expected in a window before its silence says anything.
        chance: fires when so few would arrive by chance with at most this probability (Poisson) ...
        floor_ratio: ... and fewer than this share of the expected did arrive.
    """

    windows: Annotated[tuple[PaneWindow, ...], Field(min_length=1)]
    min_expected: Annotated[Count, Field(ge=1)]
    chance: Annotated[Ratio, Field(gt=0, lt=0.5)]
    floor_ratio: Annotated[Ratio, Field(gt=0, lt=1)]

    def faults(self) -> Iterator[Fault]:
        yield from repeated("windows", self.windows)
