"""Between a server and what it depends on: calls that are late, lost, refused or fatal."""

import asyncio
from bisect import bisect
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from reservesvc.errors import UnavailableError
from tests.simulation.history import STORE
from tests.simulation.loop import Process, Strand

if TYPE_CHECKING:
    from tests.simulation.world import World

LATE_MS = 8_000
"""how late a call can be, and how long a server can stand still: longer than the grace"""
SLOW_MS = 1_500
EXPOSED = {"book": 10, "change_state": 8, "reschedule": 8, "delete_booking": 8, "snapshot": 8}
"""calls that faults are so much fonder of: those which the guards stand around"""


def slow_ms(lots: Random) -> int:
    """Return how much longer a slow call takes."""
    return int(lots.random() * SLOW_MS)


def pause_ms(lots: Random) -> int:
    """Return how long a server stands still: within a request's deadline, or far beyond it."""
    return slow_ms(lots) if lots.random() < 0.5 else int(lots.random() ** 2 * LATE_MS)


class Dependency:
    """Redis or the booking store, as calls reach it.

    Args:
        name: as `/readyz` calls it.
        state: has a method for each call; it takes effect at once and whole.

    """

    def __init__(self, name: str, state: Any) -> None:
        self.name = name
        self.state = state
        self.run = 0
        """raised by each restart: what was sent to the run before is lost"""
        self.down_until_ms = 0


class Call(NamedTuple):
    """A call on its way."""

    name: str
    arguments: tuple[Any, ...]
    strand: Strand
    run: int
    fate: str
    deliver: Callable[[Any], object] | None
    """None: its caller was told already that nobody knows"""


class Remote:
    """A dependency as one server's stores: any method is a call over the network."""

    def __init__(self, world: "World", process: Process, dependency: Dependency) -> None:
        self._world = world
        self._loop = world.loop
        self._process = process
        self._dependency = dependency

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            return self._send(name, arguments)

        setattr(self, name, call)
        return call

    def reserve_many(self, asks: list[tuple[Any, ...]]) -> Any:
        """Send each claim as a call of its own, as the shared connection does."""
        calls = [self._send("reserve", ask) for ask in asks]
        return asyncio.gather(*calls, return_exceptions=True)

    def _send(self, name: str, arguments: tuple[Any, ...]) -> Any:
        loop, strand = self._loop, self._loop.strand
        lots, plan = strand.lots, self._world.plan
        future = loop.create_future()

        def deliver(outcome: Any) -> None:
            if future.done():
                return
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
                future.exception()  # seen: whoever waits may die before
            else:
                future.set_result(outcome)

        fate = self._fate(lots.random() / EXPOSED.get(name, 1))
        delay_ms = int(lots.random() ** 3 * plan.hop_ms)
        if fate == "late":
            loop.post(strand, delay_ms, deliver, self._lost(name))
            delay_ms += int(lots.random() ** 2 * LATE_MS)
        elif fate == "slow":
            delay_ms += slow_ms(lots)
        call = Call(
            name, arguments, strand, self._dependency.run, fate, None if fate == "late" else deliver
        )
        loop.post(strand.wire, delay_ms, self._arrive, call)
        return future

    def _fate(self, lot: float) -> str:
        fates = self._world.fates
        if not fates or lot >= fates[-1][0]:
            return ""
        return fates[bisect(fates, (lot, "~"))][1]

    def _arrive(self, call: Call) -> None:
        dependency, now_ms = self._dependency, self._loop.now_ms
        if call.fate == "crash_before":
            self._world.crash(self._process)
        elif dependency.down_until_ms > now_ms or call.fate == "refuse":
            self._answer(call, UnavailableError(dependency.name, "refused"))
        elif dependency.run != call.run:
            self._answer(call, self._lost(call.name))
        else:
            self._world.about_to(call.name, call.arguments)
            outcome = getattr(dependency.state, call.name)(*call.arguments)
            self._world.took_place(call.strand, dependency.name, call.name, call.arguments, outcome)
            self._after(call, outcome)

    def _after(self, call: Call, outcome: Any) -> None:
        if call.fate == "crash_after":
            self._world.crash(self._process)
        elif call.fate == "lose":
            self._answer(call, self._lost(call.name))
        else:
            if call.fate == "pause":
                self._world.pause(self._process, pause_ms(call.strand.lots))
            self._answer(call, outcome)

    def _answer(self, call: Call, outcome: Any) -> None:
        if call.deliver:
            lots = call.strand.lots
            delay_ms = int(lots.random() ** 3 * self._world.plan.hop_ms)
            if call.fate == "slow_reply":
                delay_ms += slow_ms(lots)
            self._loop.post(call.strand, delay_ms, call.deliver, outcome)

    def _lost(self, name: str) -> UnavailableError:
        dependency = self._dependency.name
        if dependency == STORE and name.startswith(("booking", "blocking", "rescheduled")):
            return UnavailableError(dependency, "a read got no reply")
        return self._world.mutant.unknown(dependency, "the reply is lost")
