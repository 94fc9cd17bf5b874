"""Do Kafka's quotas leave this process what it needs? Who exceeds one is held back without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from streams.cli.doctor.check import Check
from streams.kafka.inspection.quotas import Quota, events_a_second, quotas_of

__all__ = ["quota_check", "quota_checks"]

#: Bytes of an event on its way to a reader, uncompressed: the benchmarks' have 316, and the frame of a record.
_EVENT = 400
#: A quota lets through that many times what comes: with less, a minute missed takes more than a minute to catch up.
_TIMES = 2
_READS = "consumer_byte_rate"


async def quota_checks(
    kafka: Mapping[str, Any], user: str | None, inputs: Sequence[str], brokers: int, now: int
) -> list[Check]:
    """The check of the quotas; none where the broker does not tell of any.

    Args:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        user: the name with which the process enters; None without one.
        inputs: the topics that are read, those that exist and that it may read.
        brokers: their number.
        now: ms since the epoch.

    Raises:
        KafkaError, OSError: the broker does not answer.
    """
    if user is None and kafka.get("security_protocol", "PLAINTEXT") == "PLAINTEXT":
        user = "ANONYMOUS"
    try:
        quotas = await quotas_of(kafka, user)
    except IncompatibleBrokerVersion:
        return []
    except KafkaError as error:
        return [Check("quotas", "warning", f"the broker does not tell of them: {type(error).__name__}")]
    if quotas is None:
        return [_unseen(user)]
    rate = await events_a_second(kafka, inputs, now) if any(one.key == _READS for one in quotas) else 0.0
    return [quota_check(one, rate, brokers) for one in quotas] or [Check("quotas", "ok", "none holds")]


def _unseen(user: str | None) -> Check:
    who = "--entity-default" if user is None else f"--entity-name {user}"
    return Check(
        "quotas",
        "warning",
        "this user may not see them: it lacks DescribeConfigs on the cluster, which nothing else needs",
        f"an administrator looks whether one holds:\nkafka-configs.sh --describe --entity-type users {who}",
    )


def quota_check(quota: Quota, rate: float, brokers: int) -> Check:
    """The check of a quota: of reading, beside what comes; of others its value alone.

    Args:
        quota: that holds.
        rate: events a second that come.
        brokers: their number; each holds a client to the quota by itself.
    """
    each = f"each of {brokers} brokers" if brokers > 1 else "the broker"
    said = f"{quota.key} of {quota.whose} is {quota.value:,.0f} at {each}"
    if quota.key != _READS:
        return Check("quotas", "ok", f"{said}; who exceeds it is held back, and lag grows")
    lets = quota.value * brokers / _EVENT
    said += f": some {lets:,.0f} events/s of {_EVENT} bytes, and {rate:,.0f} came in the last five minutes"
    if lets >= _TIMES * rate:
        return Check("quotas", "ok", said)
    return Check(
        "quotas",
        "failed" if lets < rate else "warning",
        said + (": it falls behind for good" if lets < rate else ": what was missed is caught up slowly"),
        "\n".join(_raised(quota, rate, brokers)),
    )


def _raised(quota: Quota, rate: float, brokers: int) -> Iterator[str]:
    wanted = round(_TIMES * rate * _EVENT / brokers) + 1
    yield f"raise it to {wanted:,} or more:"
    yield f"kafka-configs.sh --alter {quota.options} --add-config {quota.key}={wanted}"
