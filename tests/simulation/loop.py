"""An event loop on a virtual clock, whose order is drawn by lot.

Waiting costs nothing: the clock jumps to the next event. Events of one millisecond run in an
order that the lots decide, so that whatever may happen in another order does, for some seed.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from heapq import heappop, heappush
from random import Random
from typing import Any, TypeVar, cast

T = TypeVar("T")


def lots_of(*seed: int) -> Random:
    """Return the lots of `seed`; the only place where any come from."""
    number = 0
    for part in seed:
        number = number * 1_000_003 + part
    return Random(number)  # noqa: S311 - must repeat itself; guards no secret


class Process:
    """What strands run on: a server that can be killed or paused, or the world around it."""

    __slots__ = ("is_dead", "name", "paused_until_ms")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.paused_until_ms = 0


_STRAND: ContextVar["Strand"] = ContextVar("strand")


class Strand:
    """What one request sets in motion, and with it every callback that follows from it.

    A task stays with the strand that started it, whoever wakes it up.

    Args:
        process: where it runs.
        lots: decide the order of its events among others.
        number: of the request, for the record.

    """

    __slots__ = ("context", "lots", "number", "process", "wire")

    def __init__(
        self, process: Process, lots: Random, number: int, wire: "Strand | None" = None
    ) -> None:
        self.process = process
        self.lots = lots
        self.number = number
        self.wire = wire or self
        """the same outside the process: what was sent arrives although its sender died"""
        self.context = Context()
        self.context.run(_STRAND.set, self)


class Event:
    """A callback to come; what asyncio knows as a handle."""

    __slots__ = ("arguments", "callback", "is_cancelled", "strand")

    def __init__(
        self, callback: Callable[..., object], arguments: tuple[Any, ...], strand: Strand
    ) -> None:
        self.callback = callback
        self.arguments = arguments
        self.strand = strand
        self.is_cancelled = False

    def cancel(self) -> None:
        """Let it not come."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Tell whether it will not come."""
        return self.is_cancelled


class VirtualLoop:
    """As much of an event loop as tasks, futures, sleep, timeout, gather and shield ask for."""

    def __init__(self, lots: Random) -> None:
        self.now_ms = 0
        self.strand = Strand(Process("world"), lots, -1)
        """whose callback is running; what it starts belongs to it"""
        self.failures: list[BaseException] = []
        """what went wrong where nobody was waiting"""
        self._events: list[tuple[int, float, int, Event]] = []
        self._count = 0
        self._coroutines: list[Coroutine[Any, Any, Any]] = []
        self._as_loop = cast("asyncio.AbstractEventLoop", self)

    def post(
        self, strand: Strand, delay_ms: int, callback: Callable[..., object], *arguments: Any
    ) -> Event:
        """Let `callback` run in `delay_ms` as part of `strand`."""
        event = Event(callback, arguments, strand)
        self._count += 1
        heappush(self._events, (self.now_ms + delay_ms, strand.lots.random(), self._count, event))
        return event

    def run_until_idle(self) -> None:
        """Run until nothing is left to come."""
        asyncio._set_running_loop(self._as_loop)  # what asyncio has for those who write loops
        try:
            while self._events:
                self._step()
        finally:
            asyncio._set_running_loop(None)

    def run(self, strand: Strand, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` and all that is to come; return its result."""
        self.strand = strand
        task = self.create_task(work)
        self.run_until_idle()
        result: T = task.result()
        return result

    def close(self) -> None:
        """Let go of what died with its server."""
        for coroutine in self._coroutines:
            coroutine.close()

    def _step(self) -> None:
        when_ms, _, _, event = heappop(self._events)
        if event.is_cancelled:
            return
        strand = event.strand
        process = strand.process
        if process.is_dead:
            return
        if process.paused_until_ms > when_ms:
            late = (process.paused_until_ms, strand.lots.random(), self._count, event)
            self._count += 1
            heappush(self._events, late)
            return
        self.now_ms = when_ms
        self.strand = strand
        event.callback(*event.arguments)

    # From here on: what asyncio calls.

    def time(self) -> float:
        """Return the virtual clock, in seconds as asyncio wants it."""
        return self.now_ms / 1000

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Event:
        """Let `callback` run in this millisecond; a task's own, in the task's strand."""
        strand = self.strand if context is None else context.get(_STRAND, self.strand)
        return self.post(strand, 0, callback, *args)

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Event:
        """Let `callback` run after `delay` seconds, in whole milliseconds."""
        del context
        return self.post(self.strand, max(0, round(delay * 1000)), callback, *args)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Event:
        """Let `callback` run at `when` on this clock."""
        return self.call_later(when - self.time(), callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self._as_loop)

    def create_task(self, coro: Any, **_: Any) -> asyncio.Task[Any]:
        """Run `coro` as part of the strand that asks."""
        self._coroutines.append(coro)
        return asyncio.Task(coro, loop=self._as_loop, context=self.strand.context)

    def get_debug(self) -> bool:
        """Return that nobody is debugging."""
        return False

    def is_running(self) -> bool:
        """Return that it runs: asked by whoever runs in it."""
        return True

    def is_closed(self) -> bool:
        """Return that it was not closed: there is nothing to close."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep an error nobody waited for; a task that died with its server is none."""
        error = context.get("exception")
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self.failures.append(error)
