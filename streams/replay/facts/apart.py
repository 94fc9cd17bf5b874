"""How do two processes share a replay? One reads the events and judges the small environments, the other judges prod.

Environments are judged independently of each other, so the verdicts are those of one process, in the same order.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import Empty, Queue
from threading import Thread

from streams.aggregate.acceptance import Rules
from streams.evaluate.evaluator import Verdict
from streams.replay.entries import SourceError
from streams.replay.facts.recording import decode_stretch, encode_stretch
from streams.replay.facts.stretch import Facts, Share, Stretch
from streams.replay.replay import Replay
from streams.replay.summary import Summary

__all__ = ["HERE", "JudgedApart", "Message", "Opened", "Task", "messages", "received"]

#: The environments that are judged by the process that shows the verdicts; the other process judges the others.
HERE = Share(frozenset({"prod"}))
_ELSEWHERE = Share(HERE.names, others=True)
#: The other process is so many stretches ahead at most.
_AHEAD = 32
_PATIENCE = 0.05  # seconds


@dataclass(frozen=True)
class Opened:
    """The facts of an input, and what there is to say of the input once they have been read."""

    facts: Facts
    words: Callable[[], list[str]]


@dataclass(frozen=True)
class Task:
    """What the other process does; it can be pickled.

    Attributes:
        open: opens the input.
        judge: makes the replay of facts that judges a share of the environments.
    """

    open: Callable[[], Opened]
    judge: Callable[[Facts, Share], Replay]


#: A stretch and the verdicts on it; at the end the summary and the words; or the error that was the end.
Message = tuple[bytes, list[Verdict]] | tuple[Summary, list[str]] | SourceError
#: Runs a task, and gives its messages as they come.
Run = Callable[[Task], AbstractContextManager[Iterator[Message]]]


class JudgedApart(Facts):
    """The facts of ``HERE`` as another process reads them, with the verdicts of the other environments.

    Args:
        task: what the other process does.
        rules: of the policy that judges.
        run: runs the task and gives its ``messages``; None for ``received``.

    Attributes:
        words: what the other process has to say of the input; complete once ``stretches`` has ended.
    """

    def __init__(self, task: Task, rules: Rules, *, run: Run | None = None) -> None:
        self._task = task
        self._run = run or received
        self.rules = rules
        self.summary = Summary()
        self.words: list[str] = []

    def stretches(self) -> Iterator[Stretch]:
        """Yield the stretches in the order of their T.

        Raises:
            SourceError: the other process cannot read the input, or has ended before it was done.
        """
        with self._run(self._task) as found:
            for message in found:
                if isinstance(message, SourceError):
                    raise message
                if isinstance(message[0], Summary):
                    summary, words = message
                    vars(self.summary).update(vars(summary))
                    self.words += words
                    return
                frame, verdicts = message
                stretch, self.summary.events = decode_stretch(frame, self.rules)
                stretch.verdicts = verdicts
                yield stretch
        raise SourceError("the process that reads the events was stopped: is there too little memory?")


@contextmanager
def received(task: Task) -> Iterator[Iterator[Message]]:
    """Run a task in another process; give what it sends, up to its end."""
    spawning = multiprocessing.get_context("spawn")
    receiver, sender = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_work, args=(task, sender), daemon=True)
    process.start()
    sender.close()  # the other process has its own, and alone keeps the pipe open
    waiting: Queue[Message | None] = Queue(_AHEAD)
    thread = Thread(target=_receive, args=(receiver, waiting), daemon=True)
    thread.start()
    try:
        yield iter(waiting.get, None)
    finally:
        process.terminate()
        process.join()
        while thread.is_alive():  # until the thread has come to the end of the pipe
            with suppress(Empty):
                waiting.get(timeout=_PATIENCE)
        receiver.close()


def _receive(receiver: Connection, waiting: Queue[Message | None]) -> None:
    """Hand on what comes through a pipe, and None at its end."""
    try:
        while True:
            waiting.put(receiver.recv())
    except (EOFError, OSError):
        waiting.put(None)


def _work(task: Task, sender: Connection) -> None:
    """Do a task and send its messages."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that has started this one ends it
    with suppress(BrokenPipeError), sender:
        for message in messages(task):
            sender.send(message)


def messages(task: Task) -> Iterator[Message]:
    """Read the input, judge the environments that are not those of ``HERE``, and yield what was found."""
    try:
        opened = task.open()
        facts = opened.facts
        replay = task.judge(facts, _ELSEWHERE)
        for stretch in facts.stretches():
            frame = encode_stretch(stretch, facts.rules, facts.summary.events, HERE)
            yield frame, list(replay.judge(stretch))
        yield facts.summary, opened.words()
    except SourceError as error:
        yield error
