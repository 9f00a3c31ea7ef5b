"""release: give a reserved slot back before its time is up."""

from reservesvc.domain.outcomes import Ended, Released, Unsettled
from reservesvc.domain.reservation import ReservationId
from reservesvc.flow.ended import how_it_ended
from reservesvc.ports import Stores


async def release(stores: Stores, reservation_id: ReservationId) -> Released | Ended | Unsettled:
    """Free the slot; `Ended` says how where there is nothing left to free."""
    outcome = await stores.reservations.release(reservation_id)
    if isinstance(outcome, Ended):
        return await how_it_ended(stores, reservation_id, outcome)
    return outcome
