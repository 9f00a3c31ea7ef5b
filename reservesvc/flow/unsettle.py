"""unsettle: mark a booking's entry before the booking store decides, or tell why there is none.

A booking that ended before its index begins need not have an entry: no resync brings it back,
and nobody can claim its time. So the booking store decides about it alone, without a fence.
"""

from msgspec import Struct

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Cold, NotFound, NotOpen, Pending
from reservesvc.ports import Stores


class Unindexed(Struct, frozen=True):
    """The booking ended before its index, which is warm, begins: it needs no entry there."""


async def unsettle_booking(
    stores: Stores, booking: Booking
) -> Pending | Cold | NotFound | NotOpen | Unindexed:
    """Mark the booking's entry as being decided by the booking store.

    `NotFound` and `NotOpen` where the entry is gone because somebody else deleted or changed the
    booking since it was read (with no open actions filled in); `Cold` asks for a resync.
    """
    pending = await stores.reservations.unsettle_booking(booking.entry)
    if isinstance(pending, Pending):
        return pending
    if await _is_too_old(stores, booking):
        return Unindexed()
    current = await stores.bookings.booking(booking.id)
    if current is None:
        return NotFound(model="Booking", id=booking.id)
    return Cold() if current.is_as(booking) else NotOpen(booking=current, open_actions=())


async def _is_too_old(stores: Stores, booking: Booking) -> bool:
    index = await stores.reservations.index(booking.resource_id, booking.start_ms)
    return not isinstance(index, Cold) and booking.end_ms <= index.since_ms
