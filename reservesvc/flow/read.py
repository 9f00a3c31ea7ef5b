"""read: look at reservations without changing anything."""

from reservesvc.domain.outcomes import Cold, Ended, Live
from reservesvc.domain.reservation import Reservation, ReservationId
from reservesvc.domain.slot import ANY_TIME, Span
from reservesvc.flow.ended import how_it_ended
from reservesvc.flow.resync import ATTEMPTS, kept_cold, resync
from reservesvc.ports import Stores


async def read(stores: Stores, reservation_id: ReservationId) -> Live | Ended:
    """Return the reservation with its remaining time, or how it ended."""
    outcome = await stores.reservations.read(reservation_id)
    if isinstance(outcome, Ended):
        return await how_it_ended(stores, reservation_id, outcome)
    return outcome


async def live(
    stores: Stores, resource_id: str, limit: int, offset: int, span: Span = ANY_TIME
) -> tuple[list[Reservation], int]:
    """Return one page of a resource's live reservations by start, and how many there are.

    Only of those that overlap the span.

    Raises:
        UnavailableError: others kept making the index cold.

    """
    for _ in range(ATTEMPTS):
        page = await stores.reservations.live(resource_id, limit, offset, span)
        if not isinstance(page, Cold):
            return page
        await resync(stores, resource_id)
    raise kept_cold(resource_id)
