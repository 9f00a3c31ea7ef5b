"""delete while others ask about the same booking, on every engine."""

import asyncio
from typing import Any

import pytest

from reservesvc.domain.outcomes import Booked, Changed, Deleted, Ended, NotFound, Reserved
from reservesvc.domain.wish import Limits, Wish
from reservesvc.flow.act import act
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.delete import delete
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Stores
from tests.builders import a_wish

LIMITS = Limits()


class Paused:
    """A booking store before which one booking waits."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.waits = asyncio.Event()
        self.goes_on = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def book(self, *arguments: Any) -> Any:
        """Wait, then book."""
        self.waits.set()
        await self.goes_on.wait()
        return await self._store.book(*arguments)


@pytest.mark.parametrize("action", ["cancel", "complete"])
async def test_a_paused_hand_off_does_not_bring_it_back(
    servers_of_each_engine: list[Stores], action: str
) -> None:
    """Booked by its repeat, ended and deleted meanwhile: the late request books nothing."""
    one, other = servers_of_each_engine
    reserved = await reserve(one, LIMITS, a_wish(), None)
    assert isinstance(reserved, Reserved)
    paused = Paused(one.bookings)
    stores = Stores(one.reservations, paused, one.settings, one.ids)
    late = asyncio.create_task(hand_off(stores, Wish(), reserved.reservation.id, None))
    await paused.waits.wait()
    booked = await hand_off(other, Wish(), reserved.reservation.id, None)
    assert isinstance(booked, Booked)
    assert isinstance(await act(other, booked.booking.id, action), Changed)
    assert await delete(other, booked.booking.id) == Deleted()
    rival = await reserve(other, LIMITS, a_wish(), None)
    assert isinstance(rival, Reserved)
    paused.goes_on.set()
    assert isinstance(await late, Ended)
    assert isinstance(await hand_off(other, Wish(), rival.reservation.id, None), Booked)


async def test_two_deletes_at_once(servers_of_each_engine: list[Stores]) -> None:
    """One deletes the booking, the others do not find it any more; no index is built for that."""
    one, other = servers_of_each_engine
    booked = await book(one, LIMITS, a_wish(), None)
    assert isinstance(booked, Booked)
    ended = await act(one, booked.booking.id, "complete")
    assert isinstance(ended, Changed)
    fence = (await one.bookings.blocking(ended.booking.resource_id, 0)).fence
    ends = await asyncio.gather(*(delete(each, ended.booking.id) for each in (one, other) * 4))
    assert ends.count(Deleted()) == 1
    assert ends.count(NotFound(model="Booking", id=ended.booking.id)) == len(ends) - 1
    assert (await one.bookings.blocking(ended.booking.resource_id, 0)).fence <= fence + 2
