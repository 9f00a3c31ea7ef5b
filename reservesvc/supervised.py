"""Background work that goes on for as long as the process: when it fails, it begins again.

A task that ends by an exception is otherwise noticed by nobody: what it did is not done any
more, and requests are answered as before.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from msgspec import Struct

from reservesvc.errors import UnavailableError

PAUSE_MIN_S = 0.05
PAUSE_MAX_S = 5.0
STEADY_S = 30.0
"""what lasted so long is not counted as failing again and again"""
SETTLED_S = 3.0
"""how long something has to last after several failures until it counts as back"""
DOWN_AFTER = 3
"""failures in a row after which the process is not ready"""

Work = Callable[[], Awaitable[None]]
"""goes on until it is cancelled; where it returns, it has no more to do"""
Count = Callable[[str, int], None]
Sleep = Callable[[float], Awaitable[object]]
_log = structlog.get_logger()


def next_pause_s(pause_s: float, lasted_s: float) -> float:
    """Return how long to pause before the next start: longer each time, until one lasted."""
    if lasted_s >= STEADY_S:
        return PAUSE_MIN_S
    return min(max(PAUSE_MIN_S, pause_s * 2), PAUSE_MAX_S)


class _Kept(Struct, eq=False):
    """One piece of work, and how it fares."""

    name: str
    began_s: float
    pause_s: float = 0.0
    failures: int = 0
    """in a row"""
    reason: str = ""
    is_pausing: bool = False

    def failed(self, reason: str, now_s: float) -> None:
        """Take note of a failure."""
        lasted_s = now_s - self.began_s
        self.pause_s = next_pause_s(self.pause_s, lasted_s)
        self.failures = 1 if lasted_s >= STEADY_S else self.failures + 1
        self.reason, self.is_pausing = reason, True

    def begins(self, now_s: float) -> None:
        """Take note that it goes on."""
        self.began_s, self.is_pausing = now_s, False

    def is_down(self, now_s: float) -> bool:
        """Tell whether it failed several times in a row and has not recovered."""
        is_back = not self.is_pausing and now_s - self.began_s >= SETTLED_S
        return self.failures >= DOWN_AFTER and not is_back


def _count_nothing(name: str, times: int) -> None:
    del name, times


class Supervisor:
    """Keeps background work going.

    Args:
        count: told the name of work, and how often it failed and begins again: 0 at first, so
            that a metric is there from the start.
        sleep: waits so many seconds.

    """

    def __init__(self, count: Count = _count_nothing, sleep: Sleep = asyncio.sleep) -> None:
        self._count = count
        self._sleep = sleep
        self._kept: list[_Kept] = []

    @asynccontextmanager
    async def running(self, name: str, work: Work) -> AsyncIterator[None]:
        """Keep `work` going beside the body, and cancel it after."""
        task = asyncio.create_task(self.keep(name, work), name=name)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def keep(self, name: str, work: Work) -> None:
        """Do `work`, again after a pause where it fails, until cancelled or until it returns."""
        self._count(name, 0)
        kept = _Kept(name, _now_s())
        self._kept.append(kept)
        try:
            while reason := await _failure_of(name, work):
                kept.failed(reason, _now_s())
                self._count(name, 1)
                await self._sleep(kept.pause_s)
                kept.begins(_now_s())
        finally:
            self._kept.remove(kept)

    async def check(self) -> None:
        """Tell whether all work is going on.

        Raises:
            UnavailableError: some is not; the sentence names it.

        """
        now_s = _now_s()
        down = {kept.name: kept for kept in self._kept if kept.is_down(now_s)}
        if down:
            sentences = [
                f"{name} failed {kept.failures} times in a row ({kept.reason}); the log says why"
                for name, kept in down.items()
            ]
            raise UnavailableError("background", "; ".join(sentences))


async def _failure_of(name: str, work: Work) -> str:
    """Do `work`; return what it failed by, or nothing where it returned."""
    try:
        await work()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Nobody cancelled this task: what it waited for was cancelled.
        _log.exception("background_work_failed", task=name)
        return "CancelledError"
    except Exception as error:  # noqa: BLE001  whatever it is, the work begins again
        _log.exception("background_work_failed", task=name)
        return type(error).__name__
    return ""


def _now_s() -> float:
    return asyncio.get_running_loop().time()
