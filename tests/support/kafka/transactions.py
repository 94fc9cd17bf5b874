"""What does a producer with transactions do to a topic? Markers behind the last record, and open transactions."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Producer

__all__ = ["TransactionalProducer"]

_SECONDS = 30.0


class TransactionalProducer:
    """A producer that writes to one partition in transactions; whatever is open when it ends is aborted.

    Args:
        address: of the listener without TLS and SASL.
        topic, partition: where it writes.
        name: its transactional id; a second producer of that name fences the first.
        timeout_ms: after which the broker aborts a transaction that is still open.
    """

    def __init__(
        self,
        address: str,
        topic: str,
        partition: int,
        name: str = "of the tests",
        *,
        timeout_ms: int = 600_000,
    ) -> None:
        self._topic = topic
        self._partition = partition
        self._open = False
        settings = {"bootstrap.servers": address, "transactional.id": name, "log_level": 0}
        self._producer: Any = Producer(settings | {"transaction.timeout.ms": timeout_ms})
        self._producer.init_transactions(_SECONDS)

    def commit(self, values: Iterable[bytes] = ()) -> None:
        """Write values in the open transaction, or a new one, and commit it, which writes a marker behind them."""
        self.begin(values)
        self._producer.commit_transaction(_SECONDS)
        self._open = False

    def begin(self, values: Iterable[bytes] = ()) -> None:
        """Write values in a transaction that stays open: no reader of committed records gets them."""
        if not self._open:
            self._producer.begin_transaction()
            self._open = True
        for value in values:
            self._producer.produce(self._topic, value, partition=self._partition)
        self._producer.flush(_SECONDS)

    def abort(self) -> None:
        """Abort the open transaction, if there is one."""
        if self._open:
            self._producer.abort_transaction(_SECONDS)
            self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()
