"""ended: how a reservation ended, when Redis no longer knows."""

from msgspec.structs import replace

from reservesvc.domain.outcomes import Ended
from reservesvc.domain.reservation import ReservationId
from reservesvc.ports import Stores


async def how_it_ended(stores: Stores, reservation_id: ReservationId, ended: Ended) -> Ended:
    """Return `ended`, or that it was converted where only the booking store can tell.

    Tombstones last an hour, and a resync or lost Redis data may have left none.
    """
    if ended.state != "expired":
        return ended
    booking = await stores.bookings.booking_by_reservation(str(reservation_id))
    if booking is None:
        return ended
    return replace(ended, state="converted", ended_ms=booking.created_ms, booking_id=booking.id)
