"""How do three nodes of Apache Kafka make one cluster, with three replicas of which two must have a record?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from streams.kafka.embedded_broker import free_port
from tests.support.brokers import ApacheKafka
from tests.support.kafka.setup import Setup

__all__ = ["rack_of", "trio_of_brokers"]

_SECONDS_UNTIL_FENCED = 6


def rack_of(number: int) -> str:
    """Return the rack in which the node of a number, 0 to 2, stands."""
    return f"zone-{number}"


@contextmanager
def trio_of_brokers(folder: Path) -> Iterator[list[ApacheKafka]]:
    """Three nodes, as Java processes, each a broker and a voter; at the end their data are removed.

    Clients may read from the replica in their own rack.

    Args:
        folder: for their data and logs.
    """
    ports, voters = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    shared = {
        "controller.quorum.voters": ",".join(f"{n + 1}@127.0.0.1:{port}" for n, port in enumerate(voters)),
        "broker.session.timeout.ms": str(1_000 * _SECONDS_UNTIL_FENCED),
        "replica.lag.time.max.ms": "5000",
        "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
        "default.replication.factor": "3",
        "min.insync.replicas": "2",
        "offsets.topic.replication.factor": "3",
        "transaction.state.log.replication.factor": "3",
        "transaction.state.log.min.isr": "2",
    }
    with ExitStack() as stack:
        nodes = []
        for n, (port, voter) in enumerate(zip(ports, voters, strict=True)):
            own = {
                "node.id": str(n + 1),
                "broker.rack": rack_of(n),
                "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{voter}",
            }
            nodes.append(ApacheKafka(folder / rack_of(n), port, Setup(broker=shared | own)))
            stack.callback(nodes[-1].close)
        with ThreadPoolExecutor(3) as pool:  # none answers before two of them have met
            for started in [pool.submit(node.start) for node in nodes]:
                started.result()
        yield nodes
