"""unindexed: bookings that ended so long ago that a warm index need not have their entry.

No resync brings such an entry back, and nobody can claim its time. So nothing has to be
unsettled before the booking store decides about it, and no fence guards the decision.
"""

from msgspec import Struct

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Cold, Pending
from reservesvc.ports import Stores


class Unindexed(Struct, frozen=True):
    """The booking ended before its index, which is warm, begins: it needs no entry there."""


async def unsettle_booking(stores: Stores, booking: Booking) -> Pending | Cold | Unindexed:
    """Mark the booking's entry as being decided by the booking store, if it needs one."""
    pending = await stores.reservations.unsettle_booking(booking.entry)
    if isinstance(pending, Cold) and await _is_too_old(stores, booking):
        return Unindexed()
    return pending


async def _is_too_old(stores: Stores, booking: Booking) -> bool:
    index = await stores.reservations.index(booking.resource_id, booking.start_ms)
    return not isinstance(index, Cold) and booking.end_ms <= index.since_ms
