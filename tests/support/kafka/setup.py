"""How is a node of Apache Kafka set up: its listeners, its certificates, who may enter, how large its disk is?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from streams.kafka.embedded_broker import free_port
from tests.support.kafka.certificates import Certificates

__all__ = ["HARNESS", "PASSWORD", "WORKER", "Listener", "Setup", "properties"]

#: The names that SASL knows, with one password. Rights are asked of both; who connects without a name is a super user.
WORKER, HARNESS, PASSWORD = "worker", "harness", "not-a-secret-of-anybody"


class Listener(StrEnum):
    """The listeners of a node. A node that is not ``secured`` has the first alone."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"
    EXPIRED = "EXPIRED"
    FOREIGN = "FOREIGN"
    MISNAMED = "MISNAMED"

    @property
    def protocol(self) -> str:
        """Return Kafka's name of the security protocol; listeners with a bad certificate require no authentication."""
        plain = (Listener.PLAINTEXT, Listener.SASL_PLAINTEXT, Listener.SASL_SSL)
        return self.value if self in plain else "SSL"


@dataclass(frozen=True)
class Setup:
    """How a node of Apache Kafka differs from a plain one.

    Attributes:
        join_ms: how long the first member of a group waits for others; Kafka's own default is 3,000.
        secured: whether there are listeners with TLS and SASL, and rights (ACLs), which SASL's users lack until
            they are given some.
        disk_bytes: the size of the file system that holds all data, where it is to be small: root may mount one.
        broker: further settings of the broker, which go before those made here.
    """

    join_ms: int = 0
    secured: bool = False
    disk_bytes: int | None = None
    broker: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def listeners(self) -> tuple[Listener, ...]:
        """Return the listeners that the node has: one, or all of them if it is secured."""
        return tuple(Listener) if self.secured else (Listener.PLAINTEXT,)

    def ports(self, first: int) -> dict[Listener, int]:
        """Return a free port for each listener; the listener without TLS and SASL gets ``first``."""
        others = [one for one in self.listeners() if one is not Listener.PLAINTEXT]
        taken = {Listener.PLAINTEXT: first}
        for one in others:
            port = free_port()
            while port in taken.values():
                port = free_port()
            taken[one] = port
        return taken


def properties(
    setup: Setup, ports: Mapping[Listener, int], host: str, controller: int, certificates: Certificates | None
) -> dict[str, str]:
    """Return the settings of a node (server.properties), without the folder of its data.

    Args:
        setup: what the test has chosen.
        ports: of the listeners.
        host: the address to listen on.
        controller: the port of the controller.
        certificates: of a secured node.
    """
    listen = [f"{name}://{host}:{port}" for name, port in ports.items()]
    advertised = [f"{name}://127.0.0.1:{port}" for name, port in ports.items()]
    protocols = [f"{name}:{name.protocol}" for name in ports]
    made = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join([*listen, f"CONTROLLER://127.0.0.1:{controller}"]),
        "advertised.listeners": ",".join(advertised),
        "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
        "inter.broker.listener.name": "PLAINTEXT",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": str(setup.join_ms),
    }
    if certificates is not None:
        made |= _security(ports, certificates)
    return made | dict(setup.broker)


def _security(ports: Mapping[Listener, int], certificates: Certificates) -> dict[str, str]:
    shown: dict[Listener, Path] = {
        Listener.EXPIRED: certificates.expired,
        Listener.FOREIGN: certificates.foreign,
        Listener.MISNAMED: certificates.misnamed,
    }
    made = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    users = " ".join(f'user_{name}="{PASSWORD}"' for name in (WORKER, HARNESS))
    for name in ports:
        prefix = f"listener.name.{name.lower()}."
        if name.protocol in ("SSL", "SASL_SSL"):
            made[f"{prefix}ssl.keystore.type"] = "PEM"
            made[f"{prefix}ssl.keystore.location"] = str(shown.get(name, certificates.good))
        if name.protocol.startswith("SASL"):
            plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
            scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
            made[f"{prefix}plain.sasl.jaas.config"] = f"{plain} required {users};"
            made[f"{prefix}scram-sha-512.sasl.jaas.config"] = f"{scram} required;"
    return made
