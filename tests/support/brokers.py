"""Which brokers do tests use? The embedded broker, and one node of Apache Kafka.

Apache Kafka runs in a container where a Docker engine answers, else as a Java process whose jars Maven
fetches once into ``.data/kafka``. ``python -m tests.support.brokers`` (``make kafka``) runs one in the foreground.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from streams.kafka.embedded_broker import EmbeddedBroker, answers, free_port
from tests.support.kafka.admin import Admin
from tests.support.kafka.certificates import Certificates, make_certificates
from tests.support.kafka.node import NoKafka, node
from tests.support.kafka.setup import PASSWORD, WORKER, Listener, Setup
from tests.support.kafka.small_disk import SmallDisk

__all__ = ["ApacheKafka", "NoKafka", "apache_kafka", "embedded_broker"]

_START_SECONDS = 90.0  # 3 s as a rule; 12 s after a kill, until its old registration has expired
_POLL_SECONDS = 0.05


@contextmanager
def embedded_broker(port: int | None = None, log: Path | None = None) -> Iterator[EmbeddedBroker]:
    """Run an embedded broker on a free loopback port (or ``port``), stopped at the end."""
    with EmbeddedBroker(port, log) as broker:
        yield broker


@contextmanager
def apache_kafka(
    directory: Path | None = None, port: int | None = None, join_ms: int = 0, setup: Setup | None = None
) -> Iterator[ApacheKafka]:
    """Run one node of Apache Kafka; at the end it is stopped and its data are removed.

    Args:
        directory: the folder for its data and its log; a temporary one by default.
        port: the port to listen on; a free one by default.
        join_ms: how long the first member of a group waits for others; Kafka's own default is 3,000.
        setup: how the node differs from a plain one: TLS, SASL, rights, a small disk, settings.

    Raises:
        NoKafka: there is neither a Docker engine nor Java and Maven, or the node does not start.
    """
    chosen = replace(setup or Setup(), join_ms=join_ms)
    with tempfile.TemporaryDirectory(prefix="watchofficer-kafka-", ignore_cleanup_errors=True) as temporary:
        kafka = ApacheKafka(directory or Path(temporary), port, chosen)
        try:
            yield kafka.start()
        finally:
            kafka.close()


class ApacheKafka:
    """A one-node Apache Kafka that can be stopped, killed, paused and started again on its data.

    Args:
        directory: the folder for its data and for ``kafka.log``, which holds its output.
        port: the port of the listener without TLS and SASL; a free one by default.
        setup: how the node differs from a plain one.

    Attributes:
        disk: the small file system that holds the data, if ``setup`` has one.
        certificates: the certificates of the listeners, if ``setup`` has TLS.
    """

    def __init__(self, directory: Path, port: int | None = None, setup: Setup | None = None) -> None:
        chosen = setup or Setup()
        self.port = port or free_port()
        self.log = directory / "kafka.log"
        directory.mkdir(parents=True, exist_ok=True)
        self._ports = chosen.ports(self.port)
        self.certificates: Certificates | None = (
            make_certificates(directory / "certificates") if chosen.secured else None
        )
        self.disk = None if chosen.disk_bytes is None else SmallDisk(directory / "data", chosen.disk_bytes)
        if self.disk is not None:
            self.disk.mount()
        self._node = node(directory, self.log, chosen, self._ports, self.certificates)

    @property
    def address(self) -> str:
        """``host:port`` for clients without TLS and SASL, who are super users; restarts do not change it."""
        return self.address_of(Listener.PLAINTEXT)

    def address_of(self, listener: Listener) -> str:
        """Return ``host:port`` of a listener; restarts do not change it."""
        return f"127.0.0.1:{self._ports[listener]}"

    def worker_settings(
        self, listener: Listener, *, mechanism: str = "PLAIN", user: str = WORKER, password: str = PASSWORD
    ) -> dict[str, str]:
        """Return the settings, without ``WATCHOFFICER_``, by which a worker reaches a listener.

        Args:
            listener: the listener.
            mechanism, user, password: the SASL mechanism and credentials, if the listener requires SASL.
        """
        settings = {"BROKER": self.address_of(listener), "BROKER_SECURITY__PROTOCOL": listener.protocol}
        if listener.protocol in ("SSL", "SASL_SSL"):
            assert self.certificates is not None
            settings["BROKER_SECURITY__CA_FILE"] = str(self.certificates.authority)
        if listener.protocol.startswith("SASL"):
            settings["BROKER_SECURITY__MECHANISM"] = mechanism
            settings["BROKER_SECURITY__USERNAME"] = user
            settings["BROKER_SECURITY__PASSWORD"] = password
        return settings

    @property
    def admin(self) -> Admin:
        """An administrator of the node."""
        return Admin(self.address)

    @property
    def pid(self) -> int | None:
        """The id of the node's process; None in a container, and while it does not run."""
        return self._node.pid

    def alive(self) -> bool:
        """Whether the node's process runs, which ends by itself when its disk is full."""
        return self._node.alive()

    def start(self) -> ApacheKafka:
        """Start the node, for the first time or again, and return once it answers.

        Raises:
            NoKafka: the node ended, or did not answer in time.
        """
        self._node.start()
        deadline = time.monotonic() + _START_SECONDS
        while not answers(self.address):
            if not self._node.alive() or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-500:] if self.log.exists() else ""
                raise NoKafka(f"Apache Kafka did not start on {self.address}: {tail}")
            time.sleep(_POLL_SECONDS)
        return self

    def stop(self) -> None:
        """Shut the node down in order; the data stay."""
        self._node.stop()

    def kill(self) -> None:
        """Kill the node (``kill -9``); the data stay."""
        self._node.kill()

    def restart(self) -> None:
        """Stop the node in order and start it again."""
        self.stop()
        self.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the node hang meanwhile: connections stay open, and no request is answered."""
        self._node.pause(True)
        try:
            yield
        finally:
            self._node.pause(False)

    def close(self) -> None:
        """Stop the node and remove its data."""
        self._node.close()
        if self.disk is not None:
            self.disk.unmount()


def main(arguments: list[str] | None = None) -> int:
    """Run a broker in the foreground, print its address, and stop it on Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.brokers", description=main.__doc__)
    parser.add_argument("--port", type=int, default=9092)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with apache_kafka(port=options.port) as kafka:
            print(
                f"Apache Kafka listens on {kafka.address}; its log is {kafka.log}; Ctrl-C stops it.",
                flush=True,
            )
            signal.pause()
    except NoKafka as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
