"""Which errors does a policy have, and which of its valid values cannot have their intended effect?

Errors that keep a policy from being read are findings too, so that one run shows everything. Where some sections
are wrong, lint still checks the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detectors.lint import durations, maintenance, objectives, reachability, routes, values
from detectors.lint.rule import PEAK, Ground, LintSeverity, Rule
from detectors.policy.policy import Policy, parse_policy
from detectors.policy.source import PolicyError, PolicyProblem, Refusal, Source, read_source

__all__ = ["INVALID", "RULES", "Finding", "check", "lint", "refused"]

#: Every rule, by subject.
RULES: tuple[Rule, ...] = (
    *reachability.RULES,
    *durations.RULES,
    *objectives.RULES,
    *maintenance.RULES,
    *values.RULES,
    *routes.RULES,
)

#: Why a policy is refused: id of the refusal -> what it stands for. The last id is for all else.
INVALID: dict[Refusal, str] = {
    "unknown-name": "a key, value, scope or step that there is not",
    "listed-twice": "a key, window or rule that stands twice",
    "window-off-step": "a window that is shorter than the step, or no multiple of it",
    "recovery-beyond-trigger": "recovery that begins where the trigger still holds",
    "invalid": "a value that a policy may not have",
}


@dataclass(frozen=True)
class Finding:
    """One finding of lint: its position, its rule, and its message."""

    file: str
    line: int
    column: int
    path: str
    rule: str
    severity: LintSeverity
    message: str

    def __str__(self) -> str:
        path = f" {self.path}:" if self.path else ""
        return f"{self.file}:{self.line}:{path} {self.severity}: {self.message} [{self.rule}]"

    def as_json(self) -> dict[str, object]:
        """The object of ``--format jsonl``."""
        return {"type": "finding", **{name: getattr(self, name) for name in self.__dataclass_fields__}}


def lint(
    text: str | bytes, name: str, shipped: Mapping[str, Any], *, now: int, peak: int = PEAK
) -> list[Finding]:
    """All findings about a policy, in the order of the text.

    Args:
        text: a YAML document.
        name: of the file, for messages.
        shipped: the values of the shipped policy.
        now: the present, ms.
        peak: sign-ins an hour at the busiest.
    """
    try:
        source = read_source(text, name)
    except PolicyError as error:
        return refused(error)
    found: list[Finding] = []
    wrong: set[str] = set()
    policy: Policy | None
    try:
        policy = parse_policy(text, name, shipped)
    except PolicyError as error:
        found += refused(error)
        wrong = {_section(problem.path) for problem in error.errors}
        policy = _rest(source, wrong, shipped)
    if policy is not None:
        ground = Ground(policy, source, parse_policy("{}", name, shipped), now, peak)
        found += [one for one in check(ground) if _section(one.path) not in wrong]
    return sorted(found, key=lambda one: (one.line, one.column, one.path, one.rule))


def refused(error: PolicyError) -> list[Finding]:
    """The findings about a policy or mapping that cannot be used: every problem, in the order of the text."""
    return [_found(problem, problem.refusal, "error") for problem in error.errors]


def check(ground: Ground) -> list[Finding]:
    """The findings of all rules, in the order of ``RULES``."""
    out = []
    for rule in RULES:
        for fault in rule.check(ground):
            problem = ground.source.problem(fault.path, fault.message)
            out.append(_found(problem, rule.id, rule.severity))
    return out


def _rest(source: Source, wrong: set[str], shipped: Mapping[str, Any]) -> Policy | None:
    """The policy without the sections that are wrong; None if the rest is no policy either."""
    if not isinstance(source.values, dict):
        return None
    kept = {key: value for key, value in source.values.items() if key not in wrong}
    try:
        return parse_policy(json.dumps(kept), source.name, shipped)
    except PolicyError:
        return None


def _section(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def _found(problem: PolicyProblem, rule: str, severity: LintSeverity) -> Finding:
    return Finding(problem.file, problem.line, problem.column, problem.path, rule, severity, problem.message)
