"""`watchofficer lint`: which findings does lint have about the given policies?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from detectors.lint.lint import INVALID, RULES, Finding, lint
from detectors.policy.source import PolicyError
from streams.settings.policy_file import shipped_values

__all__ = ["lint_command", "rules_command"]

_CLEAN, _FINDINGS, _UNREADABLE = 0, 1, 2


def lint_command(names: Sequence[str], *, form: str, now: int, peak: int) -> int:
    """Lint files (``-`` for standard input); the exit status: 0 clean, 1 findings, 2 a file that is no policy."""
    findings: list[Finding] = []
    status = _CLEAN
    for name in names:
        try:
            found = lint(
                _read(name), "<stdin>" if name == "-" else name, shipped_values(), now=now, peak=peak
            )
        except (PolicyError, OSError) as error:
            said = f"{name}:1: cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            click.echo(said, err=True)
            status = _UNREADABLE
            continue
        findings += found
        for finding in found:
            click.echo(msgspec.json.encode(finding.as_json()) if form == "jsonl" else str(finding))
    if form == "text":
        errors = sum(finding.severity == "error" for finding in findings)
        click.echo(f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}", err=True)
    return status or (_FINDINGS if findings else _CLEAN)


def rules_command() -> int:
    """List the rules."""
    for name, summary in INVALID.items():
        click.echo(f"{name:24} error    {summary}")
    for rule in RULES:
        click.echo(f"{rule.id:24} {rule.severity:8} {rule.summary}")
    return _CLEAN


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
