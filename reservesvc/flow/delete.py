"""delete: take a booking that is over out of the booking store."""

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import (
    Cold,
    Deleted,
    FenceMoved,
    NotFinal,
    NotFound,
    NotOpen,
    Pending,
)
from reservesvc.flow.fenced import fenced
from reservesvc.flow.resync import ATTEMPTS, kept_cold
from reservesvc.flow.settle import settle
from reservesvc.flow.unsettle import Unindexed, unsettle_booking
from reservesvc.ports import Stores


async def delete(stores: Stores, booking_id: str) -> Deleted | NotFinal | NotFound:
    """Delete the booking; a slot that it still kept, as a completed one does, is free at once.

    Raises:
        UnavailableError: nothing was changed.
        OutcomeUnknownError: reading the booking tells.

    """
    for _ in range(ATTEMPTS):
        booking = await stores.bookings.booking(booking_id)
        if booking is None:
            return NotFound(model="Booking", id=booking_id)
        if booking.open_actions or not booking.is_known:
            return NotFinal(booking=booking, ending_actions=_ending_actions(booking))
        outcome = await _delete(stores, booking)
        if isinstance(outcome, Deleted | NotFound):
            return outcome
        # Somebody else changed the booking meanwhile: look again.
    raise kept_cold(booking_id)


def _ending_actions(booking: Booking) -> tuple[str, ...]:
    """Return the actions after which nothing is left to come."""
    graph = booking.life
    ways = {action: graph.next_state(booking.state, action) for action in booking.open_actions}
    return tuple(
        action for action, state in ways.items() if state and not graph.open_actions(state)
    )


async def _delete(stores: Stores, booking: Booking) -> Deleted | NotFound | NotOpen | FenceMoved:
    """Delete the booking; with its entry unsettled where it needs one."""
    if not booking.blocks:
        return await stores.bookings.delete_booking(booking, None)

    async def unsettle() -> Pending | Cold | NotFound | NotOpen | Unindexed:
        return await unsettle_booking(stores, booking)

    async def decide(pending: Pending) -> Deleted | FenceMoved | NotFound | NotOpen:
        decision = await stores.bookings.delete_booking(booking, pending.fence)
        if not isinstance(decision, FenceMoved):
            current = decision.booking if isinstance(decision, NotOpen) else None
            await settle(stores, booking.entry, pending, current)
        return decision

    outcome: Deleted | NotFound | NotOpen | Unindexed = await fenced(
        stores, booking.resource_id, unsettle, decide
    )
    if isinstance(outcome, Unindexed):
        return await stores.bookings.delete_booking(booking, None)
    return outcome
