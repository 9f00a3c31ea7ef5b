"""What clients do all day, drawn from a seed: few slots, many who want them.

Whoever does not know what came of a request repeats it, as the documentation says.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tests.builders import HOUR_MS, at
from tests.faults.client import Client
from tests.faults.history import Op, Slot

RESOURCES = 3
HALF_HOURS = 6
REPEATS = 3
IMPATIENT = 0.1
"""how often a client sends again what was answered, twice at once"""
REMEMBERED = 50
LONGEST_S = 3
"""no reservation is made or extended for longer"""
Answered = TypeVar("Answered", Op, list[Op])


def slots(prefix: str) -> list[Slot]:
    """Return slots that overlap their neighbours, on a few resources."""
    return [
        Slot(f"{prefix}-{number}", at(half / 2), at(half / 2) + HOUR_MS)
        for number in range(RESOURCES)
        for half in range(HALF_HOURS)
    ]


def capacities(prefix: str) -> dict[str, int]:
    """Return which of these resources have room for more than one."""
    return {f"{prefix}-{RESOURCES - 1}": 2}


class Workload:
    """Some clients, until they are told to stop.

    Args:
        client: sends and records.
        choice: of slots.
        seed: what everybody does.
        servers: how many there are.
        rest_s: how long a client rests between two requests, at most.

    """

    def __init__(
        self,
        client: Client,
        choice: list[Slot],
        seed: int,
        *,
        servers: int = 2,
        clients: int = 6,
        rest_s: float = 0.06,
    ) -> None:
        self._client = client
        self._slots = choice
        self._lots = random.Random(seed)  # noqa: S311 - what to do, not what to guess
        self._servers = servers
        self._rest_s = rest_s
        self._clients = clients
        self._going = True
        self._old: deque[Op] = deque(maxlen=REMEMBERED)
        self._booked: deque[Op] = deque(maxlen=REMEMBERED)
        self._tasks: list[asyncio.Task[None]] = []
        self.hang_ups = False
        """whether clients hang up on some requests"""

    def start(self) -> None:
        """Let the clients begin."""
        self._going = True
        self._tasks = [asyncio.create_task(self._busy()) for _ in range(self._clients)]

    async def stop(self) -> None:
        """Let every client finish its request and stop."""
        self._going = False
        await asyncio.gather(*self._tasks)

    async def _busy(self) -> None:
        lots = self._lots
        while self._going:
            (act,) = lots.choices(
                [self._customer, self._direct, self._batch, self._cancel, self._late],
                [45, 15, 5, 30, 5],
            )
            await act()
            await asyncio.sleep(lots.random() * self._rest_s)

    async def _customer(self) -> None:
        """Reserve, then do what customers do with a reservation."""
        lots = self._lots
        slot, seconds = lots.choice(self._slots), lots.randint(1, LONGEST_S)
        key = self._key() if lots.random() < 0.6 else ""
        held = await self._repeat(
            lambda: self._client.reserve(slot, seconds, key=key, **self._how()), can=bool(key)
        )
        if not held.granted:
            return
        self._old.append(held)
        (follow,) = lots.choices(
            [self._hand_off, self._twins, self._extend, self._release, self._read, self._nothing],
            [40, 10, 15, 15, 10, 10],
        )
        await asyncio.sleep(lots.choice([0, 0, lots.random() * 1.5 * seconds]))
        await follow(held)

    async def _hand_off(self, held: Op) -> None:
        booked = await self._repeat(lambda: self._client.hand_off(held, **self._how()))
        if booked.granted:
            self._booked.append(booked)

    async def _twins(self, held: Op) -> None:
        """Send the same hand-off twice at once."""
        await asyncio.gather(self._hand_off(held), self._hand_off(held))

    async def _extend(self, held: Op) -> None:
        extended = await self._client.extend(held, self._lots.randint(1, LONGEST_S), **self._how())
        if extended.granted:
            await self._hand_off(held)

    async def _release(self, held: Op) -> None:
        await self._client.release(held, **self._how())

    async def _read(self, held: Op) -> None:
        await self._client.read(held, **self._how())

    async def _nothing(self, held: Op) -> None:
        """Let it lapse."""

    async def _direct(self) -> None:
        slot, what = self._lots.choice(self._slots), self._key()
        key = what if self._lots.random() < 0.8 else ""
        booked = await self._repeat(
            lambda: self._client.book(slot, what, key=key, **self._how()), can=bool(key)
        )
        if booked.granted:
            self._booked.append(booked)

    async def _batch(self) -> None:
        """Want some slots at once; book one of them, give the others back."""
        lots = self._lots
        wanted, seconds = lots.sample(self._slots, lots.randint(1, 4)), lots.randint(1, LONGEST_S)
        cart, key = lots.random() < 0.5, self._key() if lots.random() < 0.6 else ""
        ops = await self._repeat(
            lambda: self._client.batch(wanted, seconds, cart=cart, key=key, **self._how()),
            can=bool(key),
        )
        held = [op for op in ops if op.granted]
        for number, op in enumerate(held):
            await (self._release(op) if number else self._hand_off(op))

    async def _cancel(self) -> None:
        if not self._booked:
            return
        booked = self._lots.choice(self._booked)
        if self._lots.random() < 0.9:  # now and then a booking is cancelled again
            self._booked.remove(booked)
        await self._repeat(lambda: self._client.cancel(booked, **self._how()))

    async def _late(self) -> None:
        """Do something with a reservation that may be long gone."""
        if self._old:
            follow = self._lots.choice([self._hand_off, self._extend, self._read])
            await follow(self._lots.choice(self._old))

    async def _repeat(
        self, send: Callable[[], Awaitable[Answered]], *, can: bool = True
    ) -> Answered:
        """Send until the answer is known, a few times at most."""
        answered = await send()
        if can and self._lots.random() < IMPATIENT:
            answered, _ = await asyncio.gather(send(), send())
        for _ in range(REPEATS if can else 0):
            if _is_known(answered):
                break
            await asyncio.sleep(self._lots.random() * 0.3)
            answered = await send()
        return answered

    def _how(self) -> dict[str, Any]:
        how: dict[str, Any] = {"server": self._lots.randrange(self._servers)}
        if self.hang_ups and self._lots.random() < 0.3:
            how["hang_up_s"] = self._lots.random() * 0.01
        return how

    def _key(self) -> str:
        return f"k{self._lots.getrandbits(64):x}"


def _is_known(answered: Op | list[Op]) -> bool:
    ops = answered if isinstance(answered, list) else [answered]
    return all(op.granted or op.refused for op in ops)
