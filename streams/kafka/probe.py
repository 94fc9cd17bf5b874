"""Does the broker answer?"""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError

from streams.kafka.clients import Client, ClientFactory

__all__ = ["BrokerProbe"]

_PROBE_PATIENCE = 5.0


class BrokerProbe:
    """Asks the broker for its metadata, which is little.

    Args:
        clients: makes the connection.
    """

    def __init__(self, clients: ClientFactory) -> None:
        self._clients = clients
        self._client: Client | None = None

    async def __call__(self) -> str | None:
        """None if the broker answered, else a sentence that says what went wrong."""
        try:
            async with asyncio.timeout(_PROBE_PATIENCE):
                if self._client is None:
                    client = self._clients.client()
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
