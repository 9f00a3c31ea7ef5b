"""kill -9 between any two steps of a delete, on every engine: the booking is there or is not.

The crash is that of `test_crash.py`.
"""

import itertools
from functools import partial

import pytest
from redis.asyncio import Redis

from reservesvc.domain.outcomes import Booked, Changed, Deleted, NotFound, Reserved, Taken
from reservesvc.domain.wish import Wish
from reservesvc.flow.act import act
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.delete import delete
from reservesvc.flow.reserve import reserve
from reservesvc.flow.tidy import tidy
from reservesvc.ports import Stores
from tests.builders import ROOM, a_wish
from tests.flow.test_crash import LIMITS, STEPS_MAX, crashes

KEEPS_ITS_SLOT = {"complete": True, "cancel": False}
"""by the action that ends a booking"""


async def _ended(stores: Stores, action: str, day: int) -> str:
    """Book an hour of the day, end the booking, return its id."""
    booked = await book(stores, LIMITS, a_wish(day + 10, day + 11), None)
    assert isinstance(booked, Booked)
    assert isinstance(await act(stores, booked.booking.id, action), Changed)
    return booked.booking.id


async def _delete(booking_id: str, stores: Stores) -> object:
    return await delete(stores, booking_id)


@pytest.mark.parametrize("action", KEEPS_ITS_SLOT)
@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize("after", [False, True])
async def test_a_crashed_delete(
    servers_of_each_engine: list[Stores], redis: Redis, *, action: str, cold: bool, after: bool
) -> None:
    """The slot is taken or free as the booking store says, and a repeat deletes for good."""
    crashed, other = servers_of_each_engine
    for step in itertools.count(1):
        assert step < STEPS_MAX
        crashed.resyncs.clear()
        day = 24 * step
        booking_id = await _ended(crashed, action, day)
        if cold:
            await redis.flushall()
        went_down = await crashes(crashed, step, partial(_delete, booking_id), after=after)
        is_there = await other.bookings.booking(booking_id) is not None
        is_taken = is_there and KEEPS_ITS_SLOT[action]
        rival = await reserve(other, LIMITS, a_wish(day + 10, day + 11), None)
        assert isinstance(rival, Taken if is_taken else Reserved)
        repeat = await delete(other, booking_id)
        assert isinstance(repeat, Deleted if is_there else NotFound)
        if is_taken:
            rival = await reserve(other, LIMITS, a_wish(day + 10, day + 11), None)
        assert isinstance(rival, Reserved)
        assert isinstance(await hand_off(other, Wish(), rival.reservation.id, None), Booked)
        assert await tidy(other, ROOM) == "clean"
        if not went_down:
            break
