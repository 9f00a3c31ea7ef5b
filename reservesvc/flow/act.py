"""act: take an action of a booking's graph, such as cancel."""

from reservesvc.domain.booking import Booking
from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.outcomes import Changed, Cold, FenceMoved, NotFound, NotOpen, Pending
from reservesvc.flow.resync import ATTEMPTS, kept_cold, resync
from reservesvc.flow.settle import settle
from reservesvc.ports import Stores


async def act(stores: Stores, booking_id: str, action: str) -> Changed | NotOpen | NotFound:
    """Move the booking along its graph; a slot it no longer needs is free at once.

    Raises:
        UnavailableError: nothing was changed.
        OutcomeUnknownError: reading the booking tells.

    """
    for _ in range(ATTEMPTS):
        booking = await stores.bookings.booking(booking_id)
        if booking is None:
            return NotFound(model="Booking", id=booking_id)
        graph = GRAPHS[booking.graph]
        state = graph.next_state(booking.state, action)
        if state is None:
            open_actions = tuple(graph.open_actions(booking.state))
            return NotOpen(booking=booking, open_actions=open_actions)
        outcome = await _change(stores, booking, state)
        if isinstance(outcome, Changed):
            return outcome
        # Somebody else changed the booking or its index meanwhile: look again.
    raise kept_cold(booking_id)


async def _change(
    stores: Stores, booking: Booking, state: str
) -> Changed | Cold | FenceMoved | NotOpen | NotFound:
    """Change the booking's state; with its entry unsettled where it gives its slot back."""
    if GRAPHS[booking.graph].blocks(state) == booking.blocks:
        return await stores.bookings.change_state(booking, state, None, None)
    pending = await stores.reservations.unsettle_booking(booking.entry)
    outcome: Changed | Cold | FenceMoved | NotOpen | NotFound = Cold()
    if isinstance(pending, Pending):
        outcome = await stores.bookings.change_state(booking, state, pending.fence, pending.now_ms)
        if not isinstance(outcome, FenceMoved):
            current = None if isinstance(outcome, NotFound) else outcome.booking
            await settle(stores, booking.entry, pending, current)
    if isinstance(outcome, Cold | FenceMoved):
        await resync(stores, booking.resource_id)
    return outcome
