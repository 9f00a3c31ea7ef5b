"""Bookings that ended before any index begins, on every engine: they end as all others do."""

import pytest
from redis.asyncio import Redis

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    Deleted,
    Rescheduled,
    Reserved,
    Taken,
)
from reservesvc.domain.wish import Limits, Wish
from reservesvc.flow.act import act
from reservesvc.flow.delete import delete
from reservesvc.flow.reschedule import reschedule
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Stores
from tests.builders import HOUR_MS, ROOM, a_booking, a_wish, at

LIMITS = Limits()
OTHER_ROOM = "room-2"
STAYS = {"auto_complete_one_hour_after_booking_ends": {"enabled": False}}


@pytest.fixture(params=["warm", "cold"])
async def old(
    request: pytest.FixtureRequest, servers_of_each_engine: list[Stores], redis: Redis
) -> Booking:
    """Give a booking that ended an hour before its index begins, whether that is warm or cold."""
    stores, _ = servers_of_each_engine
    assert isinstance(await reserve(stores, LIMITS, a_wish(20, 21), None), Reserved)
    end_ms = await stores.reservations.since_ms() - HOUR_MS
    fence = (await stores.bookings.blocking(ROOM, 0)).fence
    booking = a_booking(start_ms=end_ms - HOUR_MS, end_ms=end_ms, settings=STAYS)
    assert isinstance(await stores.bookings.book(booking, fence, None), Booked)
    if request.param == "cold":
        await redis.flushall()
    return booking


@pytest.mark.parametrize("action", ["cancel", "cancel_by_customer", "reschedule_by_customer"])
async def test_an_old_booking_is_ended(
    servers_of_each_engine: list[Stores], old: Booking, action: str
) -> None:
    """An action that frees its slot needs no entry; the repeat finds it done."""
    one, other = servers_of_each_engine
    outcome = await act(one, old.id, action)
    assert isinstance(outcome, Changed)
    assert not outcome.booking.blocks
    repeat = Changed(booking=outcome.booking, repeated=True)
    assert await act(other, old.id, action) == repeat


async def test_an_old_completed_booking_is_deleted(
    servers_of_each_engine: list[Stores], old: Booking
) -> None:
    """It is gone, although it kept its slot."""
    one, other = servers_of_each_engine
    assert isinstance(await act(one, old.id, "complete"), Changed)
    assert await delete(other, old.id) == Deleted()
    assert await one.bookings.booking(old.id) is None


@pytest.mark.parametrize("room", [ROOM, OTHER_ROOM])
async def test_an_old_booking_is_rescheduled(
    servers_of_each_engine: list[Stores], old: Booking, room: str
) -> None:
    """It is in its new slot, and nobody else gets that."""
    one, other = servers_of_each_engine
    wish = Wish(resource_id=room, start_ms=at(10), end_ms=at(11))
    outcome = await reschedule(one, LIMITS, old.id, wish, None)
    assert isinstance(outcome, Rescheduled)
    assert await other.bookings.booking(old.id) == outcome.booking
    assert (outcome.booking.resource_id, outcome.booking.start_ms) == (room, at(10))
    assert await reserve(other, LIMITS, a_wish(resource_id=room), None) == Taken(by="booked")
