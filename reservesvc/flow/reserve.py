"""reserve: hold a slot for a while."""

from reservesvc.domain.outcomes import (
    Cold,
    Ended,
    Invalid,
    KeyReused,
    OutOfReach,
    ReplayedEnded,
    Reserved,
    Taken,
)
from reservesvc.domain.project import unregistered
from reservesvc.domain.reservation import Claim, Details, ReservationId, document
from reservesvc.domain.slot import is_resource_id
from reservesvc.domain.wish import Limits, Terms, Wish, complete
from reservesvc.flow.ended import how_it_ended
from reservesvc.flow.resync import ATTEMPTS, kept_cold, resync
from reservesvc.ports import Idempotency, Stores

UNLIMITED = 2**31
"""as capacity: nothing is in the way of a double booking, which still gets its entry"""


async def reserve(
    stores: Stores, limits: Limits, wish: Wish, idempotency: Idempotency | None
) -> Reserved | Invalid | KeyReused | OutOfReach | Taken | Ended:
    """Hold the slot that `wish` asks for, if nothing blocks it.

    `Ended` answers a repeated Idempotency-Key whose reservation is no more: an expired hold
    does not come back to life, and a key makes one reservation only.
    """
    # Nearly always there is nothing to wait for, and no need to pay for a coroutine.
    resource = None if wish.project_id else stores.settings.known(wish.resource_id or "")
    if resource is None:
        terms, capacity = await settle_terms(stores, limits, wish)
    else:
        terms, capacity = complete(wish, None, resource, limits), resource.capacity
    if terms is None:
        return Invalid(errors=wish.errors)
    claim = claim_for(terms, stores.ids.ulid(), terms.duration_s * 1000)
    outcome = await stores.reservations.reserve(claim, capacity, idempotency)
    if isinstance(outcome, Reserved):
        return outcome
    if isinstance(outcome, Cold):
        await resync(stores, terms.resource_id)
        outcome = await claim_slot(stores, claim, capacity, idempotency)
    if isinstance(outcome, ReplayedEnded):
        return await how_the_first_ended(stores, terms.resource_id, outcome)
    return outcome


async def how_the_first_ended(stores: Stores, resource_id: str, replayed: ReplayedEnded) -> Ended:
    """Return how the reservation ended that an Idempotency-Key made when it first came."""
    reservation_id = ReservationId(resource_id, replayed.ulid)
    found = await stores.reservations.read(reservation_id)
    ended = found if isinstance(found, Ended) else Ended()
    return await how_it_ended(stores, reservation_id, ended)


async def settle_terms(stores: Stores, limits: Limits, wish: Wish) -> tuple[Terms | None, int]:
    """Return the terms that `wish` comes to and the capacity of its resource."""
    project = await stores.settings.project(wish.project_id) if wish.project_id else None
    resource_id = wish.resource_id
    if resource_id is None or not is_resource_id(resource_id):
        resource = _NO_RESOURCE
    else:
        resource = await stores.settings.resource(resource_id)
    return complete(wish, project, resource, limits), resource.capacity


_NO_RESOURCE = unregistered("")


def claim_for(terms: Terms, ulid: str, duration_ms: int) -> Claim:
    """Return the claim that asks for `terms` under the id `ulid`."""
    reservation_id = ReservationId(terms.resource_id, ulid)
    text = f"{terms.resource_id}.{ulid}"
    details = Details(
        id=text,
        reservation_id=text,
        resource_id=terms.resource_id,
        project_id=terms.project_id,
        duration=duration_ms // 1000,
        what=terms.what,
        where=terms.where,
        description=terms.description,
        customer=terms.customer,
        graph=terms.graph,
    )
    return Claim(
        id=reservation_id,
        start_ms=terms.start_ms,
        end_ms=terms.end_ms,
        quantity=terms.quantity,
        duration_ms=duration_ms,
        document=document(terms.start_ms, terms.end_ms, terms.quantity, details),
    )


async def claim_slot(
    stores: Stores, claim: Claim, capacity: int, idempotency: Idempotency | None
) -> Reserved | ReplayedEnded | KeyReused | OutOfReach | Taken:
    """Claim the slot on a warm index.

    Raises:
        UnavailableError: others kept making the index cold.

    """
    for _ in range(ATTEMPTS):
        outcome = await stores.reservations.reserve(claim, capacity, idempotency)
        if not isinstance(outcome, Cold):
            return outcome
        await resync(stores, claim.id.resource_id)
    raise kept_cold(claim.id.resource_id)
