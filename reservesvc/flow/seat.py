"""seat: book seats of a group. Its owner holds the slot, so nothing is asked of Redis."""

from reservesvc.domain.handoff import Names, check_owner, check_to_book, compose_seat
from reservesvc.domain.outcomes import Booked, Invalid, KeyReused, NoSeat, NotFound
from reservesvc.domain.wish import REQUIRED, Wish, check_project
from reservesvc.ports import Idempotency, Stores


async def take_seat(
    stores: Stores, wish: Wish, graph: str, idempotency: Idempotency | None
) -> Booked | Invalid | KeyReused | NoSeat:
    """Book the seats that `wish` asks for, if its group has as many left.

    Args:
        stores: to ask.
        wish: the request; what it leaves out is the owner's.
        graph: the one it follows.
        idempotency: the request's key.

    Raises:
        UnavailableError: nothing was booked.
        OutcomeUnknownError: repeating the request with its Idempotency-Key tells.

    """
    owner_id = (wish.owner_booking_id or "").lower()
    owner = await stores.bookings.booking(owner_id) if owner_id else None
    project = await stores.settings.project(wish.project_id) if wish.project_id else None
    check_project(wish, project)
    check_to_book(wish, graph, wish.customer or {})
    if not owner_id:
        wish.wrong("related.owner_booking_id", f"{REQUIRED} by graph {graph}")
    else:
        check_owner(wish, owner)
    if owner is None or wish.errors:
        return Invalid(errors=wish.errors)
    ids = stores.ids
    names = Names(booking_id=ids.uuid(), customer_id=ids.uuid(), entry_id=ids.ulid())
    outcome = await stores.bookings.take_seat(compose_seat(owner, wish, graph, names), idempotency)
    if isinstance(outcome, NotFound):  # deleted since it was read
        check_owner(wish, None)
        return Invalid(errors=wish.errors)
    return outcome
