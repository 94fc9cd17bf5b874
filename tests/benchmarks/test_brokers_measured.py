"""On which brokers a benchmark measures."""

from __future__ import annotations

import pytest

from benchmarks.reporting.figures import Figure, figure
from benchmarks.setup.brokers import EMBEDDED, KAFKA, Kind, on_each
from tests.support.brokers import NoKafka


async def _measured(kind: Kind) -> list[Figure]:
    return [figure(f"x{kind.suffix}", kind.title, "s", [1.0])]


async def test_apache_kafka_is_measured_on_where_it_is_asked_for() -> None:
    assert [one.name for one in await on_each(False, _measured)] == ["x"]
    assert [one.name for one in await on_each(True, _measured)] == ["x", "x_on_kafka"]


async def test_where_apache_kafka_cannot_run_it_is_left_out_and_said_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def without_kafka(kind: Kind) -> list[Figure]:
        if kind is KAFKA:
            raise NoKafka("there is no java")
        return await _measured(kind)

    assert [one.title for one in await on_each(True, without_kafka)] == [EMBEDDED.title]
    assert "not measured on Apache Kafka: there is no java" in capsys.readouterr().err
