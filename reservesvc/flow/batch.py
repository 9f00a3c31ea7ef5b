"""batch: many reservations in one request, each for itself or all or none.

For itself: everything is sent to Redis together, and every item has its own end.

All or none: the items are claimed one after the other, always in the same order, so that of
two carts that want the same slots one gets them all. A refusal gives back what the cart had
claimed before it is answered. The items of a cart share a ULID but for its last two
characters, which count them: the Idempotency-Key of a cart is kept with its first item, and
from that item's id a repeat knows all the others.
"""

from msgspec.structs import replace

from reservesvc.domain.outcomes import (
    CartEnded,
    CartRefused,
    CartReserved,
    Cold,
    Ended,
    Invalid,
    KeyReused,
    Live,
    OutOfReach,
    ReplayedEnded,
    Reserved,
    Taken,
)
from reservesvc.domain.reservation import Claim, Reservation, ReservationId, numbered
from reservesvc.domain.wish import Limits, Wish
from reservesvc.errors import UnavailableError
from reservesvc.flow.reserve import claim_for, claim_slot, how_the_first_ended, settle_terms
from reservesvc.flow.resync import ATTEMPTS, kept_cold, resync
from reservesvc.ports import Ask, Idempotency, Stores

Each = Reserved | Invalid | KeyReused | OutOfReach | Taken | Ended | UnavailableError


async def reserve_each(
    stores: Stores, limits: Limits, wishes: list[Wish], idempotency: Idempotency | None
) -> list[Each]:
    """Reserve each of `wishes` for itself; one that failed has its error in its place.

    A repeat under the same key answers each item as if it alone had been repeated.
    """
    ends: dict[int, Each] = {}
    asks: dict[int, Ask] = {}
    for place, wish in enumerate(wishes):
        terms, capacity = await settle_terms(stores, limits, wish)
        if terms is None:
            ends[place] = Invalid(errors=wish.errors)
        else:
            claim = claim_for(terms, stores.ids.ulid(), terms.duration_s * 1000)
            asks[place] = (claim, capacity, _pin(idempotency, place))
    for place, outcome in (await _claim_each(stores, asks)).items():
        if isinstance(outcome, ReplayedEnded):
            ends[place] = await _ended(stores, asks[place][0].id.resource_id, outcome)
        else:
            ends[place] = outcome
    return [ends[place] for place in range(len(wishes))]


async def reserve_all(
    stores: Stores, limits: Limits, wishes: list[Wish], idempotency: Idempotency | None
) -> CartReserved | CartRefused | CartEnded | KeyReused | Invalid:
    """Reserve all of `wishes` or none.

    Raises:
        UnavailableError: what was claimed is given back, or lapses where Redis does not hear.
        OutcomeUnknownError: repeating the request with its key tells.

    """
    ulid = stores.ids.ulid()
    claims: list[tuple[int, Claim, int]] = []
    errors: dict[str, list[str]] = {}
    for place, wish in enumerate(wishes):
        terms, capacity = await settle_terms(stores, limits, wish)
        if terms is None:
            errors |= {f"reservations.{place}.{name}": rules for name, rules in wish.errors.items()}
        else:
            claim = claim_for(terms, numbered(ulid, place), terms.duration_s * 1000)
            claims.append((place, claim, capacity))
    if errors:
        return Invalid(errors=errors)
    claims.sort(key=lambda row: (row[1].id.resource_id, row[1].start_ms, row[0]))
    return await _claim_all(stores, claims, idempotency)


async def _claim_each(
    stores: Stores, asks: dict[int, Ask]
) -> dict[int, Reserved | ReplayedEnded | KeyReused | OutOfReach | Taken | UnavailableError]:
    ends: dict[
        int, Reserved | ReplayedEnded | KeyReused | OutOfReach | Taken | UnavailableError
    ] = {}
    for _ in range(ATTEMPTS):
        outcomes = await stores.reservations.reserve_many(list(asks.values()))
        cold: dict[int, Ask] = {}
        for (place, ask), outcome in zip(asks.items(), outcomes, strict=True):
            if isinstance(outcome, Cold):
                cold[place] = ask
            else:
                ends[place] = outcome
        if not cold:
            return ends
        failed = await _resync_each(stores, [ask[0].id.resource_id for ask in cold.values()])
        asks = {}
        for place, ask in cold.items():
            error = failed.get(ask[0].id.resource_id)
            if error is None:
                asks[place] = ask
            else:
                ends[place] = error
    return ends | {place: kept_cold(ask[0].id.resource_id) for place, ask in asks.items()}


async def _resync_each(stores: Stores, resource_ids: list[str]) -> dict[str, UnavailableError]:
    """Make the indexes warm; return why those are not that could not be.

    The others' items may be reserved already: what fails here fails for its own items only.
    """
    failed: dict[str, UnavailableError] = {}
    for resource_id in dict.fromkeys(resource_ids):
        try:
            await resync(stores, resource_id)
        except UnavailableError as error:
            failed[resource_id] = error
    return failed


async def _ended(
    stores: Stores, resource_id: str, replayed: ReplayedEnded
) -> Ended | UnavailableError:
    try:
        return await how_the_first_ended(stores, resource_id, replayed)
    except UnavailableError as error:
        return error


async def _claim_all(
    stores: Stores, claims: list[tuple[int, Claim, int]], idempotency: Idempotency | None
) -> CartReserved | CartRefused | CartEnded | KeyReused:
    held: dict[int, Reservation] = {}
    pin = idempotency
    try:
        for place, claim, capacity in claims:
            outcome = await claim_slot(stores, claim, capacity, pin)
            if isinstance(outcome, KeyReused):
                return outcome
            if isinstance(outcome, ReplayedEnded) or (
                isinstance(outcome, Reserved) and outcome.replayed
            ):
                return await _replayed(stores, claims, outcome)
            if not isinstance(outcome, Reserved):
                await _give_back(stores, held, idempotency)
                return CartRefused(place=place, outcome=outcome)
            held[place] = outcome.reservation
            pin = None
    except UnavailableError:
        await _give_back(stores, held, idempotency)
        raise
    return CartReserved(reservations=[held[place] for place in sorted(held)])


async def _replayed(
    stores: Stores, claims: list[tuple[int, Claim, int]], first: Reserved | ReplayedEnded
) -> CartReserved | CartEnded:
    """Return the cart that an earlier request with this key reserved, if all of it lives."""
    ulid = first.ulid if isinstance(first, ReplayedEnded) else first.reservation.id.ulid
    found: dict[int, Reservation] = {}
    for place, claim, _ in claims:
        outcome = await stores.reservations.read(
            ReservationId(claim.id.resource_id, numbered(ulid, place))
        )
        if isinstance(outcome, Live):
            found[place] = outcome.reservation
    if len(found) < len(claims):
        return CartEnded(is_begun=bool(found))
    return CartReserved(reservations=[found[place] for place in sorted(found)], replayed=True)


async def _give_back(
    stores: Stores, held: dict[int, Reservation], idempotency: Idempotency | None
) -> None:
    """Release what the cart has so far, the first with its key last; or let it lapse."""
    try:
        for number, reservation in reversed(list(enumerate(held.values()))):
            await stores.reservations.release(reservation.id, idempotency if number == 0 else None)
    except UnavailableError:
        return


def _pin(idempotency: Idempotency | None, place: int) -> Idempotency | None:
    """Return the key of one item: each is remembered for itself."""
    return idempotency and replace(idempotency, digest=f"{idempotency.digest}-{place}")
