"""`watchofficer policy`: which numbers does a policy set for people?"""

from __future__ import annotations

import click

from detectors.policy.policy import Policy
from streams.reports.process import explain_policy

__all__ = ["explain_command"]


def explain_command(policy: Policy, *, table: str | None) -> int:
    """Print the tables of a policy in Markdown, or one of them, and return the exit status."""
    tables = explain_policy(policy)
    if table is not None and table not in tables:
        click.echo(f"no table {table!r}; there are {', '.join(tables)}", err=True)
        return 2
    wanted = tables if table is None else {table: tables[table]}
    click.echo("\n".join(f"### {name}\n\n{text}" for name, text in wanted.items()), nl=False)
    return 0
