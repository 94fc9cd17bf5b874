"""How do two brokers of Apache Kafka make one cluster, so that a topic can have two replicas and lose one?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from streams.kafka.embedded_broker import free_port
from tests.support.brokers import ApacheKafka
from tests.support.kafka.setup import Setup

__all__ = ["Pair", "pair_of_brokers"]

_SECONDS_UNTIL_FENCED = 6


class Pair(NamedTuple):
    """Two brokers of one cluster.

    Attributes:
        first: leads the cluster, and must stay.
        second: may be stopped, killed and started again.
    """

    first: ApacheKafka
    second: ApacheKafka


@contextmanager
def pair_of_brokers(folder: Path) -> Iterator[Pair]:
    """Two brokers, as Java processes, the second of which is not started yet; at the end their data are removed.

    Args:
        folder: for their data and logs.
    """
    controller, ports = free_port(), (free_port(), free_port())
    shared = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "broker.session.timeout.ms": str(1_000 * _SECONDS_UNTIL_FENCED),
    }
    first = shared | {"listeners": f"{_plain(ports[0])},CONTROLLER://127.0.0.1:{controller}"}
    second = shared | {
        "process.roles": "broker",
        "node.id": "2",
        "listeners": _plain(ports[1]),
        "advertised.listeners": _plain(ports[1]),
    }
    pair = Pair(
        ApacheKafka(folder / "first", ports[0], Setup(broker=first)),
        ApacheKafka(folder / "second", ports[1], Setup(broker=second)),
    )
    try:
        pair.first.start()
        yield pair
    finally:
        pair.second.close()
        pair.first.close()


def _plain(port: int) -> str:
    return f"PLAINTEXT://127.0.0.1:{port}"
