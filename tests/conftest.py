"""Fixtures that several areas of the tests share."""

from __future__ import annotations

import gc
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.support import brokers, depth
from tests.support.kafka.setup import Setup
from tests.support.kafka.small_disk import may_mount

# As in `watchofficer` itself, also for what tests start: several workers with threads of their own for products of
# small matrices hinder each other. numpy reads it when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# On the machines of CI the examples are the same each time, so that a change is not held up by what another one has
# brought; whoever runs the tests at a desk tries new ones.
depth.register(derandomize=bool(os.environ.get("CI")))


# To import all tests makes objects by the hundred thousand that stay until the end: no look at them finds garbage.
gc.disable()


def pytest_collection_finish() -> None:
    """Look for cycles again, seldom, and only among what tests make."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


#: An expression of ``-m`` that asks for a mark first: for those who bear it, and bear certain others too or do not.
_ONE_MARK = re.compile(r"(\w+)(?: and (?:not )?\w+)*")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files that do not name the mark that is asked for: to import all test files takes many seconds."""
    asked = _ONE_MARK.fullmatch(config.option.markexpr)
    if asked is None or asked[1] == "not" or collection_path.suffix != ".py":
        return None
    return f"mark.{asked[1]}" not in collection_path.read_text() or None


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """An embedded broker that the tests of one process share; take names from ``topic_prefix``."""
    with brokers.embedded_broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[brokers.ApacheKafka]:
    """A node of Apache Kafka that the tests of one process share; leave it running."""
    with brokers.apache_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[brokers.ApacheKafka]:
    """A node of Apache Kafka with TLS, SASL and rights, which the tests of one process share; leave it running."""
    with brokers.apache_kafka(tmp_path_factory.mktemp("secured"), setup=Setup(secured=True)) as kafka:
        yield kafka


@pytest.fixture
def small_kafka(tmp_path: Path) -> Iterator[brokers.ApacheKafka]:
    """A node of Apache Kafka for one test, on a disk of 160 MB, which only root may mount."""
    if not may_mount(tmp_path):
        pytest.skip("a small disk needs root, who may mount it")
    with brokers.apache_kafka(tmp_path / "kafka", setup=Setup(disk_bytes=160 << 20)) as kafka:
        yield kafka


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[brokers.ApacheKafka]:
    """A node of Apache Kafka for one test, which may kill it."""
    with brokers.apache_kafka(tmp_path) as kafka:
        yield kafka


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test has, for topics and groups."""
    return f"t{uuid.uuid4().hex[:8]}."
