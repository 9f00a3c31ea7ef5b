"""A server that is bent: the real one, but it pauses or dies at a step, or lacks a guard.

`python -m tests.faults.bent serve`; the variable BENT says how:

    kill before settle_booked           it is killed when it comes to that step
    kill after book                     … when that step is done
    fail before settings_version        that step raises an error that nothing expects, once
    break before settings_version       … each time
    small log                           a few lines fit into the log's buffer
    pause after unsettle_reservation    it pauses there, as by SIGSTOP, the first time
    without fence                       it is a mutant, one of `MUTANTS`

or several of these, with a semicolon in between.

The service itself knows nothing of this, and pays nothing for it.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from reservesvc import logs
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.cli import main
from reservesvc.reservations.store import RedisReservations
from tests.faults.mutants import MUTANTS

SMALL_BYTES = 16_384
STORES: tuple[type, ...] = (RedisReservations, SqliteBookingStore)
SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP}
Step = Callable[..., Awaitable[Any]]


def bend(how: str) -> None:
    """Bend this process' stores.

    Raises:
        ValueError: there is no such way, or no such step.

    """
    match how.split(" ", 2):
        case ["without", *words]:
            MUTANTS[" ".join(words)].apply()
        case ["small", "log"]:
            logs.BUFFER_BYTES = SMALL_BYTES
        case [("fail" | "break") as act, "before", step]:
            for store in _with(step):
                raising = _raising(getattr(store, step), is_once=act == "fail")
                setattr(store, step, raising)
        case [act, ("before" | "after") as when, step]:
            for store in _with(step):
                inner = getattr(store, step)
                setattr(store, step, _failing(inner, SIGNALS[act], is_after=when == "after"))
        case _:
            message = f"nothing is bent like this: {how!r}"
            raise ValueError(message)


def _with(step: str) -> list[type]:
    stores = [store for store in STORES if hasattr(store, step)]
    if not stores:
        message = f"no store has the step {step!r}"
        raise ValueError(message)
    return stores


def _failing(step: Step, number: signal.Signals, *, is_after: bool) -> Step:
    """Return `step`, at which the process sends itself a signal the first time."""
    left = [number]

    @wraps(step)
    async def failing(*arguments: Any) -> Any:
        answer = await step(*arguments) if is_after else None
        if left:
            os.kill(os.getpid(), left.pop())
        return answer if is_after else await step(*arguments)

    return failing


def _raising(step: Step, *, is_once: bool) -> Step:
    """Return `step`, which raises the first time or each time."""
    left = [1]

    @wraps(step)
    async def raising(*arguments: Any) -> Any:
        if left:
            left[:] = [] if is_once else left
            message = "bent"
            raise RuntimeError(message)
        return await step(*arguments)

    return raising


if __name__ == "__main__":
    for way in os.environ["BENT"].split("; "):
        bend(way)
    sys.exit(main())
