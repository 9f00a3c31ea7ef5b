"""settle: tell Redis what the booking store decided about an unsettled entry."""

import asyncio

from reservesvc.domain.booking import Booking
from reservesvc.domain.entry import Entry
from reservesvc.domain.outcomes import Pending
from reservesvc.errors import UnavailableError
from reservesvc.ports import Stores

SETTLE_S = 0.5
"""How long an answer that stands already may wait for Redis to hear of it."""


async def settle(stores: Stores, entry: Entry, pending: Pending, booking: Booking | None) -> None:
    """Make the entry booked if `booking` blocks its slot, else remove it.

    What the store decided stands whether or not Redis hears of it: an entry left unsettled
    is put right by the resync of whoever meets it without a live key.
    """
    try:
        async with asyncio.timeout(SETTLE_S):
            if booking and booking.blocks:
                await stores.reservations.settle_booked(entry, pending, booking.id)
            else:
                await stores.reservations.settle_freed(entry, pending)
    except (UnavailableError, TimeoutError):
        return
