"""act: take an action of a booking's graph, such as cancel, or the one its timer asks for.

Where the booking keeps its slot or has none before and after, the booking store alone is
asked. Where it gives its slot back, its entry is unsettled first; where it takes one, that is
claimed as any other and handed off.
"""

from msgspec import Struct
from msgspec.structs import replace

from reservesvc.domain.booking import Booking, Inputs
from reservesvc.domain.moves import Asked, is_repeat
from reservesvc.domain.outcomes import (
    Changed,
    Cold,
    Ended,
    FenceMoved,
    Invalid,
    KeyReused,
    NotFound,
    NotOpen,
    OutOfReach,
    Overdue,
    Pending,
    Reserved,
    Taken,
)
from reservesvc.domain.rescheduling import terms_of
from reservesvc.domain.wish import Limits
from reservesvc.flow.fenced import fenced
from reservesvc.flow.reserve import UNLIMITED, claim_for, claim_slot
from reservesvc.flow.resync import ATTEMPTS, kept_cold
from reservesvc.flow.settle import settle
from reservesvc.flow.unsettle import Unindexed, unsettle_booking
from reservesvc.ports import Idempotency, Stores

ORDINARY = Limits()
_Decision = Changed | KeyReused | NotOpen | NotFound | Overdue | Taken
End = Changed | Invalid | KeyReused | NotFound | NotOpen | OutOfReach | Taken


class _Move(Struct, frozen=True):
    """Where a booking is to go, and who asks."""

    state: str
    asked: Asked
    idempotency: Idempotency | None = None


async def act(
    stores: Stores,
    booking_id: str,
    action: str,
    inputs: Inputs | None = None,
    limits: Limits = ORDINARY,
    *,
    errors: dict[str, list[str]] | None = None,
    idempotency: Idempotency | None = None,
) -> End:
    """Move the booking along its graph; a slot it no longer needs is free at once.

    Asked for again with the same inputs, the last action changes nothing, and the booking is
    the answer. A timer that has run out goes before any later request: what it asks for is
    done before the action is looked at.

    Args:
        stores: to ask.
        booking_id: which booking.
        action: one of its graph's; `NotOpen` where it is not open in its state.
        inputs: what was sent along, kept with the booking.
        limits: how long a claim on a slot may take.
        errors: what is wrong with what was sent along, by field.
        idempotency: the key that the request came with; remembered if the booking is changed.

    Raises:
        UnavailableError: nothing was changed.
        OutcomeUnknownError: reading the booking tells.

    """
    for _ in range(ATTEMPTS):
        booking = await stores.bookings.booking(booking_id)
        if booking is None:
            return NotFound(model="Booking", id=booking_id)
        # Asked after the booking was read: if the key has changed nothing by now, then the
        # state that was read is not its doing.
        earlier = await _done_by_key(stores, idempotency)
        if earlier is not None:
            return earlier
        state = booking.life.next_state(booking.state, action)
        if state is None:
            is_done = not errors and is_repeat(booking, action, inputs)
            return Changed(booking=booking, repeated=True) if is_done else _not_open(booking)
        if errors:
            return Invalid(errors=errors)
        move = _Move(state, Asked(inputs=inputs), idempotency)
        outcome = await _change(stores, limits, booking, move)
        if isinstance(outcome, Changed | KeyReused | Taken | OutOfReach):
            return outcome
        if isinstance(outcome, Overdue):
            await take_due(stores, outcome.booking, limits)
        # Somebody else changed the booking or its index meanwhile: look again.
    raise kept_cold(booking_id)


async def _done_by_key(
    stores: Stores, idempotency: Idempotency | None
) -> Changed | KeyReused | None:
    """Return how the first request with the key ended, or None where it changed nothing yet."""
    found = await stores.bookings.changed_by_key(idempotency.digest) if idempotency else None
    if found is None or idempotency is None:
        return None
    made = idempotency.judge(found)
    return made if isinstance(made, KeyReused) else Changed(booking=made, repeated=True)


def _not_open(booking: Booking) -> NotOpen:
    return NotOpen(booking=booking, open_actions=tuple(booking.open_actions))


async def take_due(
    stores: Stores, booking: Booking, limits: Limits = ORDINARY
) -> _Decision | FenceMoved | OutOfReach | None:
    """Make the move that the booking's timer asks for, if it is due and nobody has made it.

    None where its state has no timer.

    Raises:
        UnavailableError: nothing was changed.
        OutcomeUnknownError: the next look tells.

    """
    if booking.due_state is None:
        return None
    return await _change(stores, limits, booking, _Move(booking.due_state, Asked(by_itself=True)))


async def _change(
    stores: Stores, limits: Limits, booking: Booking, move: _Move
) -> _Decision | FenceMoved | OutOfReach:
    """Change the booking's state, by the way that the slot asks for."""
    blocks = replace(booking, state=move.state).blocks
    if blocks == booking.blocks:
        return await _decide(stores, booking, move, None)
    if blocks:
        return await _claim(stores, limits, booking, move)
    return await _free(stores, booking, move)


async def _decide(
    stores: Stores, booking: Booking, move: _Move, pending: Pending | None
) -> _Decision | FenceMoved:
    """Let the booking store decide, and tell Redis where an entry waits for it."""
    fence, now_ms = (pending.fence, pending.now_ms) if pending else (None, None)
    change = stores.bookings.change_state
    decision = await change(booking, move.state, fence, now_ms, move.asked, move.idempotency)
    # Of the other answers somebody else's decision about the same entry may be the next one,
    # so it stays unsettled.
    if pending and isinstance(decision, Changed | NotOpen | NotFound):
        current = None if isinstance(decision, NotFound) else decision.booking
        await settle(stores, booking.entry, pending, current)
    return decision


async def _free(stores: Stores, booking: Booking, move: _Move) -> _Decision | FenceMoved:
    """Change the state with the booking's entry unsettled, if it needs one."""

    async def unsettle() -> Pending | Cold | NotOpen | NotFound | Unindexed:
        return await unsettle_booking(stores, booking)

    async def decide(pending: Pending) -> _Decision | FenceMoved:
        return await _decide(stores, booking, move, pending)

    outcome: _Decision | Unindexed = await fenced(stores, booking.resource_id, unsettle, decide)
    if isinstance(outcome, Unindexed):
        return await _decide(stores, booking, move, None)
    return outcome


async def _claim(
    stores: Stores, limits: Limits, booking: Booking, move: _Move
) -> _Decision | OutOfReach:
    """Claim the slot under the booking's entry, then change the state as a hand-off would.

    All who want the same of this booking share one claim, for its id is the booking's. After
    a failure it stays, to be repeated or to lapse.
    """
    resource = await stores.settings.resource(booking.resource_id)
    capacity = UNLIMITED if booking.double else resource.capacity
    claim = claim_for(terms_of(booking), booking.entry_id, limits.grace_ms)
    claimed = await claim_slot(stores, claim, capacity, None)
    if isinstance(claimed, Taken | OutOfReach):
        return claimed
    if not isinstance(claimed, Reserved):
        return NotOpen(booking=booking, open_actions=())  # it is booked under this id already
    reservation = claimed.reservation

    async def unsettle() -> Pending | Cold | Ended:
        return await stores.reservations.unsettle_reservation(reservation)

    async def decide(pending: Pending) -> _Decision | FenceMoved:
        return await _decide(stores, booking, move, pending)

    outcome: _Decision | Ended = await fenced(stores, booking.resource_id, unsettle, decide)
    if isinstance(outcome, Ended):
        return NotOpen(booking=booking, open_actions=())  # another made the move, or Redis forgot
    return outcome
