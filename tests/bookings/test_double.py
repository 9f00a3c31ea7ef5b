"""What every engine of the booking store must do with bookings that stand outside of the count."""

import pytest

from reservesvc.domain.outcomes import Booked, Changed, Taken
from tests.bookings.builders import NOON_MS, at, booking, resource
from tests.bookings.conftest import OpenStore


async def test_what_came_with_a_booking_reads_back(store: OpenStore) -> None:
    """Participants, settings, the group's booking and the mark survive the store."""
    given = booking(
        participants=["ada@example.org"],
        settings={"allow_double_bookings": True, "odd": [1]},
        owner_booking_id="owner",
        double=True,
    )
    await store.book(given, 0, None)
    assert await store.booking(given.id) == given


async def test_a_double_booking_needs_no_room(store: OpenStore) -> None:
    """It is booked beside another, and beside a second one of its kind."""
    assert isinstance(await store.book(booking(), 0, None), Booked)
    for _ in range(2):
        assert isinstance(await store.book(booking(double=True), 0, None), Booked)
    assert await store.book(booking(), 0, None) == Taken(by="booked")


@pytest.mark.parametrize("capacity", [1, 2])
async def test_a_double_booking_takes_no_room(store: OpenStore, capacity: int) -> None:
    """Reservations granted before it can all be handed off: it is counted nowhere."""
    await store.create_resource(resource("room-1", capacity=capacity), None)
    await store.book(booking(double=True), 0, None)
    for _ in range(capacity):
        assert isinstance(await store.book(booking(), 0, None), Booked)
    assert await store.book(booking(), 0, None) == Taken(by="booked")


async def test_a_double_booking_is_in_the_snapshot(store: OpenStore) -> None:
    """A resync gives it its place in the index, until it is cancelled."""
    double = at(0, 10, double=True)
    await store.book(double, 0, None)
    assert [one.booking_id for one in (await store.snapshot("room-1", 0)).bookings] == [double.id]
    cancelled = await store.change_state(double, "cancelled", 1, NOON_MS)
    assert isinstance(cancelled, Changed)
    assert cancelled.booking.double
    assert (await store.snapshot("room-1", 0)).bookings == []


async def test_a_long_double_booking_is_found_from_its_far_end(store: OpenStore) -> None:
    """The snapshot looks back as far as double bookings reach, too."""
    long_one = at(0, 30 * 24 * 60, double=True)
    await store.book(long_one, 0, None)
    await store.book(at(0, 10), 0, None)
    listed = (await store.snapshot("room-1", at(29 * 1440, 29 * 1440 + 1).start_ms)).bookings
    assert [one.booking_id for one in listed] == [long_one.id]
