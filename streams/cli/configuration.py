"""How is a process that runs for long configured? From the environment and a policy, with logs that hide secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import structlog

from detectors.notification.routes import unheard
from detectors.policy.policy import Policy
from streams.kafka.topics import Topics
from streams.mappings.inputs import PLAIN, Input, read_inputs
from streams.mappings.mapping import FIXED_KEY
from streams.mappings.schemas.store import schemas_of
from streams.runtime.logs import configure_logs
from streams.settings.policy_file import default_policy, load_policy
from streams.settings.settings import PREFIX, Settings, SettingsError, SettingsProblem, read_settings

__all__ = ["announce_settings", "configured", "inputs_of"]

log = structlog.get_logger(__name__)


def configured(environ: Mapping[str, str], policy_file: str | None) -> tuple[Settings, Policy]:
    """Read the settings and the policy, and configure the log.

    Args:
        environ: the variables of the process.
        policy_file: the policy that the command line names; None for that of the settings.

    Raises:
        SettingsError: a setting is wrong.
        PolicyError: the policy is wrong.
    """
    settings = read_settings(environ)
    settings.kafka_client_kwargs()
    file = policy_file or settings.policy
    policy = load_policy(Path(file)) if file else default_policy()
    configure_logs(settings.log_format, secrets=settings.secrets())
    return settings, policy


def inputs_of(settings: Settings) -> tuple[Input, ...]:
    """Return the inputs that ``WATCHOFFICER_INPUTS`` names; none where it is not set.

    Raises:
        PolicyError: a mapping cannot be used.
        SettingsError: a mapping is named, and there is no key of hashes.
    """
    if not settings.inputs:
        return ()
    plain = Topics(settings.topic_prefix).login_events
    key = settings.hash_key
    if key is None and any(name != PLAIN for name in settings.inputs):
        raise SettingsError(
            (
                SettingsProblem(
                    f"{PREFIX}HASH_KEY",
                    "must be set, so that raw ids become hashes that nobody can undo: openssl rand -hex 32",
                ),
            )
        )
    schemas = schemas_of(settings.schema_registry, at_once=False)
    secret = FIXED_KEY if key is None else key.get_secret_value().encode()
    return read_inputs(settings.inputs, plain, secret, schemas)


def announce_settings(settings: Settings, policy: Policy) -> None:
    """Log the settings that are unknown, and the receivers that are off or hear nothing."""
    for sentence in (*settings.unknown, *settings.sinks_off(), *unheard(policy, settings.sinks())):
        log.warning("settings", say=sentence)
