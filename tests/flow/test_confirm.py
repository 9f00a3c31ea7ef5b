"""confirm: a booking that held nothing gets its slot under an entry of its own."""

from typing import Any

import pytest
from msgspec.structs import replace

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Booked, Changed, Reserved, Taken
from reservesvc.domain.reservation import ReservationId
from reservesvc.domain.wish import Limits, Wish
from reservesvc.errors import UnavailableError
from reservesvc.flow.act import act
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Index, Stores
from tests.builders import ROOM, a_wish
from tests.flow.test_book import Failing

LIMITS = Limits()
DOWN = UnavailableError("store", "is down")


async def asked(stores: Stores) -> tuple[Booking, ReservationId]:
    """Book a tentative booking directly; return it, and the reservation it was made from."""
    outcome = await book(stores, LIMITS, a_wish(graph="confirm_decline"), None)
    assert isinstance(outcome, Booked), outcome
    reservation_id = ReservationId.parse(outcome.booking.reservation_id)
    assert reservation_id is not None
    return outcome.booking, reservation_id


async def test_nobody_can_give_the_claim_away(stores: Stores) -> None:
    """Who repeats the hand-off, with the id they know, finds the booking and frees nothing."""
    tentative, reservation_id = await asked(stores)
    broken = replace(stores, bookings=Failing(stores.bookings, "change_state", DOWN))
    with pytest.raises(UnavailableError):
        await act(broken, tentative.id, "confirm")
    repeat = await hand_off(stores, Wish(), reservation_id, None)
    assert repeat == Booked(booking=tentative, repeated=True)
    assert isinstance(await reserve(stores, LIMITS, a_wish(), None), Taken)
    assert isinstance(await act(stores, tentative.id, "confirm"), Changed)


async def test_a_confirmed_booking_has_one_entry(stores: Stores) -> None:
    """A reservation that was not settled, and is handed off again, gets none beside it."""
    broken = replace(stores, reservations=Failing(stores.reservations, "settle_freed", DOWN))
    tentative, reservation_id = await asked(broken)
    outcome = await act(_seeing(stores, replace(tentative, double=True)), tentative.id, "confirm")
    assert isinstance(outcome, Changed), outcome
    await hand_off(stores, Wish(), reservation_id, None)
    index = await stores.reservations.index(ROOM)
    assert isinstance(index, Index)
    assert [row.entry.id for row in index.entries] == [outcome.booking.entry_id]


def _seeing(stores: Stores, booking: Booking) -> Stores:
    """Return stores of which one booking is read as it is given: nothing is in its claim's way."""

    class Seeing:
        async def booking(self, _: str) -> Booking:
            return booking

        def __getattr__(self, name: str) -> object:
            return getattr(stores.bookings, name)

    seeing: Any = Seeing()
    return replace(stores, bookings=seeing)


async def test_a_slot_that_was_only_asked_for_is_free(stores: Stores) -> None:
    """Asking leaves nothing behind in the index."""
    await asked(stores)
    index = await stores.reservations.index(ROOM)
    assert isinstance(index, Index)
    assert index.entries == []
    assert isinstance(await reserve(stores, LIMITS, a_wish(), None), Reserved)
