"""One deadline for every request, kept by one timer for all of them.

`asyncio.timeout` sets and cancels a timer of its own each time, which cost a tenth of
a reservation (docs/performance.md). Requests here share a bucket with those that began within
the same twentieth of the deadline, and what is still in a bucket when its time has come is
cancelled.
"""

import asyncio
from collections import deque
from typing import Any

Bucket = set[asyncio.Task[Any]]
STEPS = 20


class Deadlines:
    """Cancels tasks that take longer than `deadline_s`; up to a twentieth of it later."""

    def __init__(self, deadline_s: float) -> None:
        self._step_s = deadline_s / STEPS
        # One more than the steps: the newest bucket may be nearly full of time already.
        self._buckets: deque[Bucket] = deque(set() for _ in range(STEPS + 1))
        self._expired: Bucket = set()
        self._is_ticking = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self) -> tuple[asyncio.Task[Any], Bucket]:
        """Begin to count for the running task; it takes itself out of the bucket when done."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        if not self._is_ticking:
            self._is_ticking = True
            self._loop.call_later(self._step_s, self._tick)
        # With the loop named: asking for the running one costs a system call in Python 3.11.
        task: Any = asyncio.current_task(self._loop)
        bucket = self._buckets[-1]
        bucket.add(task)
        return task, bucket

    def expired(self, task: asyncio.Task[Any]) -> bool:
        """Tell, once, whether it was the deadline that cancelled `task`."""
        if task not in self._expired:
            return False
        self._expired.discard(task)
        # As asyncio.timeout does: nobody else must have asked for the cancellation as well.
        return task.uncancel() == 0

    def _tick(self) -> None:
        late = self._buckets.popleft()
        self._buckets.append(set())
        # First of all: whatever becomes of the late ones, the others have their deadlines.
        self._is_ticking = any(self._buckets)
        if self._is_ticking and self._loop:
            self._loop.call_later(self._step_s, self._tick)
        for task in late:
            self._expired.add(task)
            task.cancel()
