"""Does the broker answer?"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

__all__ = ["BrokerProbe"]

_PROBE_PATIENCE = 5.0


class BrokerProbe:
    """Asks the broker for something small.

    Args:
        kafka: how to reach it (keyword arguments of aiokafka's clients).
    """

    def __init__(self, kafka: dict[str, Any]) -> None:
        self._kafka = kafka
        self._client: AIOKafkaClient | None = None

    async def __call__(self) -> str | None:
        """None if it answered, else what went wrong."""
        try:
            async with asyncio.timeout(_PROBE_PATIENCE):
                if self._client is None:
                    client = AIOKafkaClient(**self._kafka)
                    try:
                        await client.bootstrap()
                    except BaseException:
                        await client.close()
                        raise
                    self._client = client
                    return None
                await self._client.fetch_all_metadata()
        except (KafkaError, OSError, TimeoutError) as error:
            return f"the Kafka broker does not answer: {str(error) or type(error).__name__}"
        return None

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()
