"""What a booking takes from its reservation, and what from the request that books it.

A booking of seats takes from its owner's what another takes from its reservation.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reservesvc.domain.booking import Booking
from reservesvc.domain.customer import broken
from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.reservation import Details, Reservation, ReservationId
from reservesvc.domain.settings import MAX_SEATS, SEATS_MAX, problems
from reservesvc.domain.wish import Wish


class Names(Struct, frozen=True, kw_only=True):
    """New names for a booking, its customer, and its entry where the reservation's is not it."""

    booking_id: str
    customer_id: str
    entry_id: str


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


def check_to_book(wish: Wish, graph: str, customer: dict[str, Any]) -> None:
    """Note which fields a booking needs and the request lacks, or has wrong.

    Args:
        wish: the request.
        graph: the one the booking is to follow; nothing is noted about one that is not there.
        customer: the booking's, whoever said so.

    """
    life = GRAPHS.get(graph)
    if life is None:
        return
    if life.needs_customer or customer:
        for name, rule in broken(customer).items():
            wish.wrong(f"customer.{name}", rule)
    for name, rule in problems(wish.settings or {}, is_group=life.is_group).items():
        wish.wrong(f"settings.{name}" if name == MAX_SEATS else name, rule)


def check_owner(wish: Wish, owner: Booking | None) -> None:
    """Note where the booking that `related.owner_booking_id` names is not what is wanted."""
    if owner is None or not owner.life.is_group:
        rule = "names no booking with seats; take the id of one with graph group_owner"
        wish.wrong("related.owner_booking_id", rule)
        return
    held = (
        ("resource_id", wish.resource_id, owner.resource_id),
        ("start", wish.start_ms, owner.start_ms),
        ("end", wish.end_ms, owner.end_ms),
    )
    for name, asked, is_held in held:
        if asked is not None and asked != is_held:
            wish.wrong(name, "disagrees with the owner's booking; leave it out")
    if wish.quantity is not None and not 1 <= wish.quantity <= SEATS_MAX:
        wish.wrong("quantity", f"must be from 1 to {SEATS_MAX} seats")


def customer_of(wish: Wish, details: Details) -> dict[str, Any]:
    """Return the customer: what the reservation knew, and on top what the request says."""
    return {**details.customer, **(wish.customer or {})}


def compose(
    reservation: Reservation, details: Details, wish: Wish, names: Names, now_ms: int
) -> Booking:
    """Return the booking that a caller's `reservation` becomes; `wish` goes before what it says."""
    graph = wish.graph or details.graph
    customer = customer_of(wish, details)
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
        customers=[{"id": names.customer_id, **customer}] if customer else [],
        meta=wish.meta or {},
        participants=wish.participants or [],
        settings=wish.settings or {},
        owner_booking_id=wish.owner_booking_id,
        from_reservation=True,
        created_ms=now_ms,
        updated_ms=now_ms,
    )


def booked_directly(booking: Booking, names: Names, *, double: bool) -> Booking:
    """Return `booking` as it is where its reservation was none of the caller's.

    Where it does not block at first it gets an entry of its own: the reservation's id is known
    to the caller, and what claims the slot later must be nobody's to give away.
    """
    direct = replace(booking, from_reservation=False, double=double)
    return direct if direct.blocks else replace(direct, entry_id=names.entry_id)


def compose_seat(owner: Booking, wish: Wish, graph: str, names: Names) -> Booking:
    """Return the booking of a customer of the group; the booking store sets its times."""
    reservation_id = ReservationId(owner.resource_id, names.entry_id)
    return Booking(
        id=names.booking_id,
        reservation_id=str(reservation_id),
        entry_id=names.entry_id,
        resource_id=owner.resource_id,
        project_id=wish.project_id or owner.project_id,
        graph=graph,
        state=GRAPHS[graph].first_state,
        start_ms=owner.start_ms,
        end_ms=owner.end_ms,
        quantity=wish.quantity or 1,
        what=owner.what if wish.what is None else wish.what,
        where=owner.where if wish.where is None else wish.where,
        description=owner.description if wish.description is None else wish.description,
        customers=[{"id": names.customer_id, **(wish.customer or {})}],
        meta=wish.meta or {},
        participants=wish.participants or [],
        settings=wish.settings or {},
        owner_booking_id=owner.id,
        created_ms=0,
        updated_ms=0,
    )
