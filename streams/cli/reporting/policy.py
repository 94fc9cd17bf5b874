"""`watchofficer policy`: which numbers does a policy set for people?"""

from __future__ import annotations

import click
import msgspec

from detectors.policy.policy import Policy
from streams.reports.process import explain_policy

__all__ = ["explain_command"]


def explain_command(policy: Policy, *, table: str | None, form: str) -> int:
    """Print the tables of a policy, or one of them, and return the exit status: in Markdown, or as rows (``json``)."""
    tables = explain_policy(policy)
    if table is not None and table not in tables:
        click.echo(f"no table {table!r}; there are {', '.join(tables)}", err=True)
        return 2
    wanted = tables if table is None else {table: tables[table]}
    if form == "json":
        rows = {name: one.objects() for name, one in wanted.items()}
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
    else:
        click.echo("\n".join(f"### {name}\n\n{one.markdown()}" for name, one in wanted.items()), nl=False)
    return 0
