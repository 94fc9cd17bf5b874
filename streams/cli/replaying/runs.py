"""How does `watchofficer replay` run once, and once more by another policy? In one process, or in two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from click import UsageError

from detectors.instants import format_instant
from detectors.policy.policy import Policy
from streams.aggregate.acceptance import Rules
from streams.cli.inputs.mapping import account_words, inputs_of
from streams.mappings.inputs import Input
from streams.records.policies import PolicySchedule
from streams.replay.checkpoint import Checkpoint
from streams.replay.entries import Entry
from streams.replay.facts.apart import HERE, JudgedApart, Opened, Task
from streams.replay.facts.events import EventFacts
from streams.replay.facts.recording import RecordedFacts, WrittenFacts
from streams.replay.facts.stretch import EVERYTHING, Facts, Share
from streams.replay.record_files import read_history, read_inputs
from streams.replay.replay import Replay
from streams.replay.sources import TOPIC, checkpoint_of, partitions
from streams.replay.two_pass import TwoPass

__all__ = ["Given", "Runs", "RunsApart", "RunsHere", "given_in"]


@dataclass(frozen=True)
class Given:
    """What is judged, and with what: the options of these names. A process of its own can take it.

    Attributes:
        facts_file: recorded facts that are judged instead of events; None without.
        write_facts: where the facts of the first run are recorded; None for nowhere.
    """

    events: tuple[str, ...]
    mapping_names: tuple[str, ...]
    partitioned: bool
    sort: bool
    now: int
    facts_file: str | None
    write_facts: str | None
    history_file: str | None
    inputs_file: str | None
    sli_every: int | None

    def facts(
        self, policy: Policy, entries: Callable[[], list[Iterator[Entry]]], since: int | None = None
    ) -> Facts:
        """Return the facts of the first run, which are recorded if that is asked for.

        Args:
            policy: the policy that judges.
            entries: opens the partitions of events, of which facts are made where none are recorded.
            since: as of ``EventFacts``.
        """
        rules = Rules.of(policy)
        if self.facts_file:
            return RecordedFacts(self.facts_file, rules)
        made = EventFacts(entries(), rules, now=self.now, since=since)
        return WrittenFacts(made, self.write_facts) if self.write_facts else made

    def replay(
        self,
        facts: Facts,
        share: Share,
        *,
        policy: Policy,
        policies: PolicySchedule | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Replay:
        """Return the replay that judges a share of the environments.

        Args:
            facts: what is judged.
            share: the environments.
            policy: the policy that judges; ``policies``, if given, says which one judges which T.
            checkpoint: as of ``Replay``.
        """
        return Replay(
            facts,
            policies or policy,
            sli_every=self.sli_every,
            history=read_history(self.history_file) if self.history_file else (),
            inputs=read_inputs(self.inputs_file, policy.step) if self.inputs_file else (),
            checkpoint=checkpoint,
            judges=share,
        )


def given_in(options: dict[str, Any]) -> Given:
    """Take what is judged out of the options of `replay`.

    Raises:
        UsageError: these options exclude each other.
    """
    if not (options["events"] or options["facts_file"]):
        raise UsageError("Missing argument 'EVENTS...'.")
    if options["facts_file"] and (options["events"] or options["write_facts"] or options["mapping_names"]):
        raise UsageError(
            "--facts excludes EVENTS, --mapping and --write-facts: the facts are recorded already"
        )
    if options["workers"] > 1:
        if options["policies"]:
            raise UsageError("--workers 2 judges by one policy: leave out --policies")
        if any(name == "-" or name.startswith(TOPIC) for name in options["events"]):
            raise UsageError("--workers 2 reads files: write standard input or the topic to a file first")
    return Given(**{one.name: options.pop(one.name) for one in fields(Given)})


class Runs(ABC):
    """The runs of one command.

    Attributes:
        resumed: whether they go on from a state of a worker.
    """

    resumed = False

    @abstractmethod
    def first(self, policy: Policy, policies: PolicySchedule | None) -> Replay:
        """Return the first run; arguments as of ``Given.replay``."""

    @abstractmethod
    def second(self, policy: Policy) -> Replay:
        """Return a run of the same input by another policy; the first has read everything."""

    @abstractmethod
    def words(self) -> list[str]:
        """Return what there is to say of the input after the first run, a line each."""


class RunsHere(Runs):
    """Runs in this process.

    Args:
        given: what is judged.
        policies: all policies by which it will be judged.
        say: receives what there is to say before the first run, a line at a time.
    """

    def __init__(self, given: Given, policies: Sequence[Policy], say: Callable[[str], None]) -> None:
        self._given = given
        self._checkpoint = checkpoint = checkpoint_of(given.events)
        self.resumed = checkpoint is not None
        self._inputs = inputs_of(given.mapping_names)
        more: dict[str, Any] = {
            "partitioned": given.partitioned,
            "back": 0,
            "inputs": self._inputs,
            "sort": given.sort,
        }
        if checkpoint is not None:
            for line in _begun_anew(checkpoint):
                say(line)
            more["back"] = max(checkpoint.back(one) for one in policies)
        self._twice = TwoPass(given.events, **more) if len(policies) > 1 else None
        self._once = partial(partitions, given.events, **more)

    def first(self, policy: Policy, policies: PolicySchedule | None) -> Replay:
        """Return the first run; arguments and errors as of ``Given.replay``."""
        since = self._checkpoint.since if self._checkpoint else None
        facts = self._given.facts(policy, self._twice.first if self._twice else self._once, since)
        return self._given.replay(
            facts, EVERYTHING, policy=policy, policies=policies, checkpoint=self._checkpoint
        )

    def second(self, policy: Policy) -> Replay:
        """Return a run of the same input by another policy; the first has read everything."""
        since = self._checkpoint.since if self._checkpoint else None
        assert self._twice is not None
        facts = replace(self._given, write_facts=None).facts(policy, self._twice.second, since)
        return self._given.replay(facts, EVERYTHING, policy=policy, checkpoint=self._checkpoint)

    def words(self) -> list[str]:
        """Return what the mappings have made of the records, a line each."""
        return _account_lines(self._inputs)


class RunsApart(Runs):
    """Runs of files that another process shares.

    Args:
        given: what is judged.
    """

    def __init__(self, given: Given) -> None:
        self._given = given
        self._first: JudgedApart | None = None

    def first(self, policy: Policy, policies: PolicySchedule | None) -> Replay:
        """Return the first run, by one policy."""
        self._first = self._apart(self._given, policy)
        return self._given.replay(self._first, HERE, policy=policy)

    def second(self, policy: Policy) -> Replay:
        """Return a run of the same input by another policy; the first has read everything."""
        given = replace(self._given, write_facts=None)
        return given.replay(self._apart(given, policy), HERE, policy=policy)

    def words(self) -> list[str]:
        """Return what the mappings have made of the records, a line each."""
        return [] if self._first is None else self._first.words

    def _apart(self, given: Given, policy: Policy) -> JudgedApart:
        task = Task(partial(_opened, given, policy), partial(given.replay, policy=policy))
        return JudgedApart(task, Rules.of(policy))


def _opened(given: Given, policy: Policy) -> Opened:
    """Open the input in a process that has nothing yet."""
    inputs = inputs_of(given.mapping_names)
    read = partial(partitions, given.events, partitioned=given.partitioned, inputs=inputs, sort=given.sort)
    return Opened(given.facts(policy, read), partial(_account_lines, inputs))


def _account_lines(inputs: Sequence[Input]) -> list[str]:
    """Say what the mappings have made of the records."""
    return [account_words(one.name, one.account) for one in inputs]


def _begun_anew(checkpoint: Checkpoint) -> Iterator[str]:
    """Say which environments begin anew, as the topics keep no state of them."""
    for env in sorted({"prod", *checkpoint.states}):
        if env not in checkpoint.states:
            yield (
                f"{env}: the topics keep no state from before {format_instant(checkpoint.since)}, "
                "so its incidents begin anew there"
            )
