"""On which brokers is speed measured? On the embedded broker, and on one node of Apache Kafka if it can run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from benchmarks.reporting.figures import Figure
from tests.support.brokers import NoKafka, apache_kafka, embedded_broker

__all__ = ["EMBEDDED", "KAFKA", "Broker", "Kind", "add_kafka", "on_each"]


class Broker(Protocol):
    """A running broker: its ``host:port``, and its process if it has one on this machine."""

    @property
    def address(self) -> str: ...
    @property
    def pid(self) -> int | None: ...


@dataclass(frozen=True)
class Kind:
    """A kind of broker.

    Attributes:
        title: the kind in words.
        suffix: the suffix of the names of figures.
        run: starts a broker, and ends it.
    """

    title: str
    suffix: str
    run: Callable[[], AbstractContextManager[Broker]]


#: Kafka's default delay; without it, one of two workers could finish before the group admits the other.
_JOIN_MS = 3_000

EMBEDDED = Kind("embedded broker", "", embedded_broker)
KAFKA = Kind("Apache Kafka", "_on_kafka", partial(apache_kafka, join_ms=_JOIN_MS))


def add_kafka(parser: argparse.ArgumentParser) -> None:
    """Add the option for ``on_each``'s argument ``kafka``."""
    parser.add_argument(
        "--kafka",
        action="store_true",
        help="measure on an Apache Kafka too, where one can run (Docker, or Java and Maven)",
    )


async def on_each(kafka: bool, measure: Callable[[Kind], Awaitable[list[Figure]]]) -> list[Figure]:
    """Measure on the embedded broker, and on Apache Kafka; if Apache Kafka cannot run, print why and leave it out."""
    found = await measure(EMBEDDED)
    if kafka:
        try:
            found += await measure(KAFKA)
        except NoKafka as missing:
            print(f"not measured on Apache Kafka: {missing}", file=sys.stderr)
    return found
