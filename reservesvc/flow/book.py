"""book: turn a reservation into a booking (the hand-off), or book a free slot directly.

    unsettle (Redis) → one booking-store transaction under the fence → settle (Redis)

A crash between any two steps leaves an unsettled entry, and whoever meets that without
a live key asks the booking store (`resync`). A direct booking takes a short reservation
itself and hands it off: one path.
"""

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from reservesvc.domain.booking import Booking
from reservesvc.domain.graphs import DEFAULT_GRAPH, GRAPHS
from reservesvc.domain.handoff import (
    Names,
    booked_directly,
    check_to_book,
    compose,
    customer_of,
    mismatches,
)
from reservesvc.domain.outcomes import (
    Booked,
    Cold,
    Ended,
    FenceMoved,
    Invalid,
    KeyReused,
    Mismatch,
    NoSeat,
    OutOfReach,
    Pending,
    ReplayedEnded,
    Reserved,
    Taken,
)
from reservesvc.domain.reservation import Reservation, ReservationId
from reservesvc.domain.wish import Limits, Wish, check_graph, check_project
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.flow.fenced import fenced
from reservesvc.flow.reserve import UNLIMITED, claim_for, claim_slot, settle_terms
from reservesvc.flow.resync import ATTEMPTS, kept_cold
from reservesvc.flow.seat import take_seat
from reservesvc.flow.settle import give_back, settle
from reservesvc.ports import Idempotency, Stores


async def hand_off(
    stores: Stores, wish: Wish, reservation_id: ReservationId, idempotency: Idempotency | None
) -> Booked | Invalid | Mismatch | Ended | Taken | KeyReused:
    """Book what the reservation holds; repeating it answers with the same booking.

    `Taken` can only follow lost Redis data: until then the reservation keeps its slot.

    Raises:
        UnavailableError: nothing was booked; the reservation is as it was, or unsettled with
            its key, and the request can be repeated.
        OutcomeUnknownError: repeating the request tells.

    """
    earlier = await _booked_by_key(stores, idempotency)
    if earlier:
        return earlier
    found = await stores.reservations.read(reservation_id)
    if isinstance(found, Ended):
        return await _after_the_end(stores, reservation_id, found)
    refused = await _refusal(stores, wish, found.reservation)
    if refused:
        return refused
    return await _convert(stores, wish, found.reservation, idempotency)


async def book(
    stores: Stores, limits: Limits, wish: Wish, idempotency: Idempotency | None
) -> Booked | Invalid | KeyReused | NoSeat | OutOfReach | Taken:
    """Book a free slot, or seats of a group, without a reservation of the caller's own.

    Raises:
        UnavailableError: nothing was booked.
        OutcomeUnknownError: repeating the request with its Idempotency-Key tells.

    """
    earlier = await _booked_by_key(stores, idempotency)
    if earlier:
        return earlier
    graph = await _graph_of(stores, wish)
    if graph in GRAPHS and GRAPHS[graph].uses == "seat":
        return await take_seat(stores, wish, graph, idempotency)
    terms, capacity = await settle_terms(stores, limits, wish)
    is_double = await _is_double(stores, wish)
    if is_double:
        capacity = UNLIMITED
    check_to_book(wish, graph, wish.customer or {})
    if terms is None or wish.errors:
        return Invalid(errors=wish.errors)
    pin = idempotency
    for _ in range(ATTEMPTS):
        claim = claim_for(terms, stores.ids.ulid(), limits.grace_ms)
        outcome = await claim_slot(stores, claim, capacity, pin)
        if isinstance(outcome, Reserved):
            own = outcome.reservation.id
            decision = await _convert_own(
                stores, wish, outcome.reservation, idempotency, is_double=is_double
            )
        elif isinstance(outcome, ReplayedEnded):
            own = ReservationId(terms.resource_id, outcome.ulid)
            decision = await _after_the_end(stores, own, Ended())
        else:
            return outcome
        if not isinstance(decision, Ended):
            return decision
        # The reservation lapsed unbooked, or Redis lost it. All who repeat this request go on
        # under the same next key, so that one of them books.
        if idempotency is not None:
            pin = replace(idempotency, digest=f"{idempotency.digest}-{own.ulid}")
    raise kept_cold(terms.resource_id)


