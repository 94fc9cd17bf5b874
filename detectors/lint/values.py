"""Which values of a policy contradict each other, lead nowhere, or have retired though something expects them?"""

from __future__ import annotations

from collections.abc import Iterator

from detectors.instants import format_instant
from detectors.lifecycle.response_times import calendar
from detectors.lint.rule import Ground, Rule
from detectors.policy.classes import ClassTest
from detectors.policy.source import Path
from detectors.policy.types import Fault

__all__ = ["RULES"]

#: SSOe outage response: it lapses if it is not approved within 10 business days of the review date.
_LAPSES_DAYS = 10


def _ties(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    before: list[tuple[str, ClassTest]] = [
        (f"codes.{code}", ClassTest(said.counts, codes=frozenset({code})))
        for code, said in policy.codes.root.items()
    ]
    for i, rule in enumerate(policy.classes):
        test = rule.test
        for name, other in before:
            if test.rank == other.rank and test.counts != other.counts and test.meets(other):
                yield Fault(
                    ("classes", i),
                    f"a failure may also fit {name}, which tests as many fields and says {other.counts}: only the"
                    " order decides",
                )
                break
        before.append((f"classes[{i}]", test))


def _aliases(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    for field, aliases in policy.aliases.items():
        listed = policy.envs if field == "env" else policy.values_of(field)
        where = "envs" if field == "env" else f"values.{field}"
        for alias, value in aliases.items():
            if value not in listed:
                yield Fault(("aliases", field, alias), f"leads to {value}, which {where} does not list")


def _retired(ground: Ground) -> Iterator[Fault]:
    policy, shipped = ground.policy, ground.shipped
    expected: list[tuple[Path, str, str]] = [
        *((("objectives", method), "auth_method", method) for method in policy.objectives),
        *((("funnel", "monitors", method), "auth_method", method) for method in policy.funnel.monitors),
        (("banner", "default_client"), "client_id", policy.banner.default_client),
    ]
    for key, url in policy.runbooks.items():
        if url == shipped.runbooks.get(key):
            continue  # a public procedure, which outlives what it is for
        env, *below = key.split("/")
        named = zip(policy.axes, below, strict=False) if below else ((axis, env) for axis in policy.axes)
        expected += [(("runbooks", key), axis, value) for axis, value in named]
    for i, window in enumerate(policy.maintenance):
        pairs = zip(policy.axes, window.scope.split("/")[1:], strict=False)
        expected += [(("maintenance", i, "scope"), axis, value) for axis, value in pairs]
    for axis, values in policy.values.items():
        for value, said in values.items():
            if said.banner is not None and ground.states(("values", axis, value, "banner")):
                expected.append((("values", axis, value, "banner"), axis, value))
    for path, axis, value in expected:
        if policy.is_retired(axis, value, ground.now):
            since = format_instant(policy.values[axis][value].retired or 0)
            yield Fault(path, f"{value} has retired ({since}), and nobody is expected to use it")


def _review(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.fail_over
    path = ("fail_over", "review_by")
    if rules.review_by > ground.now or not ground.states(path):
        return
    hours = calendar(ground.policy)
    lapses = hours.add(rules.review_by, _LAPSES_DAYS * hours.day)
    verb = "lapses" if lapses > ground.now else "has lapsed, as of"
    yield Fault(
        path,
        f"the review was due {format_instant(rules.review_by)}: the procedure {verb} {format_instant(lapses)} unless it"
        " is approved again",
    )


RULES = (
    Rule("class-tie", "warning", "two rules for one failure that only their order tells apart", _ties),
    Rule("alias-to-nowhere", "warning", "another spelling of a value that is not listed", _aliases),
    Rule("retired-expected", "warning", "something that expects a value that has retired", _retired),
    Rule("review-due", "warning", "a fail-over procedure whose review is due", _review),
)
