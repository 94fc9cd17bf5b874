"""`watchofficer lint`: which findings does lint have about the given policies?"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from detectors.instants import format_duration
from detectors.lint.delays import delays
from detectors.lint.lint import INVALID, RULES, Finding, lint
from detectors.lint.rule import PEAK
from detectors.policy.policy import Policy, parse_policy
from detectors.policy.source import PolicyError
from streams.cli.inputs.mapping import named_schemas
from streams.mappings.mapping import compile_mapping
from streams.settings.policy_file import shipped_values

__all__ = ["lint_command", "rules_command"]

#: A key that mappings have, and policies have not.
_MAPPING = re.compile(rb"^fields:", re.MULTILINE)
_CLEAN, _FINDINGS, _UNREADABLE = 0, 1, 2


def lint_command(names: Sequence[str], *, form: str, now: int, peak: int | None) -> int:
    """Lint policies and mappings (``-`` for standard input); 0 clean, 1 findings, 2 a file that cannot be used.

    For a given ``peak`` (sign-ins an hour) each valid file is also said how long each kind of trouble takes to be seen.
    """
    findings: list[Finding] = []
    status = _CLEAN
    for name in names:
        shown = "<stdin>" if name == "-" else name
        try:
            text = _read(name)
            if _MAPPING.search(text):
                compile_mapping(text, shown, schemas=named_schemas(at_once=False))
                continue
            found = lint(text, shown, shipped_values(), now=now, peak=PEAK if peak is None else peak)
        except (PolicyError, OSError) as error:
            said = f"{name}:1: cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            click.echo(said, err=True)
            status = _UNREADABLE
            continue
        findings += found
        for finding in found:
            click.echo(msgspec.json.encode(finding.as_json()) if form == "jsonl" else str(finding))
        if peak is not None and not any(finding.rule in INVALID for finding in found):
            _tell_delays(parse_policy(text, shown, shipped_values()), shown, peak, form)
    if form == "text":
        errors = sum(finding.severity == "error" for finding in findings)
        click.echo(f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}", err=True)
    return status or (_FINDINGS if findings else _CLEAN)


def _tell_delays(policy: Policy, name: str, peak: int, form: str) -> None:
    """Print how long each kind of trouble takes to be seen."""
    for seen in delays(policy, peak):
        if form == "jsonl":
            click.echo(msgspec.json.encode({**seen.as_json(), "file": name}))
            continue
        after = "is never seen" if seen.after is None else f"is seen after {format_duration(seen.after)}"
        click.echo(f"{name}: {seen.kind} of {seen.share:.0%} {after}, where {peak:,} an hour sign in")


def rules_command(form: str) -> int:
    """List the rules, each in a line: as text, or as an object (``form`` is ``jsonl``)."""
    rules = [
        *((name, "error", summary) for name, summary in INVALID.items()),
        *((rule.id, rule.severity, rule.summary) for rule in RULES),
    ]
    for name, severity, summary in rules:
        if form == "jsonl":
            click.echo(msgspec.json.encode({"rule": name, "severity": severity, "summary": summary}))
        else:
            click.echo(f"{name:24} {severity:8} {summary}")
    return _CLEAN


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
