"""How do all processes of a simulated run share one thread and one virtual time?

``VirtualLoop`` is an asyncio event loop whose time jumps to the next timer when nothing is ready. It belongs to one
thread, does no input or output, and runs callbacks in the order in which they became ready, so a run depends on
nothing but its seed.

A ``Process`` is a set of tasks that can be frozen (as SIGSTOP does), thawed, and killed together.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["NETWORK", "Process", "Stuck", "VirtualLoop", "current_process"]

_T = TypeVar("_T")
#: Where the virtual time begins, seconds.
_BEGIN = 1_000.0

_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
#: The context of what runs outside all processes: the broker, receivers, the plan.
NETWORK = contextvars.Context()


class Stuck(Exception):
    """Nothing is ready, and no timer is set: the run would wait for ever."""


class Process:
    """One simulated process.

    Attributes:
        name: for messages.
        frozen: whether its callbacks wait until it is thawed.
        dead: whether it was killed; what it asks of the network from then on is not done.
    """

    def __init__(self, loop: VirtualLoop, name: str) -> None:
        self.name = name
        self.frozen = False
        self.dead = False
        self._loop = loop
        self._waiting: list[asyncio.Handle] = []
        self._tasks: dict[_Task[Any], None] = {}

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Task[Any]:
        """Start a coroutine in the process."""
        context = contextvars.Context()
        context.run(_process.set, self)
        return context.run(lambda: self._loop.create_task(work()))

    def freeze(self) -> None:
        """Stand still."""
        self.frozen = True

    def thaw(self) -> None:
        """Go on where the process stood still."""
        self.frozen = False
        self._loop.go_on(self._waiting)
        self._waiting = []

    def kill(self) -> None:
        """End the process: it is cut off from the network, and its tasks are cancelled until none is left."""
        self.dead = True
        self.thaw()
        self._loop.call_soon(self._end, 0, context=NETWORK)

    def _end(self, tried: int) -> None:
        living = [task for task in self._tasks if not task.done()]
        for task in living:
            task.cancel()
        if living and tried < 100:
            self._loop.call_soon(self._end, tried + 1, context=NETWORK)

    def put_back(self, handle: asyncio.Handle) -> None:
        """Keep a callback that became ready while the process stood still."""
        self._waiting.append(handle)

    def began(self, task: _Task[Any]) -> None:
        """Note a task of the process."""
        self._tasks[task] = None
        if len(self._tasks) > 500:
            self._tasks = {one: None for one in self._tasks if not one.done()}


def current_process() -> Process | None:
    """The process that the running callback belongs to; None for what runs outside all of them."""
    return _process.get()


class _Task(asyncio.Task[_T]):
    """A task whose hash does not depend on its address, so that sets of tasks have the same order in each run."""

    made = 0

    def __init__(self, coroutine: Any, **options: Any) -> None:
        _Task.made += 1
        self._number = _Task.made
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time.

    Attributes:
        turns: how many callbacks have run.
    """

    _ready: deque[asyncio.Handle]

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0
        self._now = _BEGIN
        # Of equal times the timer that was set first comes first.
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._set = 0
        _Task.made = 0
        self.set_task_factory(self._make)

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def _make(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task: _Task[Any] = _Task(coroutine, loop=loop, **options)
        process = _process.get()
        if process is not None:
            process.began(task)
        return task

    def go_on(self, handles: list[asyncio.Handle]) -> None:
        """Run callbacks that had been put back."""
        self._ready.extend(handles)

    # -- what asyncio.BaseEventLoop asks of a loop ------------------------------------------------------------

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback at a virtual time."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._set += 1
        heapq.heappush(self._timers, (when, self._set, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is passed over when its time has come."""

    def _process_events(self, event_list: Any) -> None:
        """Nothing comes from outside."""

    def _write_to_self(self) -> None:
        """Nothing sleeps that would have to be woken."""

    def _run_once(self) -> None:
        ready, timers = self._ready, self._timers
        if not ready:
            while timers and timers[0][2].cancelled():
                heapq.heappop(timers)
            if not timers:
                raise Stuck
            self._now = max(self._now, timers[0][0])
        now = self._now
        while timers and timers[0][0] <= now:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle: Any = ready.popleft()
            if handle._cancelled:
                continue
            process = handle._context.get(_process)
            if process is not None and process.frozen:
                process.put_back(handle)
                continue
            self.turns += 1
            handle._run()
