"""due: make the moves that bookings' timers ask for.

A timer is a row's `due_ms` in the booking store, so no restart loses one. Every server looks
for those that have run out; the store lets each happen once, for it moves a booking only from
the state it was read in and only while it is due.
"""

from collections.abc import AsyncIterator
from typing import Literal

from reservesvc.domain.booking import NOT_WORKED_OUT, Booking
from reservesvc.domain.outcomes import Changed, OutOfReach, Taken
from reservesvc.domain.wish import Limits
from reservesvc.flow.act import take_due
from reservesvc.ports import Stores

AT_ONCE = 100
"""how many bookings are read together"""


async def due_bookings(stores: Stores) -> AsyncIterator[Booking]:
    """Go through all bookings that are due, once; what fails meanwhile does not stand in the way.

    Raises:
        UnavailableError: the booking store could not be asked.

    """
    last: Booking | None = None
    while page := await stores.bookings.due(AT_ONCE, last):
        # What a newer server alone knows is that server's to carry out.
        known = [booking for booking in page if booking.is_known]
        strays = [booking.id for booking in known if _is_stray(booking)]
        if strays:
            await stores.bookings.reckon_due(strays)
        for booking in known:
            if booking.id not in strays:
                yield booking
        last = page[-1]


def _is_stray(booking: Booking) -> bool:
    """Tell whether an older server left the row: it knows of no timers."""
    return booking.due_ms == NOT_WORKED_OUT or booking.due_state is None


async def carry_out(
    stores: Stores, limits: Limits, booking: Booking
) -> Literal["moved", "overtaken", "taken"]:
    """Make the move that is due, unless somebody else has; `taken` where its slot is gone.

    Raises:
        UnavailableError: nothing was changed.
        OutcomeUnknownError: the next look tells.

    """
    outcome = await take_due(stores, booking, limits)
    if isinstance(outcome, Changed):
        return "moved"
    return "taken" if isinstance(outcome, Taken | OutOfReach) else "overtaken"