async def _graph_of(stores: Stores, wish: Wish) -> str:
    """Return the graph of a direct booking: the request says so, or else its project."""
    project = await stores.settings.project(wish.project_id) if wish.project_id else None
    default = project.booking.graph if project else None
    return wish.graph or default or DEFAULT_GRAPH


async def _is_double(stores: Stores, wish: Wish) -> bool:
    """Tell whether the slot may be taken already: the request says so, or else its project."""
    allowed = (wish.settings or {}).get("allow_double_bookings")
    if allowed is None and wish.project_id:
        project = await stores.settings.project(wish.project_id)
        allowed = project is not None and project.allow_double_bookings
    return bool(allowed)


async def _booked_by_key(
    stores: Stores, idempotency: Idempotency | None
) -> Booked | KeyReused | None:
    found = await stores.bookings.booking_by_key(idempotency.digest) if idempotency else None
    if found is None or idempotency is None:
        return None
    made = idempotency.judge(found)
    return made if isinstance(made, KeyReused) else Booked(booking=made, repeated=True)


async def _after_the_end(
    stores: Stores, reservation_id: ReservationId, ended: Ended
) -> Booked | Ended:
    """Return the booking that the reservation became, or how it ended without one."""
    booking = await stores.bookings.booking_by_reservation(str(reservation_id))
    if booking:
        return Booked(booking=booking, repeated=True)
    return ended if ended.state != "converted" else Ended()


async def _refusal(
    stores: Stores, wish: Wish, reservation: Reservation
) -> Invalid | Mismatch | None:
    """Check all that can be checked before anything is changed."""
    project = await stores.settings.project(wish.project_id) if wish.project_id else None
    check_project(wish, project)
    details = reservation.details()
    graph = wish.graph or details.graph
    check_graph(wish, graph)
    check_to_book(wish, graph, customer_of(wish, details))
    if wish.errors:
        return Invalid(errors=wish.errors)
    differing = mismatches(wish, reservation)
    return Mismatch(fields=differing) if differing else None


async def _convert(
    stores: Stores,
    wish: Wish,
    reservation: Reservation,
    idempotency: Idempotency | None,
    directly: Callable[[Booking, Names], Booking] | None = None,
) -> Booked | Ended | Taken | KeyReused:
    details, ids = reservation.details(), stores.ids
    names = Names(booking_id=ids.uuid(), customer_id=ids.uuid(), entry_id=ids.ulid())

    async def unsettle() -> Pending | Cold | Ended:
        return await stores.reservations.unsettle_reservation(reservation)

    async def decide(pending: Pending) -> Booked | Taken | KeyReused | FenceMoved:
        draft = compose(reservation, details, wish, names, pending.now_ms)
        draft = directly(draft, names) if directly else draft
        decision = await stores.bookings.book(draft, pending.fence, idempotency)
        if isinstance(decision, Booked):
            await settle(stores, reservation.entry, pending, decision.booking)
        # Taken changed nothing that could be settled: a request that repeats this one may be
        # booking the reservation right now, so its entry stays until its key lapses.
        return decision

    outcome: Booked | Taken | KeyReused | Ended = await fenced(
        stores, reservation.id.resource_id, unsettle, decide
    )
    if isinstance(outcome, Ended):
        return await _after_the_end(stores, reservation.id, outcome)
    return outcome


async def _convert_own(
    stores: Stores,
    wish: Wish,
    reservation: Reservation,
    idempotency: Idempotency | None,
    *,
    is_double: bool,
) -> Booked | Ended | Taken | KeyReused:
    """Hand off a reservation of our own; one that nobody else knows of is not left lying about.

    Requests that repeat a key share a reservation: as this one fails, another may be booking
    it. It stays to be repeated, or to lapse.
    """
    try:
        directly = partial(booked_directly, double=is_double)
        return await _convert(stores, wish, reservation, idempotency, directly)
    except OutcomeUnknownError:
        raise
    except UnavailableError:
        if idempotency is None:
            await give_back(stores, reservation)
        raise
