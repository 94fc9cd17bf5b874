"""What did each detector measure, what was that compared with, and what follows, in words?"""

from __future__ import annotations

from collections.abc import Callable

from detectors.incidents import error_words
from detectors.instants import format_duration
from detectors.lifecycle.severity import PRODUCTION
from detectors.policy.policy import Policy
from sinks.wording import ScopeNames, capitalised
from streams.records.log_lines import Evidence, Line

__all__ = ["measured", "scope_decision", "severity_figure"]


def measured(evidence: Evidence) -> str:
    """The numbers behind a finding, in a sentence or two; "" if the finding has none."""
    words_of = _MEASURED.get(evidence.detector, _anything)
    try:
        return words_of(evidence)
    except (KeyError, TypeError):
        # another version wrote the line, with other numbers
        return _anything(evidence)


def _number(evidence: Evidence, name: str) -> float:
    value = evidence.numbers[name]
    if isinstance(value, str) or value is None:
        raise TypeError(name)
    return value


def _window(evidence: Evidence, name: str) -> str:
    return format_duration(int(_number(evidence, name)))


def _share(value: float) -> str:
    """``33.3%``, with three digits that count."""
    percent = value * 100
    return f"{percent:.0f}%" if percent >= 99.95 or percent == 0 else f"{percent:.3g}%"


def _outage(evidence: Evidence) -> str:
    numbers = evidence.numbers
    usual = _number(evidence, "usual_ratio")
    return (
        f"Counted in people, {_share(_number(evidence, 'failing_ratio'))} of those who came through in"
        f" {_window(evidence, 'window_ms')} failed; usually {_share(usual)} do. That is evidence of"
        f" {_number(evidence, 'evidence'):.1f} nats (a likelihood {_factor(_number(evidence, 'evidence'))} times as"
        f" high); {_number(evidence, 'needed'):.1f} nats, of at least {numbers['min_people']} people, are an outage."
    )


def _burn_rate(evidence: Evidence) -> str:
    numbers, budget = evidence.numbers, _number(evidence, "budget")
    gone = numbers.get("budget_gone_in_days")
    return (
        f"The month's budget of {_share(budget)} burns {_number(evidence, 'burn_rate_long'):,.1f} times too fast"
        f" in {_window(evidence, 'long_ms')}, with allowance for chance"
        f" {_number(evidence, 'surely_above') / budget:,.1f} times, and"
        f" {_number(evidence, 'burn_rate_short'):,.1f} times in {_window(evidence, 'short_ms')}. The rule asks for"
        f" {_number(evidence, 'factor'):g} times in both, and for {numbers['min_people']} people."
        + (f" Going on so, it is gone in {float(gone):,.1f} days." if isinstance(gone, int | float) else "")
    )


def _silence(evidence: Evidence) -> str:
    usual, expected = evidence.numbers.get("usual"), _number(evidence, "expected")
    known = (
        f"{float(usual):,.0f} are usual at this time of the week" if isinstance(usual, int | float) else ""
    )
    level = f"{expected:,.0f} at the level of the time before"
    share = evidence.numbers.get("completing")
    completing = (
        f" {_share(float(share))} of those who start usually complete."
        if isinstance(share, int | float) and share < 1
        else ""
    )
    return (
        f"In {_window(evidence, 'window_ms')} {_number(evidence, 'arrived'):,.0f} came;"
        f" {', '.join(filter(None, (known, level)))}. So few come by chance with probability"
        f" {_number(evidence, 'chance'):.2g}; at most {_number(evidence, 'threshold'):.2g} is taken for silence."
        + completing
    )


def _latency(evidence: Evidence) -> str:
    return (
        f"{_share(_number(evidence, 'slow_ratio'))} of the requests were slow in {_window(evidence, 'long_ms')}, with"
        f" allowance for chance more than {_share(_number(evidence, 'surely_above'))}, and"
        f" {_share(_number(evidence, 'slow_ratio_short'))} in {_window(evidence, 'short_ms')}. The rule asks for more"
        f" than {_share(_number(evidence, 'threshold'))} in both: {_number(evidence, 'factor'):g} times the"
        f" {_share(_number(evidence, 'budget'))} that may be."
    )


def _funnel(evidence: Evidence) -> str:
    usual = evidence.numbers.get("usual_ratio")
    if not isinstance(usual, int | float):
        raise TypeError("usual_ratio")
    return (
        f"In {_window(evidence, 'window_ms')} {_number(evidence, 'returned'):,.0f} came back of"
        f" {_number(evidence, 'started'):,.0f} who had started a while before; {_share(float(usual))} usually do,"
        f" which makes {_number(evidence, 'expected'):,.0f}. Fewer than {_share(_number(evidence, 'limit_ratio'))} is"
        f" too few; if as many as that came back, so few would by chance with probability"
        f" {_number(evidence, 'chance'):.2g}, and at most {_number(evidence, 'threshold'):.2g} is no chance."
    )


