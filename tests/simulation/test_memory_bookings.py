"""The booking store in memory is no fantasy: any calls end as they do with the real one."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Booked, Changed, Rescheduled
from reservesvc.domain.project import Resource
from reservesvc.domain.rescheduling import Fences, rescheduled
from reservesvc.domain.slot import Slot
from reservesvc.ports import Idempotency
from tests.builders import a_booking, a_claim, at
from tests.simulation.loop import lots_of
from tests.simulation.memory_bookings import MemoryBookings

CALLS = 120
ROOMS = {"room-1": 1, "room-2": 3}


class Pair:
    """The real store and the memory, given the same calls."""

    def __init__(self, real: SqliteBookingStore, lots: Random) -> None:
        self.real = real
        self.memory = MemoryBookings(lambda: at(0), ROOMS)
        self.lots = lots
        self.drafts: list[Booking] = []

    async def both(self, name: str, *arguments: Any) -> Any:
        """Call both, compare their answers and return them."""
        answer = await getattr(self.real, name)(*arguments)
        assert getattr(self.memory, name)(*arguments) == answer, name
        return answer

    async def book(self) -> None:
        """Book some hours, or what is booked already; now and then under an old fence."""
        lots, memory = self.lots, self.memory
        booking = self.draft()
        key = Idempotency(f"k{lots.randrange(20)}", lots.choice("aab"))
        fence = memory.fence(booking.resource_id) - (lots.random() < 0.1)
        outcome = await self.both("book", booking, fence, key if lots.random() < 0.3 else None)
        if isinstance(outcome, Booked):
            self.drafts.append(outcome.booking)

    def draft(self) -> Booking:
        """Return a booking to insert."""
        lots = self.lots
        if self.drafts and lots.random() < 0.2:
            return lots.choice(self.drafts)
        room, start = lots.choice(list(ROOMS)), lots.randrange(8)
        end, quantity = start + lots.choice((1, 1, 2, 5)), lots.randint(1, ROOMS[room])
        claim = a_claim(start, end, resource_id=room, quantity=quantity)
        return a_booking(claim, double=lots.random() < 0.1)

    async def change(self) -> None:
        """Change a booking's state, under the right fence, a wrong one or none."""
        lots = self.lots
        booking = lots.choice(self.drafts) if self.drafts else self.draft()
        fence = lots.choice((None, self.memory.fence(booking.resource_id), 0))
        state = "cancelled" if lots.random() < 0.7 or not booking.blocks else "completed"
        outcome = await self.both("change_state", booking, state, fence, at(1))
        if isinstance(outcome, Changed):
            self.drafts.append(outcome.booking)

    async def reschedule(self) -> None:
        """Send a booking to other hours, under the right fences or wrong ones."""
        lots, memory = self.lots, self.memory
        booking = lots.choice(self.drafts) if self.drafts else self.draft()
        room, start = lots.choice(list(ROOMS)), lots.randrange(8)
        after = rescheduled(booking, Slot(room, at(start), at(start + lots.choice((1, 2)))))
        fences = memory.fences(booking, after)
        if lots.random() < 0.1:
            fences = Fences(left=fences.left, taken=fences.taken - 1)
        key = Idempotency(f"r{lots.randrange(20)}", lots.choice("aab"))
        arguments = (booking, after, fences, key if lots.random() < 0.3 else None)
        outcome = await self.both("reschedule", *arguments)
        if isinstance(outcome, Rescheduled):
            self.drafts.append(outcome.booking)

    async def delete(self) -> None:
        """Delete a booking, under the right fence, a wrong one or none."""
        lots = self.lots
        booking = lots.choice(self.drafts) if self.drafts else self.draft()
        fence = lots.choice((None, self.memory.fence(booking.resource_id), 0))
        await self.both("delete_booking", booking, fence)

    async def look(self) -> None:
        """Read all there is to read."""
        lots = self.lots
        await self.both("snapshot", lots.choice(list(ROOMS)), at(lots.randrange(10)))
        await self.both("blocking", lots.choice(list(ROOMS)), at(lots.randrange(10)))
        await self.both("booking_by_key", f"k{lots.randrange(20)}")
        await self.both("changed_by_key", f"r{lots.randrange(20)}")
        booking = lots.choice(self.drafts) if self.drafts else self.draft()
        await self.both("booking", booking.id)
        await self.both("booking_by_reservation", booking.reservation_id)


@pytest.mark.parametrize("seed", range(4))
async def test_memory_answers_as_the_store_does(tmp_path: Path, seed: int) -> None:
    """Every answer is the same, whatever is called in whatever order."""
    real = await SqliteBookingStore.open(tmp_path / "bookings.sqlite3")
    for name, capacity in ROOMS.items():
        await real.create_resource(Resource(id=name, name=name, capacity=capacity), None)
    pair = Pair(real, lots_of(seed))
    try:
        for _ in range(CALLS):
            steps = (pair.book, pair.change, pair.reschedule, pair.delete, pair.look)
            (step,) = pair.lots.choices(steps, (6, 3, 4, 1, 2))
            await step()
    finally:
        await real.close()
