"""How does a client of Amazon MSK show who it is in IAM? Its token is a request that AWS's key has signed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from aiokafka.errors import AuthenticationFailedError

from streams.settings.kept_token import KeptToken

__all__ = ["MskIam"]


class MskIam(KeptToken):
    """Signs tokens with the credentials that AWS's own clients find, which are asked for each time.

    These are those of the role of a pod or a machine, of a profile, or ``AWS_ACCESS_KEY_ID`` with its secret.

    Args:
        region: of the cluster, as ``us-gov-west-1``.
        monotonic: seconds that never go back.
    """

    def __init__(self, region: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(monotonic)
        self._region = region

    async def _ask(self) -> tuple[str, float]:
        try:
            return await asyncio.to_thread(_signed, self._region)
        except (
            Exception
        ) as error:  # whatever botocore raises where it finds no credentials; its text may quote them
            raise AuthenticationFailedError(
                f"AWS gives no credentials for Kafka ({type(error).__name__}): give the process a role, "
                "or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from None


def _signed(region: str) -> tuple[str, float]:
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider  # optional, and large

    # At DEBUG it writes what it signs, which holds the token of a session.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    token, expires_ms = MSKAuthTokenProvider.generate_auth_token(region)
    return token, expires_ms / 1000 - time.time()
