"""`watchofficer status-page`, as a user calls it on a broker."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from sinks.banner import banner
from streams.cli.main import main
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.records.models import encode_incident
from streams.runtime.clocks import RealClock
from streams.settings.policy_file import default_policy
from tests.sinks.samples import incident


async def write(address: str, prefix: str) -> None:
    about, now = incident(), RealClock()()
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        await producer.send_and_wait(f"{prefix}incidents", encode_incident(about), b"prod-7")
        for state in banner.banners(default_policy(), "prod", [about], now).values():
            await producer.send_and_wait(f"{prefix}banner-state", banner.encode(state), state.key.encode())


def test_the_page_and_its_feed_are_written_from_the_topics(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(write(embedded_broker.address, topic_prefix))
    monkeypatch.setenv("WATCHOFFICER_BROKER", embedded_broker.address)
    monkeypatch.setenv("WATCHOFFICER_TOPIC_PREFIX", topic_prefix)
    folder = tmp_path / "public"
    found = CliRunner().invoke(main, ["status-page", "--out", str(folder)])
    assert found.exit_code == 0, found.output
    assert sorted(file.name for file in folder.iterdir()) == ["index.html", "status.atom"]
    assert "Many people cannot sign in" in (folder / "index.html").read_text()
    assert "urn:watchofficer:status:prod-7:0" in (folder / "status.atom").read_text()


def test_a_broker_that_is_not_there_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHOFFICER_BROKER", "127.0.0.1:1")
    found = CliRunner().invoke(main, ["status-page", "--out", str(tmp_path)])
    assert found.exit_code == 2
    assert found.output.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
