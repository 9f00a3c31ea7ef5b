"""How each verb can end: frozen values, matched exhaustively, one sentence each.

Where two would be true at once, the one further up wins.
"""

from typing import Literal

from msgspec import Struct

from reservesvc.domain.booking import Booking
from reservesvc.domain.reservation import Reservation

EndState = Literal["expired", "released", "converted"]
Blocker = Literal["reserved", "booked"]


class Outcome(Struct, frozen=True, kw_only=True, gc=False):
    """An expected end of a verb."""


class Invalid(Outcome, frozen=True, kw_only=True):
    """The request breaks rules; every field that does is named."""

    errors: dict[str, list[str]]


class KeyReused(Outcome, frozen=True, kw_only=True):
    """The Idempotency-Key was used before, for a request with another body."""


class Past(Outcome, frozen=True, kw_only=True):
    """The slot ended longer ago than the index reaches back."""

    earliest_ms: int


class TooFar(Outcome, frozen=True, kw_only=True):
    """The slot ends later than the service takes reservations for."""

    latest_ms: int


OutOfReach = Past | TooFar
"""the slot is not in the span of time that can be reserved"""


class Cold(Outcome, frozen=True, kw_only=True):
    """The index cannot judge the slot; resync the resource and ask again."""


class Busy(Outcome, frozen=True, kw_only=True):
    """Another server is resyncing the resource; look again in a moment."""


class Taken(Outcome, frozen=True, kw_only=True):
    """Something blocks the slot."""

    by: Blocker
    retry_after_ms: int | None = None
    """when the earliest reservation in the way lapses; None behind a booking"""


class Reserved(Outcome, frozen=True, kw_only=True):
    """The slot is held."""

    reservation: Reservation
    replayed: bool = False
    """the reservation is the one an earlier request with this Idempotency-Key made"""


class CartReserved(Outcome, frozen=True, kw_only=True):
    """Every item of the cart is held."""

    reservations: list[Reservation]
    """in the order they were asked for"""
    replayed: bool = False
    """an earlier request with this Idempotency-Key made them"""


class CartRefused(Outcome, frozen=True, kw_only=True):
    """One item could not be had, so none is held."""

    place: int
    """which one, counted from 0"""
    outcome: OutOfReach | Taken


class CartEnded(Outcome, frozen=True, kw_only=True):
    """The cart an earlier request with this Idempotency-Key made is not all there."""

    is_begun: bool
    """part of it lives: it is being reserved right now, or it is lapsing"""


class Live(Outcome, frozen=True, kw_only=True):
    """The reservation exists."""

    reservation: Reservation


class Ended(Outcome, frozen=True, kw_only=True):
    """The reservation no longer exists, or never did."""

    state: EndState = "expired"
    ended_ms: int | None = None
    booking_id: str | None = None


class ReplayedEnded(Outcome, frozen=True, kw_only=True):
    """The reservation an earlier request with this Idempotency-Key made has ended."""

    ulid: str


class Unsettled(Outcome, frozen=True, kw_only=True):
    """The booking store is deciding the entry's fate right now."""


class ExtensionLimit(Outcome, frozen=True, kw_only=True):
    """The reservation would outlive the longest life a reservation may have."""

    latest_ms: int


class Extended(Outcome, frozen=True, kw_only=True):
    """The deadline is at least as late as asked for."""

    reservation: Reservation


class Released(Outcome, frozen=True, kw_only=True):
    """The slot is free again."""


class Pending(Outcome, frozen=True, kw_only=True):
    """The entry is unsettled under our nonce; the store may now decide."""

    fence: int
    nonce: str
    now_ms: int
    reservation: Reservation | None = None


class FenceMoved(Outcome, frozen=True, kw_only=True):
    """A resync came in between; start again at `unsettle`."""


class Mismatch(Outcome, frozen=True, kw_only=True):
    """The hand-off repeats a field of the reservation and disagrees with it."""

    fields: tuple[str, ...]


class Booked(Outcome, frozen=True, kw_only=True):
    """The booking stands in the booking store."""

    booking: Booking
    repeated: bool = False
    """it stood there before this request"""


class Changed(Outcome, frozen=True, kw_only=True):
    """The booking is in its new state."""

    booking: Booking
    repeated: bool = False
    """an earlier request had changed it; this one changed nothing"""


class Rescheduled(Outcome, frozen=True, kw_only=True):
    """The booking is in its new slot, and its old one is free."""

    booking: Booking
    repeated: bool = False
    """it was there before this request"""


class NotOpen(Outcome, frozen=True, kw_only=True):
    """The action is not open in the booking's state."""

    booking: Booking
    open_actions: tuple[str, ...]


class Overtaken(Outcome, frozen=True):
    """What was to be replaced is not as it was read: somebody changed it meanwhile."""


class NotFinal(Outcome, frozen=True, kw_only=True):
    """Something can still come of the booking; only one that is over can be deleted."""

    booking: Booking
    ending_actions: tuple[str, ...]
    """the actions after which it is over"""


class Deleted(Outcome, frozen=True, kw_only=True):
    """The booking is no more."""


class Overdue(Outcome, frozen=True, kw_only=True):
    """The booking's timer has run out: that move comes before any other."""

    booking: Booking


class NoSeat(Outcome, frozen=True, kw_only=True):
    """The group takes nobody in its state, or has fewer seats left than were asked for."""

    owner: Booking
    seats_left: int
    is_closed: bool
    """it takes nobody; else it is only too full"""


class NotFound(Outcome, frozen=True, kw_only=True):
    """There is nothing with this id."""

    model: Literal["Booking", "Project", "Resource"]
    id: str
