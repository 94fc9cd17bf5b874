"""Which brokers do tests stand on? The embedded one, and one node of Apache Kafka.

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
    """An embedded broker on a free loopback port (or ``port``), stopped at the end."""
    with EmbeddedBroker(port, log) as broker:
        yield broker


@contextmanager
def apache_kafka(
    directory: Path | None = None, port: int | None = None, join_ms: int = 0, setup: Setup | None = None
) -> Iterator[ApacheKafka]:
    """One node of Apache Kafka, stopped and its data removed at the end.

    Args:
        directory: where its data and its log go; a temporary one by default.
        port: to listen on; a free one by default.
        join_ms: how long the first member of a group waits for others; Kafka's own default is 3,000.
        setup: what else is unlike a plain node: TLS, SASL, rights, a small disk, settings.

    Raises:
        NoKafka: there is neither a Docker engine nor Java and Maven, or it does not start.
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
        directory: where its data and ``kafka.log``, what it prints, are kept.
        port: of the listener without TLS and SASL; a free one by default.
        setup: what is unlike a plain node.

    Attributes:
        disk: the small file system that holds its data, where ``setup`` asks for one.
        certificates: what its listeners show, where ``setup`` asks for TLS.
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
        """``host:port`` for clients without TLS and SASL, who are super users; it stays the same over restarts."""
        return self.address_of(Listener.PLAINTEXT)

    def address_of(self, listener: Listener) -> str:
        """``host:port`` of a listener, over restarts too."""
        return f"127.0.0.1:{self._ports[listener]}"

    def worker_settings(
        self, listener: Listener, *, mechanism: str = "PLAIN", user: str = WORKER, password: str = PASSWORD
    ) -> dict[str, str]:
        """The settings, without ``WATCHOFFICER_``, by which a worker reaches a listener.

        Args:
            listener: which.
            mechanism, user, password: of SASL, where the listener asks for a name.
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
        """Its process; None in a container, and where it does not run."""
        return self._node.pid

    def alive(self) -> bool:
        """Whether its process runs: it ends by itself when its disk is full."""
        return self._node.alive()

    def start(self) -> ApacheKafka:
        """Start it, or start it again, and return once it answers.

        Raises:
            NoKafka: it ended, or did not answer in time.
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
        """Shut it down in order; the data stay."""
        self._node.stop()

    def kill(self) -> None:
        """``kill -9``; the data stay."""
        self._node.kill()

    def restart(self) -> None:
        """Stop in order and start again."""
        self.stop()
        self.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It hangs: connections stay open, and nothing is answered."""
        self._node.pause(True)
        try:
            yield
        finally:
            self._node.pause(False)

    def close(self) -> None:
        """End it for good."""
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
