"""`watchofficer doctor`: is a deployment in order? Each check says ok, warning or failed, and what to do."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click
import msgspec

from detectors.policy.policy import Policy
from streams.cli.configuration import inputs_of
from streams.cli.doctor.check import Check, as_text, wrapped_command
from streams.cli.doctor.cluster import Deployment, cluster_checks
from streams.cli.doctor.inputs import worker_checks
from streams.cli.doctor.local import disk_check, policy_checks
from streams.cli.doctor.receivers import receiver_checks
from streams.cli.inputs.address import own_url, trusted
from streams.kafka.rights import least_rights
from streams.kafka.topics import Topics
from streams.runtime.clocks import RealClock
from streams.settings.policy_file import default_policy, load_policy
from streams.settings.settings import Settings, SettingsError, read_settings

__all__ = ["acls_command", "doctor_command"]

_ROLES = {"all": ("ingest", "evaluate", "sinks")}


def doctor_command(
    *, as_json: bool, url: str | None, role: str, policy_file: str | None, trust_producer_clocks: bool
) -> int:
    """Print the checks; the exit status: 1 if one has failed.

    Args:
        as_json: print an object a line instead of text.
        url: where a worker serves HTTP; None: the address in the settings.
        role: of the process whose rights are looked at: all, ingest, evaluate, sinks, guard.
        policy_file: the policy; None for that of the settings.
        trust_producer_clocks: whether inputs may have the clocks of their producers.

    Raises:
        SettingsError: the settings cannot be used.
        PolicyError: a mapping cannot be used.
    """
    settings = read_settings(os.environ)
    file = Path(policy_file) if policy_file else settings.policy
    on_policy = list(policy_checks(file, RealClock()()))
    broken = any(check.status == "failed" for check in on_policy)
    policy = load_policy(file) if file and not broken else default_policy()
    checks = asyncio.run(_of_others(settings, policy, role, check_timestamps=not trust_producer_clocks))
    checks += [*on_policy, disk_check()]
    if role != "guard":
        base = (url or own_url(settings)).rstrip("/")
        checks += worker_checks(base, settings.api_token, trusted(settings, url))
    for check in checks:
        click.echo(msgspec.json.encode(check) if as_json else "\n".join(as_text(check)))
    sys.stdout.flush()
    return int(any(check.status == "failed" for check in checks))


async def _of_others(settings: Settings, policy: Policy, role: str, *, check_timestamps: bool) -> list[Check]:
    """The checks of Kafka and of the receivers."""
    try:
        deployment = _deployment(settings, policy, role, check_timestamps=check_timestamps)
    except SettingsError as error:
        checks = [Check("broker", "failed", str(error), "set what is named, as README says under Settings")]
    else:
        checks = await cluster_checks(deployment)
    tells = role in ("all", "sinks")
    return checks + (await receiver_checks(settings, policy) if tells else [])


def acls_command(*, role: str, principal: str | None, trust_producer_clocks: bool) -> int:
    """Print the least rights of a process as commands; returns the exit status.

    Args:
        role: of the process: all, ingest, evaluate, sinks, guard.
        principal: the name with which it enters; None for that of the settings.
        trust_producer_clocks: whether inputs may have the clocks of their producers.

    Raises:
        SettingsError: the settings cannot be used.
        PolicyError: a mapping cannot be used.
    """
    settings = read_settings(os.environ)
    user = principal or settings.broker_security.username or "ANONYMOUS"
    server = ",".join(settings.broker) or "BROKER:9092"
    rights = least_rights(
        Topics(settings.topic_prefix),
        _ROLES.get(role, (role,)),
        inputs=_input_topics(settings, role),
        settings_too=role != "guard" and not trust_producer_clocks,
    )
    click.echo(f"# The least rights for --role {role}, where all topics exist. Where some do")
    click.echo("# not, `watchofficer doctor` prints the commands that create them.")
    for one in rights:
        command = one.command(user).replace("kafka-acls.sh", f"kafka-acls.sh --bootstrap-server {server}", 1)
        click.echo("\n".join(wrapped_command(command)))
    return 0


def _input_topics(settings: Settings, role: str) -> tuple[str, ...]:
    inputs = inputs_of(settings) if role in ("all", "ingest") else ()
    return tuple(dict.fromkeys(one.topic for one in inputs)) or (Topics(settings.topic_prefix).login_events,)


def _deployment(settings: Settings, policy: Policy, role: str, *, check_timestamps: bool) -> Deployment:
    return Deployment(
        kafka=settings.kafka_client_kwargs(),
        topics=Topics(settings.topic_prefix),
        roles=_ROLES.get(role, (role,)),
        inputs=_input_topics(settings, role),
        policy=policy,
        check_timestamps=check_timestamps,
    )
