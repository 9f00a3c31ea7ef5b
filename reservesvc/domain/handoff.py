"""What a booking takes from its reservation, and what from the request that books it."""

from typing import Any

from msgspec import Struct

from reservesvc.domain.booking import Booking
from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.reservation import Details, Reservation
from reservesvc.domain.wish import CUSTOMER_TO_BOOK, REQUIRED, Wish


class Names(Struct, frozen=True, kw_only=True):
    """New names for a booking and its customer."""

    booking_id: str
    customer_id: str


def mismatches(wish: Wish, reservation: Reservation) -> tuple[str, ...]:
    """Return which fields the request repeats with another value than the reservation's."""
    held = {
        "resource_id": (wish.resource_id, reservation.id.resource_id),
        "start": (wish.start_ms, reservation.start_ms),
        "end": (wish.end_ms, reservation.end_ms),
        "quantity": (wish.quantity, reservation.quantity),
    }
    return tuple(
        name for name, (asked, is_held) in held.items() if asked is not None and asked != is_held
    )


def check_customer(wish: Wish, customer: dict[str, Any]) -> None:
    """Note which fields the customer lacks to book."""
    for name in CUSTOMER_TO_BOOK:
        if not customer.get(name):
            wish.wrong(f"customer.{name}", f"{REQUIRED} to book")


def customer_of(wish: Wish, details: Details) -> dict[str, Any]:
    """Return the customer: what the reservation knew, and on top what the request says."""
    return {**details.customer, **(wish.customer or {})}


def compose(
    reservation: Reservation, details: Details, wish: Wish, names: Names, now_ms: int
) -> Booking:
    """Return the booking that `reservation` becomes; what `wish` leaves out, it supplies."""
    graph = wish.graph or details.graph
    return Booking(
        id=names.booking_id,
        reservation_id=str(reservation.id),
        entry_id=reservation.id.ulid,
        resource_id=reservation.id.resource_id,
        project_id=wish.project_id or details.project_id,
        graph=graph,
        state=GRAPHS[graph].first_state,
        start_ms=reservation.start_ms,
        end_ms=reservation.end_ms,
        quantity=reservation.quantity,
        what=details.what if wish.what is None else wish.what,
        where=details.where if wish.where is None else wish.where,
        description=details.description if wish.description is None else wish.description,
        customers=[{"id": names.customer_id, **customer_of(wish, details)}],
        meta=wish.meta or {},
        participants=wish.participants or [],
        settings=wish.settings or {},
        owner_booking_id=wish.owner_booking_id,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
