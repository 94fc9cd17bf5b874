"""`watchofficer slo export`: how are the objectives of a policy printed for other tools?"""

from __future__ import annotations

import click
import msgspec
import yaml

from detectors.policy.policy import Policy
from streams.reports.openslo import openslo

__all__ = ["export_command"]


def export_command(policy: Policy, *, env: str, topic_prefix: str, form: str) -> int:
    """Print the OpenSLO documents of a policy, and return the exit status."""
    documents = openslo(policy, env=env, topic_prefix=topic_prefix)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(documents), indent=2))
    else:
        click.echo(yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=120), nl=False)
    return 0
