"""How is a process that runs for long configured? From the environment and a policy, with logs that hide secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import structlog

from detectors.notification.routes import unheard
from detectors.policy.policy import Policy
from streams.runtime.logs import configure_logs
from streams.settings.policy_file import default_policy, load_policy
from streams.settings.settings import Settings, read_settings

__all__ = ["announce_settings", "configured"]

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


def announce_settings(settings: Settings, policy: Policy) -> None:
    """Log the settings that are unknown, and the receivers that are off or hear nothing."""
    for sentence in (*settings.unknown, *settings.sinks_off(), *unheard(policy, settings.sinks())):
        log.warning("settings", say=sentence)
