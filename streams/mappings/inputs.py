"""Which inputs does a deployment read, and which mappings make events of the records of each?

An input is a topic. Without a mapping its records are login events (version 1). With several mappings, as for a log
that two applications share, a record is that of the first mapping that finds an event in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from detectors.policy.source import PolicyError, PolicyProblem
from streams.mappings.account import Account, Mapped
from streams.mappings.mapping import FIXED_KEY, RecordMapping
from streams.mappings.schemas.store import Schemas
from streams.mappings.shipped import load_mapping

__all__ = ["PLAIN", "Input", "made_of", "read_inputs"]

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
#: What names the topic of login events among the inputs.
PLAIN = "login-events"


@dataclass(frozen=True)
class Input:
    """A topic, and what makes events of its records.

    Attributes:
        topic: the topic.
        mappings: in the order in which they are asked; none: the records are login events.
        account: what became of the records that ``map`` was given.
    """

    topic: str
    mappings: tuple[RecordMapping, ...] = ()
    account: Account = field(default_factory=Account, compare=False)

    @property
    def form(self) -> str:
        """Names what the mappings make of a record: of two deployments with equal forms they make the same.

        It holds a fingerprint of the key of hashes, from which nobody can tell the key. Empty without mappings.
        """
        if not self.mappings:
            return ""
        texts = hashlib.sha256(b"\0".join(one.digest for one in self.mappings)).hexdigest()[:16]
        return f"{texts}/{self.mappings[0].key_fingerprint}"

    def map(self, value: bytes | None, position: str) -> Mapped:
        """Return what becomes of a record, and count it; see ``made_of``."""
        mapped = made_of(self.mappings, value, position)
        self.account.add(mapped)
        return mapped

    @property
    def name(self) -> str:
        """The names of the mappings."""
        return "+".join(one.name for one in self.mappings)


def made_of(mappings: Sequence[RecordMapping], value: bytes | None, position: str) -> Mapped:
    """Return what becomes of a record that any of several mappings may know. Never raises, and counts nothing.

    Where no mapping finds an event, what counts is what a mapping says that takes the record for one of its own.

    Args:
        mappings: at least one.
        value: of the record.
        position: topic/partition/offset.
    """
    if len(mappings) == 1:
        return mappings[0].made(value, position)
    tried: list[Mapped] = []
    for mapping in mappings:
        mapped = mapping.made(value, position)
        if mapped.events:
            return mapped
        tried.append(mapped)
    # Each skips what is the other's by a rule; one that calls a record its own and does not know it gives its shape.
    return max(tried, key=lambda one: (one.unreadable is None, any(shape for _, shape in one.skipped)))


def read_inputs(
    names: Iterable[str], plain_topic: str, key: bytes = FIXED_KEY, schemas: Schemas | None = None
) -> tuple[Input, ...]:
    """Return the inputs that a setting or an option names, in the order of their topics.

    Args:
        names: each ``login-events``, or ``NAME|FILE[=TOPIC]``: a mapping and the topic that it reads, by default the
            one that the mapping names.
        plain_topic: the topic of login events.
        key: of the hashes of raw ids.
        schemas: of records in Avro.

    Raises:
        PolicyError: a mapping cannot be used, a topic is none, or one is given twice in ways that exclude each other.
    """
    found: dict[str, list[RecordMapping]] = {}
    plain = False
    problems: list[PolicyProblem] = []
    for text in names:
        name, _, topic = text.strip().partition("=")
        if name == PLAIN and not topic:
            plain = True
            continue
        try:
            mapping = load_mapping(name, key, schemas)
        except PolicyError as error:
            problems += error.errors
            continue
        topic = topic or mapping.topic
        if not _TOPIC.fullmatch(topic):
            problems.append(PolicyProblem(name, 1, 1, "topic", f"{topic!r} is no name of a topic"))
        elif topic == plain_topic:
            reason = "is the topic of login events: give the producer's records a topic of their own"
            problems.append(PolicyProblem(name, 1, 1, "topic", f"{topic} {reason}"))
        elif any(one.name == mapping.name for one in found.get(topic, ())):
            problems.append(PolicyProblem(name, 1, 1, "name", f"{mapping.name} reads {topic} already"))
        else:
            found.setdefault(topic, []).append(mapping)
    if problems:
        raise PolicyError(tuple(problems))
    inputs = [Input(topic, tuple(mappings)) for topic, mappings in sorted(found.items())]
    return (Input(plain_topic), *inputs) if plain or not inputs else tuple(inputs)
