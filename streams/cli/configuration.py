"""How is a process that runs for long configured? From the environment and a policy, with logs that hide secrets."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import structlog

from detectors.notification.routes import unheard
from detectors.policy.policy import Policy
from streams.kafka.topics import Topics
from streams.mappings.inputs import PLAIN, Input, read_inputs
from streams.mappings.mapping import FIXED_KEY
from streams.mappings.schemas.store import schemas_of
from streams.runtime.logs import configure_logs
from streams.settings.policy_file import PolicyFile
from streams.settings.settings import PREFIX, Settings, SettingsError, SettingsProblem, read_settings

__all__ = ["announce", "configured", "inputs_of", "warn_of_settings"]

log = structlog.get_logger(__name__)


#: What stands in the sentence of a receiver that is off altogether (`Settings.sinks_off`).
_OFF = " is off: "


def configured(
    environ: Mapping[str, str], policy_file: str | None, *, verbose: bool = False
) -> tuple[Settings, Policy, PolicyFile]:
    """Read the settings and the policy, and configure the log; returns both, and where the policy stands.

    Args:
        environ: the variables of the process.
        policy_file: the policy that the command line names; None for that of the settings.
        verbose: whether the libraries beneath log how they start and stop, too.

    Raises:
        SettingsError: a setting is wrong.
        PolicyError: the policy is wrong.
    """
    settings = read_settings(environ)
    settings.kafka_client_kwargs()
    settings.http_context()
    file = PolicyFile(Path(policy_file) if policy_file else settings.policy)
    policy = file.load()
    configure_logs(settings.log_format, secrets=settings.secrets(), verbose=verbose)
    return settings, policy, file


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


def warn_of_settings(settings: Settings, policy: Policy) -> None:
    """Log what looks like a slip in the settings, and the receivers that lack a part or hear nothing."""
    gaps = (sentence for sentence in settings.sinks_off() if _OFF not in sentence)
    for sentence in (*settings.doubts, *gaps, *unheard(policy, settings.sinks())):
        log.warning("settings", say=sentence)


def announce(
    settings: Settings,
    policy: Policy,
    *,
    roles: Iterable[str],
    reads: Iterable[str],
    serves: str,
    policy_file: str | None,
) -> None:
    """Say in five lines on standard error what a process runs, and where; as one line of the log where that is JSON.

    Args:
        settings: the settings in force.
        policy: the policy in force.
        roles: what runs here.
        reads: the topics that it reads first.
        serves: the address of HTTP, and what it answers there.
        policy_file: the policy that the command line names; None for that of the settings.
    """
    off = [sentence for sentence in settings.sinks_off() if _OFF in sentence]
    titles = {name: receiver.title for name, receiver in settings.receivers() if ":" not in name}
    on = sorted(settings.sinks())
    told = {
        "runs": f"{', '.join(sorted(roles))} of watchofficer {version('watchofficer')},"
        f" policy {policy_file or settings.policy or 'as shipped'} ({policy.hash})",
        "reads": f"{', '.join(reads)} of {', '.join(settings.broker)}",
        "serves": serves,
        "tells": ", ".join(titles.get(name, name) for name in on) or "nobody: no receiver is set",
    }
    if settings.log_format == "json":
        log.info("starting", **told, off=off)
        return
    told["off"] = ", ".join(sentence.partition(_OFF)[0] for sentence in off) or "nothing"
    if off:
        told["off"] += " (watchofficer doctor says what each lacks)"
    for name, words in told.items():
        print(f"{name:<7} {words}", file=sys.stderr)