def _surge(evidence: Evidence) -> str:
    numbers, code = evidence.numbers, evidence.numbers["code"]
    what = "an error of the users" if code is None else f"the code {code}"
    counted = "count" if numbers["counts"] == "bad" else "do not count"
    return (
        f"{_number(evidence, 'people'):,.0f} people failed with {what}"
        f" {_number(evidence, 'count'):,.0f} times in {_window(evidence, 'window_ms')}:"
        f" {_share(_number(evidence, 'share'))} of those who came back, with allowance for chance more than"
        f" {_share(_number(evidence, 'surely_above'))}. {_share(_number(evidence, 'usual_ratio'))} is usual; more than"
        f" {_share(_number(evidence, 'threshold'))}, {numbers['least']} times or more often and of at least"
        f" {numbers['min_people']} people, is a surge. Such failures {counted} against the service."
    )


def _anything(evidence: Evidence) -> str:
    known = {k: v for k, v in evidence.numbers.items() if k not in ("explains", "gain") and v is not None}
    if not known:
        return ""
    words = (
        f"{name.removesuffix('_ms').replace('_', ' ')} "
        + (format_duration(int(value)) if name.endswith("_ms") and not isinstance(value, str) else f"{value}")
        for name, value in known.items()
    )
    return f"Its numbers: {', '.join(words)}."


_MEASURED: dict[str, Callable[[Evidence], str]] = {
    "outage": _outage,
    "burn_rate": _burn_rate,
    "silence": _silence,
    "latency": _latency,
    "funnel": _funnel,
    "surge": _surge,
}


#: What a scope does, by the detector that leads; anything else fails.
_VERBS = {
    "silence": "has fallen silent",
    "latency": "is slow",
    "funnel": "loses people",
    "surge": "sees the same errors",
}


def scope_decision(line: Line, names: ScopeNames) -> str:
    """Return why the incident is on its scope and no other; "" if the line has no evidence for the decision."""
    leading = next((one for one in line.evidence if "explains" in one.numbers), None)
    if leading is None:
        return ""
    verb = _VERBS.get(leading.detector, "fails")
    words = f"{capitalised(names.words(leading.scope))} {verb} as one."
    symptoms = [one for one in str(leading.numbers["explains"] or "").split(",") if one]
    if symptoms:
        words += f" What is found on {_listed(symptoms)} is a symptom of the same."
    gain = leading.numbers.get("gain")
    if isinstance(gain, int | float) and gain > 0:
        words += (
            f" That explains what was seen better than “all is as usual” does, by {gain:,.0f} nats (a likelihood"
            f" {_factor(gain)} times as high)."
        )
    return words


def _factor(nats: float) -> str:
    """``10^35`` of 80 nats."""
    digits = nats / 2.302585093
    return f"{10**digits:,.0f}" if digits < 4 else f"10^{digits:.0f}"


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= 6 else [*names[:5], f"{len(names) - 5} more scopes"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def severity_figure(line: Line, policy: Policy | None) -> str:
    """The people behind the severity, what the figure rests on, and the threshold that decides."""
    people = f"{line.users_impacted:,} {'person' if line.users_impacted == 1 else 'people'} an hour"
    error = f", {error_words(line.users_impacted_error)}" if line.users_impacted_error else ""
    words = f"{people} ({line.basis}{error}: {_basis(line.basis, policy)})"
    env = line.scope.partition("/")[0]
    if env != PRODUCTION:
        return f"{words}. Outside {PRODUCTION} it is always severity 3."
    if policy is None:
        return f"{words}: severity {line.severity}."
    rules = policy.severity
    users = line.users_impacted
    figure = 1 if users > rules.severity_1_over else 2 if users > rules.severity_2_over else 3
    limits = {
        1: f"more than {rules.severity_1_over:,} is severity 1",
        2: f"more than {rules.severity_2_over:,} and no more than {rules.severity_1_over:,} is severity 2",
        3: f"no more than {rules.severity_2_over:,} is severity 3",
    }
    words += f"; {limits[figure]}"
    if figure > line.severity:
        words += (
            f", and it stays {line.severity} until the figure has been below"
            f" {rules.fall_factor:.0%} of the threshold for {format_duration(rules.dwell)}"
        )
    return f"{words}."


def _basis(basis: str, policy: Policy | None) -> str:
    if basis == "observed":
        return "everybody who has failed since the first failure, at most an hour back"
    if basis == "estimated":
        return "those who would have completed by what is usual, less those who did"
    if policy is None:
        return (
            "those so far and, for the rest of the hour, new ones as in the last minutes, at the lower bound"
        )
    window, sure = policy.severity.projection_window, policy.severity.confidence
    return (
        f"those so far and, for the rest of the hour, new ones as in the last {format_duration(window)}, at the lower"
        f" bound that holds with {sure:.0%}"
    )
