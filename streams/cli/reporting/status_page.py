"""`watchofficer status-page`: how are the public status page and its feed put into a folder?"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
from aiokafka.errors import KafkaError

from detectors.policy.policy import Policy
from streams.http.status.days import DAYS_BACK, HISTORY_BACK
from streams.http.status.told import Pages, pages_of
from streams.http.views import Views
from streams.kafka.clients import KafkaClients
from streams.kafka.diagnosis import words_of
from streams.kafka.topic_reader import TopicValues
from streams.kafka.topics import Topics
from streams.replay.entries import SourceError
from streams.runtime.clocks import RealClock
from streams.settings.settings import read_settings

__all__ = ["status_page_command"]


def status_page_command(folder: Path, policy: Policy) -> int:
    """Write ``index.html`` and ``status.atom`` into a folder, which is made if necessary; return the exit status.

    Raises:
        SourceError: the topics cannot be read, or the files cannot be written.
    """
    try:
        views = asyncio.run(_read())
    except (KafkaError, OSError) as error:
        raise SourceError(f"the topics of WATCHOFFICER_BROKER cannot be read: {words_of(error)}") from None
    pages = pages_of(views, policy, RealClock()(), is_known=True)
    try:
        for file in _write(folder, pages):
            click.echo(file)
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror or error}; name a folder that may be written") from None
    return 0


async def _read() -> Views:
    settings = read_settings(os.environ)
    topics = Topics(settings.topic_prefix)
    views, values = Views(topics), TopicValues(KafkaClients(settings.kafka_client_kwargs()))
    now, back = RealClock()(), {topics.history: HISTORY_BACK, topics.days: DAYS_BACK}
    for topic in (topics.banner, topics.incidents, topics.incident_log, *back):
        since = now - back[topic] if topic in back else None
        for value in await values.values(topic, since=since):
            views.apply(topic, None, value)
    return views


def _write(folder: Path, pages: Pages) -> list[Path]:
    """Replace each file at once, so that nobody reads half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, body in (("index.html", pages.page), ("status.atom", pages.feed)):
        new = folder / f".{name}.new"
        new.write_bytes(body)
        written.append(new.replace(folder / name))
    return written
