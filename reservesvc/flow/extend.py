"""extend: hold a reserved slot for longer."""

from reservesvc.domain.outcomes import Ended, Extended, ExtensionLimit, Unsettled
from reservesvc.domain.reservation import ReservationId
from reservesvc.flow.ended import how_it_ended
from reservesvc.ports import Stores


async def extend(
    stores: Stores, reservation_id: ReservationId, duration_s: int
) -> Extended | Ended | Unsettled | ExtensionLimit:
    """Move the deadline to `duration_s` from now, if that is later than it is."""
    outcome = await stores.reservations.extend(reservation_id, duration_s * 1000)
    if isinstance(outcome, Ended):
        return await how_it_ended(stores, reservation_id, outcome)
    return outcome
