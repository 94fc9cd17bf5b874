"""What does an administrator of Apache Kafka do in a test? Rights, settings of topics, SCRAM passwords."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.kafka.rights import least_rights
from streams.kafka.topics import Topics
from tests.support.kafka.setup import WORKER

__all__ = ["Admin"]

_SECONDS = 30.0
#: Kafka's word for an operation -> that of the client.
_UPPER = {"Read": "READ", "Write": "WRITE", "Describe": "DESCRIBE", "DescribeConfigs": "DESCRIBE_CONFIGS"}


class Admin:
    """An administrator, who is a super user. Each method returns once the broker has done what it asks.

    Args:
        address: of the listener without TLS and SASL.
    """

    def __init__(self, address: str) -> None:
        self._client: Any = AdminClient({"bootstrap.servers": address, "log_level": 0})

    # -- topics ------------------------------------------------------------------------------------------------

    def create(
        self,
        topic: str,
        partitions: int = 1,
        settings: Mapping[str, str] | None = None,
        *,
        replicas: int = 1,
    ) -> None:
        """Create a topic."""
        _done(
            self._client.create_topics([NewTopic(topic, partitions, replicas, config=dict(settings or {}))])
        )

    def delete(self, topic: str) -> None:
        """Delete a topic with all that it holds."""
        _done(self._client.delete_topics([topic]))

    def configure(self, topic: str, settings: Mapping[str, str | None]) -> None:
        """Change some settings of a topic; a value of None restores the default of the broker."""
        entries = [
            ConfigEntry(
                name,
                value if value is not None else "",
                incremental_operation=AlterConfigOpType.SET
                if value is not None
                else AlterConfigOpType.DELETE,
            )
            for name, value in settings.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        _done(self._client.incremental_alter_configs([resource]))

    # -- rights ------------------------------------------------------------------------------------------------

    def allow(self, operations: Iterable[str], resource: str, name: str, *, prefixed: bool = False) -> None:
        """Give the worker rights.

        Args:
            operations: such as READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS, CREATE.
            resource: TOPIC, GROUP, TRANSACTIONAL_ID or CLUSTER (whose name is ``kafka-cluster``).
            name: of the resource.
            prefixed: whether the name is the beginning of those that are meant.
        """
        self._add(operations, resource, name, AclPermissionType.ALLOW, prefixed=prefixed)

    def deny(self, operations: Iterable[str], resource: str, name: str, *, prefixed: bool = False) -> None:
        """Deny the worker operations on a resource, whatever it is allowed, until ``forgive`` is called."""
        self._add(operations, resource, name, AclPermissionType.DENY, prefixed=prefixed)

    def forgive(self, resource: str, name: str, *, prefixed: bool = False) -> None:
        """Remove all denials (ACLs) of the worker on a resource."""
        self._remove(resource, name, AclPermissionType.DENY, AclOperation.ANY, prefixed=prefixed)

    def take(self, operation: str, resource: str, name: str, *, prefixed: bool = False) -> None:
        """Remove rights that ``allow`` gave the worker."""
        wanted = AclOperation[operation]
        self._remove(resource, name, AclPermissionType.ALLOW, wanted, prefixed=prefixed)

    def allow_what_a_worker_needs(self, prefix: str, group: str = "watchofficer") -> None:
        """Give the worker what it needs where all its topics exist, by the prefix of their names, and more.

        Args:
            prefix: of topics; not empty.
            group: the beginning of the names of consumer groups, after the prefix.
        """
        self.allow(("READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"), "TOPIC", prefix, prefixed=True)
        self.allow(("READ",), "GROUP", prefix + group, prefixed=True)

    def allow_the_least(self, prefix: str) -> None:
        """Give the worker the rights of ``least_rights`` for all roles, where all its topics exist, and no others.

        Args:
            prefix: of topics.
        """
        for kind, name, operations in least_rights(
            Topics(prefix), ("ingest", "evaluate", "sinks"), settings_too=True
        ):
            self.allow([_UPPER[one] for one in operations], kind.upper(), name)

    def _add(
        self, operations: Iterable[str], resource: str, name: str, kind: AclPermissionType, *, prefixed: bool
    ) -> None:
        pattern = _pattern(prefixed)
        bindings = [
            AclBinding(ResourceType[resource], name, pattern, f"User:{WORKER}", "*", AclOperation[one], kind)
            for one in operations
        ]
        _done(self._client.create_acls(bindings))

    def _remove(
        self, resource: str, name: str, kind: AclPermissionType, operation: AclOperation, *, prefixed: bool
    ) -> None:
        pattern = _pattern(prefixed)
        wanted = AclBindingFilter(
            ResourceType[resource], name, pattern, f"User:{WORKER}", "*", operation, kind
        )
        _done(self._client.delete_acls([wanted]))

    def set_scram_password(self, user: str, password: str) -> None:
        """Set the password with which a user authenticates by SCRAM-SHA-512."""
        credentials = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(user, credentials, password.encode())
        _done(self._client.alter_user_scram_credentials([change]))


def _pattern(prefixed: bool) -> ResourcePatternType:
    return ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL


def _done(futures: Mapping[Any, Any]) -> None:
    for future in futures.values():
        future.result(_SECONDS)
