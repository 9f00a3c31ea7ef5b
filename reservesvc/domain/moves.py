"""Moves: how a booking gets from one state to the next, and when it may not."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from reservesvc.domain import settings
from reservesvc.domain.booking import Booking, Inputs
from reservesvc.domain.outcomes import NoSeat, NotOpen, Overdue


class Asked(Struct, frozen=True, kw_only=True):
    """What a move is asked for with."""

    inputs: Inputs | None = None
    """what the caller sent along"""
    by_itself: bool = False
    """the state's timer asks, and not a caller: the move is made only if it is due"""


_json = msgspec.json.Encoder(order="deterministic").encode
BY_CALLER = Asked()
UNFENCED = "a booking that claims its slot needs the fence its entry is unsettled under"


def untimely(
    current: Booking, read: Booking, state: str, clock_ms: int, asked: Asked
) -> NotOpen | Overdue | None:
    """Return why `current` must not move to `state` now, or None.

    Args:
        current: the booking as it is.
        read: as it was when the move was decided on.
        state: where it is to go.
        clock_ms: the booking store's clock.
        asked: who asks.

    """
    if not current.is_as(read) or (asked.by_itself and not current.is_due(clock_ms)):
        return NotOpen(booking=current, open_actions=())
    if not asked.by_itself and current.is_due(clock_ms) and state != current.due_state:
        return Overdue(booking=current)
    return None


def is_repeat(booking: Booking, action: str, inputs: Inputs | None) -> bool:
    """Tell whether `action` was the last that the booking took, with the same inputs.

    Args:
        booking: as it is.
        action: what is asked for.
        inputs: what was sent along this time.

    """
    if not booking.life.leads_to(action, booking.state):
        return False
    sent, kept = (inputs or {}).get(action), booking.inputs.get(action)
    # As JSON, for in Python 1, 1.0 and true are equal.
    return _json(sent or {}) == _json(kept or {})


def moved(
    current: Booking, state: str, clock_ms: int, now_ms: int | None, inputs: Inputs | None
) -> Booking:
    """Return the booking in its next state.

    Args:
        current: the booking as it is.
        state: one of its graph's.
        clock_ms: the booking store's clock, from which timers are counted.
        now_ms: when it moves, where another clock says so.
        inputs: what was sent along; kept beside what came with earlier actions.

    Raises:
        ValueError: it would take its seat again; no graph asks for that, and nobody counts it.

    """
    changed = replace(
        current,
        state=state,
        inputs=current.inputs | (inputs or {}),
        updated_ms=clock_ms if now_ms is None else now_ms,
    )
    if changed.seated and not current.seated:
        message = f"{current.graph}: {current.state} to {state} would take a seat again"
        raise ValueError(message)
    return replace(changed, due_ms=changed.due_from(clock_ms))


def following(owner: Booking, customers: Iterable[Booking]) -> list[tuple[Booking, str]]:
    """Return which customers of a group move as `owner` comes into its state, and where to."""
    actions = owner.life.state(owner.state).moves_customers
    pairs = ((customer, _first_open(customer, actions)) for customer in customers)
    return [(customer, state) for customer, state in pairs if state is not None]


def _first_open(customer: Booking, actions: tuple[str, ...]) -> str | None:
    ways = (customer.life.next_state(customer.state, action) for action in actions)
    return next((state for state in ways if state is not None), None)


def seated_with(draft: Booking, owner: Booking, clock_ms: int) -> Booking:
    """Return the draft of a customer's booking with what it shares with its owner's."""
    seated = replace(
        draft,
        resource_id=owner.resource_id,
        start_ms=owner.start_ms,
        end_ms=owner.end_ms,
        created_ms=clock_ms,
        updated_ms=clock_ms,
    )
    return replace(seated, due_ms=seated.due_from(clock_ms))


def no_seat(owner: Booking, wanted: int, taken: int, clock_ms: int) -> NoSeat | None:
    """Return why `wanted` more seats of the group cannot be had, or None."""
    state = owner.life.state(owner.state)
    if not state.takes_customers or owner.is_due(clock_ms):
        return NoSeat(owner=owner, seats_left=0, is_closed=True)
    left = max(0, settings.max_seats(owner.settings) - taken)
    return NoSeat(owner=owner, seats_left=left, is_closed=False) if wanted > left else None
