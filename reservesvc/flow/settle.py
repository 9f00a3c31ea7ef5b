"""settle: tell Redis what the booking store decided about an unsettled entry."""

import asyncio

from reservesvc.domain.booking import Booking
from reservesvc.domain.entry import Entry
from reservesvc.domain.outcomes import Pending
from reservesvc.domain.reservation import Reservation
from reservesvc.errors import UnavailableError
from reservesvc.ports import Stores

SETTLE_S = 0.5
"""How long an answer that stands already may wait for Redis to hear of it."""


async def settle(stores: Stores, entry: Entry, pending: Pending, booking: Booking | None) -> None:
    """Make the entry booked if it is the one of `booking` and that blocks, else remove it.

    It is another's where the booking was made without blocking, or has moved since.

    What the store decided stands whether or not Redis hears of it: an entry left unsettled
    is put right by the resync of whoever meets it without a live key.
    """
    try:
        async with asyncio.timeout(SETTLE_S):
            if booking and booking.blocks and booking.entry == entry:
                await stores.reservations.settle_booked(entry, pending, booking.id)
            else:
                await stores.reservations.settle_freed(entry, pending)
    except (UnavailableError, TimeoutError):
        return


async def give_back(stores: Stores, reservation: Reservation) -> None:
    """Free the slot now rather than when the short reservation lapses, if Redis hears us."""
    try:
        pending = await stores.reservations.unsettle_reservation(reservation)
    except UnavailableError:
        return
    if isinstance(pending, Pending):
        await settle(stores, reservation.entry, pending, None)
