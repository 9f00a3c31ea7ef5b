"""act: take an action of a booking's graph, such as cancel."""

from reservesvc.domain.booking import Booking
from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.outcomes import Changed, Cold, FenceMoved, NotFound, NotOpen, Pending
from reservesvc.flow.fenced import fenced
from reservesvc.flow.resync import ATTEMPTS, kept_cold
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
) -> Changed | FenceMoved | NotOpen | NotFound:
    """Change the booking's state; with its entry unsettled where it gives its slot back."""
    if GRAPHS[booking.graph].blocks(state) == booking.blocks:
        return await stores.bookings.change_state(booking, state, None, None)

    async def unsettle() -> Pending | Cold | NotOpen | NotFound:
        pending = await stores.reservations.unsettle_booking(booking.entry)
        return pending if isinstance(pending, Pending) else await _moved_on(stores, booking)

    async def decide(pending: Pending) -> Changed | NotOpen | NotFound | FenceMoved:
        decision = await stores.bookings.change_state(booking, state, pending.fence, pending.now_ms)
        if not isinstance(decision, FenceMoved):
            current = None if isinstance(decision, NotFound) else decision.booking
            await settle(stores, booking.entry, pending, current)
        return decision

    return await fenced(stores, booking.resource_id, unsettle, decide)


async def _moved_on(stores: Stores, booking: Booking) -> Cold | NotOpen | NotFound:
    """Tell why the index lacks the entry: because it is cold, or by somebody else's action."""
    current = await stores.bookings.booking(booking.id)
    if current is None:
        return NotFound(model="Booking", id=booking.id)
    is_as_read = (current.state, current.entry_id) == (booking.state, booking.entry_id)
    return Cold() if is_as_read else NotOpen(booking=current, open_actions=())
