"""Brokers for the tests: the embedded one, and one node of Apache Kafka.

Apache Kafka runs in a container where a Docker engine answers, else as a Java process whose jars Maven
fetches once into ``.data/kafka``. ``python -m tests.support.brokers`` (``make kafka``) runs one in the foreground.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from streams.kafka.embedded_broker import EmbeddedBroker, answers, free_port

__all__ = ["ApacheKafka", "NoKafka", "apache_kafka", "embedded_broker"]

_ROOT = Path(__file__).resolve().parents[2]
_POM = _ROOT / "deploy" / "kafka" / "pom.xml"
_CACHE = _ROOT / ".data" / "kafka"
_START_SECONDS = 90.0  # 3 s as a rule; 12 s after a kill, until its old registration has expired
_POLL_SECONDS = 0.05


class NoKafka(Exception):
    """Apache Kafka cannot run here. The message is one line that says what is missing."""


@contextmanager
def embedded_broker(port: int | None = None, log: Path | None = None) -> Iterator[EmbeddedBroker]:
    """An embedded broker on a free loopback port (or ``port``), stopped at the end."""
    with EmbeddedBroker(port, log) as broker:
        yield broker


@contextmanager
def apache_kafka(
    directory: Path | None = None, port: int | None = None, join_ms: int = 0
) -> Iterator[ApacheKafka]:
    """One node of Apache Kafka, stopped and its data removed at the end.

    Args:
        directory: where its data and its log go; a temporary one by default.
        port: to listen on; a free one by default.
        join_ms: how long the first member of a group waits for others; Kafka's own default is 3,000.

    Raises:
        NoKafka: there is neither a Docker engine nor Java and Maven, or it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="watchofficer-kafka-", ignore_cleanup_errors=True) as temporary:
        kafka = ApacheKafka(directory or Path(temporary), port, join_ms)
        try:
            yield kafka.start()
        finally:
            kafka.close()


class _Node(Protocol):
    """How the broker's process is run. ``start`` after ``kill`` or ``stop`` finds the data."""

    @property
    def pid(self) -> int | None: ...
    def start(self) -> None: ...
    def alive(self) -> bool: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self, paused: bool) -> None: ...
    def close(self) -> None: ...


class ApacheKafka:
    """A one-node Apache Kafka that can be stopped, killed, paused and started again on its data.

    Args:
        directory: where its data and ``kafka.log``, what it prints, are kept.
        port: to listen on; a free one by default.
        join_ms: see ``apache_kafka``.
    """

    def __init__(self, directory: Path, port: int | None = None, join_ms: int = 0) -> None:
        self.port = port or free_port()
        self.log = directory / "kafka.log"
        directory.mkdir(parents=True, exist_ok=True)
        self._node: _Node = (
            _Container(self.port, self.log, join_ms)
            if _docker_answers()
            else _JavaProcess(self.port, directory, self.log, join_ms)
        )

    @property
    def address(self) -> str:
        """``host:port`` for clients; it stays the same over restarts."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process; None in a container, and where it does not run."""
        return self._node.pid

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


# --------------------------------------------------------------------------------------------------
# In a container


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


class _Container:
    _IMAGE = "apache/kafka:4.1.1"
    pid = None

    def __init__(self, port: int, log: Path, join_ms: int) -> None:
        from testcontainers.core.container import DockerContainer

        self._log = log
        listen, advertise = f"0.0.0.0:{port}", f"127.0.0.1:{port}"
        settings = _settings(listen, advertise, controller=port + 1, join_ms=join_ms)
        self._container: Any = DockerContainer(self._IMAGE).with_bind_ports(port, port)
        for name, value in settings.items():
            self._container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
        self._container.with_env("KAFKA_HEAP_OPTS", "-Xmx512m")
        self._created = False

    def start(self) -> None:
        if self._created:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._created = True

    def alive(self) -> bool:
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return bool(wrapped.status == "running")

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=30)
        self._keep_log()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()
        self._keep_log()

    def pause(self, paused: bool) -> None:
        wrapped = self._container.get_wrapped_container()
        wrapped.pause() if paused else wrapped.unpause()

    def close(self) -> None:
        if self._created:
            self._keep_log()
            self._container.stop()

    def _keep_log(self) -> None:
        self._log.write_bytes(self._container.get_wrapped_container().logs())


# --------------------------------------------------------------------------------------------------
# As a Java process


class _JavaProcess:
    _CLUSTER = "d2F0Y2hvZmZpY2VyLXRlcw"  # 16 bytes in URL-safe base64: any will do

    def __init__(self, port: int, directory: Path, log: Path, join_ms: int) -> None:
        self._classpath = str(_jars() / "*")
        self._log = log
        self._properties = directory / "server.properties"
        self._data = directory / "data"
        address = f"127.0.0.1:{port}"
        settings = _settings(address, address, controller=free_port(), join_ms=join_ms)
        settings["log.dirs"] = str(self._data)
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        if self.alive():
            return
        if not self._data.exists():
            config = ["-c", str(self._properties)]
            self._java("kafka.tools.StorageTool", "format", "-t", self._CLUSTER, *config).wait(timeout=60)
        self._process = self._java("kafka.Kafka", str(self._properties))

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self, paused: bool) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def close(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=30)
        self._process.kill()
        self._process.wait()
        self._process = None

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        quick = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        logging = [
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        ]
        with self._log.open("ab") as output:
            return subprocess.Popen(
                ["java", *quick, *logging, "-cp", self._classpath, main, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def _settings(listen: str, advertise: str, controller: int, join_ms: int) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{listen},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://{advertise}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": str(join_ms),
    }


def _jars() -> Path:
    """The folder of Apache Kafka's jars, fetched if the pom has changed since."""
    version = hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    jars = _CACHE / f"jars-{version}"
    if jars.exists():
        return jars
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise NoKafka(f"Apache Kafka needs a Docker engine, or Java and Maven: there is no {program}")
    arriving = _CACHE / f"arriving-{uuid.uuid4().hex}"
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={arriving}"]
    done = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(_POM), *goal], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NoKafka(f"Maven could not fetch Apache Kafka: {(done.stdout + done.stderr)[-500:]}")
    with suppress(OSError):  # another test process was first
        os.rename(arriving, jars)
    shutil.rmtree(arriving, ignore_errors=True)
    return jars


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
