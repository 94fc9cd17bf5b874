"""Which thresholds do ``funnel`` and ``surge``, which watch people's journeys, have in a policy?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from detectors.instants import HOUR
from detectors.policy.types import (
    AxisValue,
    Count,
    Duration,
    ErrorCode,
    Fault,
    Ratio,
    Section,
    repeated,
    within,
)

__all__ = ["CodeSurge", "Funnel", "ReturnMonitor", "Surge", "UserErrors"]


class ReturnMonitor(Section):
    """A fixed limit of the share of a method's sign-ins that come back.

    Attributes:
        window: ms; one of those of the funnel.
        below: fires when surely a lesser share comes back.
        recover_at: is over when this share comes back. The monitor is silent where usually no more comes back.
    """

    window: Annotated[Duration, within("1m", "30m")]
    below: Annotated[Ratio, Field(gt=0, lt=1)]
    recover_at: Annotated[Ratio, Field(gt=0, lt=1)]

    def faults(self) -> Iterator[Fault]:
        if self.recover_at <= self.below:
            yield Fault(
                ("recover_at",),
                f"must be more than below ({self.below:g}), is {self.recover_at:g}: "
                "a finding would come and go at one value",
                "recovery-beyond-trigger",
            )


class Funnel(Section):
    """Section ``funnel``: fewer of those who started come back than usually do.

    Attributes:
        windows: ms each.
        delays: ms that may lie between start and return; the one that lets expect least counts.
        longest_delay: ms that people may take longer all at once before their lack is a loss.
        min_expected: returns that must be expected in a window before their lack says anything.
        fires_below: fires when surely less than this share of the usual returns comes ...
        fires_below_unlearned: ... or less than this share, where only the last hour says what is usual.
        chance: so few returns, at that share, by chance at most with this probability.
        spread: relative standard deviation of the share that returns, for that probability.
        recover_at: quiet when this share of the usual returns comes.
        monitors: fixed limits, by method.
    """

    windows: Annotated[tuple[Annotated[Duration, within("1m", "30m")], ...], Field(min_length=1)]
    delays: Annotated[tuple[Annotated[Duration, within("0s", "10m")], ...], Field(min_length=1)]
    longest_delay: Annotated[Duration, within("1m", "15m")]
    min_expected: Annotated[Count, Field(ge=1)]
    fires_below: Annotated[Ratio, Field(gt=0, lt=1)]
    fires_below_unlearned: Annotated[Ratio, Field(gt=0, lt=1)]
    chance: Annotated[Ratio, Field(gt=0, lt=0.5)]
    spread: Annotated[float, Field(strict=True, gt=0.001, le=2)]
    recover_at: Annotated[Ratio, Field(gt=0, le=1)]
    monitors: Mapping[AxisValue, ReturnMonitor]

    @property
    def live(self) -> tuple[int, ...]:
        """The windows that starts and returns must be counted in, ms: an hour, and all sums with the delays.

        Each is there as it ends now, and ``longest_delay`` earlier.
        """
        ends = {delay + earlier for delay in self.delays for earlier in (0, self.longest_delay)}
        sums = {window + end for window in self.windows for end in ends}
        return tuple(sorted({HOUR, *sums, *ends} - {0}))

    def faults(self) -> Iterator[Fault]:
        yield from repeated("windows", self.windows)
        yield from repeated("delays", self.delays)
        if self.recover_at <= self.fires_below:
            yield Fault(
                ("recover_at",),
                f"must be more than fires_below ({self.fires_below:g}), is {self.recover_at:g}: "
                "a finding would come and go at one value",
                "recovery-beyond-trigger",
            )
        if self.fires_below_unlearned > self.fires_below:
            yield Fault(
                ("fires_below_unlearned",),
                f"must not be more than fires_below ({self.fires_below:g}), is {self.fires_below_unlearned:g}: "
                "an hour knows less than two weeks",
            )
        for method, monitor in self.monitors.items():
            if monitor.window not in self.windows:
                yield Fault(("monitors", method, "window"), "must be one of the windows of the funnel")


class CodeSurge(Section):
    """When failures of one error code are a surge, in the window of ``Surge``.

    Attributes:
        count: failures from which on they are.
        recover_below: it is over below this number.
        min_people: distinct people behind them.
    """

    count: Annotated[Count, Field(ge=2)]
    recover_below: Annotated[Count, Field(ge=1)]
    min_people: Annotated[Count, Field(ge=1)]

    def faults(self) -> Iterator[Fault]:
        if self.recover_below >= self.count:
            yield Fault(
                ("recover_below",),
                f"must be less than count ({self.count:,}), is {self.recover_below:,}: "
                "a finding would come and go at one value",
                "recovery-beyond-trigger",
            )
        if self.min_people > self.count:
            yield Fault(
                ("min_people",),
                f"must not be more than count ({self.count:,}), is {self.min_people:,}: as many fail at most",
            )


class UserErrors(Section):
    """When errors that are the user's doing are a surge as a class: failures that do not count against the service.

    Attributes:
        windows: the windows, ms, over which their share is taken.
        min_people: distinct people with such an error.
        ratio: fires when the lower confidence bound of their share, of all who came back, exceeds it.
        recover_below: is over when their share is less, and in a longer window when a shorter one surely is.
    """

    windows: Annotated[tuple[Annotated[Duration, within("1m", "15m")], ...], Field(min_length=1)]
    min_people: Annotated[Count, Field(ge=1)]
    ratio: Annotated[Ratio, Field(gt=0, lt=1)]
    recover_below: Annotated[Ratio, Field(gt=0, lt=1)]

    def faults(self) -> Iterator[Fault]:
        yield from repeated("windows", self.windows)
        if self.recover_below >= self.ratio:
            yield Fault(
                ("recover_below",),
                f"must be less than ratio ({self.ratio:g}), is {self.recover_below:g}: "
                "a finding would come and go at one value",
                "recovery-beyond-trigger",
            )


class Surge(Section):
    """Section ``surge``: an error code, or errors of users as a class, become far more frequent than usual.

    Attributes:
        window: ms that failures of a code are counted in.
        confidence: z of the one-sided bounds of a share.
        times_usual: nothing is a surge below this multiple of its usual share.
        usual_user_errors, usual_failures: shares that are usual where no history says: of errors of users, and of
            failures that count against the service.
        user_errors: the class.
        codes: single codes.
        any_code: all codes that ``codes`` does not name.
    """

    window: Annotated[Duration, within("1m", "15m")]
    confidence: Annotated[float, Field(strict=True, ge=1, le=6)]
    times_usual: Annotated[float, Field(strict=True, ge=1, le=1000)]
    usual_user_errors: Annotated[Ratio, Field(gt=0, lt=1)]
    usual_failures: Annotated[Ratio, Field(gt=0, lt=1)]
    user_errors: UserErrors
    codes: Mapping[ErrorCode, CodeSurge]
    any_code: CodeSurge

    @property
    def windows(self) -> tuple[int, ...]:
        """All windows, ms, ascending."""
        return tuple(sorted({self.window, *self.user_errors.windows}))
