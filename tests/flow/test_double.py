"""Double bookings: what a caller books although the slot is taken."""

from typing import Any

import pytest
from redis.asyncio import Redis

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Booked, KeyReused, Reserved, Taken
from reservesvc.domain.project import Project
from reservesvc.domain.wish import Limits, Wish
from reservesvc.flow.act import act
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.reserve import reserve
from reservesvc.flow.tidy import tidy
from reservesvc.ports import Idempotency, Stores
from tests.builders import ROOM, a_wish

LIMITS = Limits()
DOUBLE = {"allow_double_bookings": True}


async def doubly_booked(stores: Stores, *hours: float, **fields: Any) -> Booking:
    """Book the hours, taken or not, and insist on it."""
    outcome = await book(stores, LIMITS, a_wish(*hours, settings=DOUBLE, **fields), None)
    assert isinstance(outcome, Booked), outcome
    return outcome.booking


async def test_a_taken_slot_is_booked_again_on_demand(stores: Stores) -> None:
    """Over a booking and over a reservation; without the setting both are in the way."""
    assert isinstance(await book(stores, LIMITS, a_wish(), None), Booked)
    assert isinstance(await reserve(stores, LIMITS, a_wish(12, 13), None), Reserved)
    for hours in ((10, 11), (12, 13)):
        assert isinstance(await book(stores, LIMITS, a_wish(*hours), None), Taken)
        booking = await doubly_booked(stores, *hours)
        assert booking.double
        assert booking.settings == DOUBLE


async def test_a_reservation_is_handed_off_under_a_double_booking(stores: Stores) -> None:
    """Who holds a slot does not lose it to somebody who needs no room."""
    held = await reserve(stores, LIMITS, a_wish(), None)
    assert isinstance(held, Reserved)
    await doubly_booked(stores)
    outcome = await hand_off(stores, Wish(), held.reservation.id, None)
    assert isinstance(outcome, Booked)
    assert not outcome.booking.double


async def test_a_handed_off_reservation_is_no_double_booking(stores: Stores) -> None:
    """Its slot was free: it counts, whatever the request allows."""
    held = await reserve(stores, LIMITS, a_wish(), None)
    assert isinstance(held, Reserved)
    outcome = await hand_off(stores, Wish(settings=DOUBLE), held.reservation.id, None)
    assert isinstance(outcome, Booked)
    assert not outcome.booking.double


@pytest.mark.parametrize("flushed", [False, True])
async def test_a_double_booking_is_in_the_way_of_new_claims(
    stores: Stores, redis: Redis, *, flushed: bool
) -> None:
    """As any booking is, also after a resync; cancelling it frees the slot."""
    booking = await doubly_booked(stores)
    if flushed:
        await redis.flushall()
    assert await reserve(stores, LIMITS, a_wish(), None) == Taken(by="booked")
    assert await tidy(stores, ROOM) == "clean"
    await act(stores, booking.id, "cancel")
    assert isinstance(await reserve(stores, LIMITS, a_wish(), None), Reserved)


async def test_what_lies_behind_short_ones_is_still_in_the_way(stores: Stores) -> None:
    """A long double booking over short bookings blocks up to its own end."""
    for hour in (1, 2, 3):
        assert isinstance(await book(stores, LIMITS, a_wish(hour, hour + 0.5), None), Booked)
    await doubly_booked(stores, 0, 12)
    assert await reserve(stores, LIMITS, a_wish(11, 12), None) == Taken(by="booked")
    assert isinstance(await reserve(stores, LIMITS, a_wish(12, 13), None), Reserved)


@pytest.mark.parametrize(
    ("settings", "is_booked"),
    [
        (None, True),
        ({"allow_double_bookings": None}, True),
        ({"allow_double_bookings": False}, False),
    ],
)
async def test_the_project_says_it_for_its_requests(
    stores: Stores, settings: dict[str, Any] | None, *, is_booked: bool
) -> None:
    """A project may allow double bookings; the request goes before it."""
    project = Project(id="p", name="p", slug="p", allow_double_bookings=True)
    await stores.bookings.create_project(project, None)
    assert isinstance(await book(stores, LIMITS, a_wish(), None), Booked)
    wish = a_wish(project_id="p", settings=settings)
    assert isinstance(await book(stores, LIMITS, wish, None), Booked) == is_booked


async def test_a_key_makes_one_double_booking(stores: Stores) -> None:
    """Repeated it is the same one; with another body it is refused."""
    key = Idempotency("d1", "f1")
    first = await book(stores, LIMITS, a_wish(settings=DOUBLE), key)
    again = await book(stores, LIMITS, a_wish(settings=DOUBLE), key)
    assert isinstance(first, Booked)
    assert isinstance(again, Booked)
    assert again.booking == first.booking
    assert again.repeated
    other = await book(stores, LIMITS, a_wish(settings=DOUBLE), Idempotency("d1", "f2"))
    assert other == KeyReused()
