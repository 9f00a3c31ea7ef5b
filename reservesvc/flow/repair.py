"""repair: put right what `examine` found, as far as anybody can but the people concerned.

By the ways that requests go: a resync rebuilds an index from the booking store, a claim gives a
reservation its place back, a release ends one whose place is taken. Nothing is written by hand.
"""

from collections.abc import Iterable

from reservesvc.domain.finding import Finding
from reservesvc.domain.outcomes import Reserved
from reservesvc.domain.project import unregistered
from reservesvc.domain.reservation import Claim, Reservation, ReservationId
from reservesvc.flow.examine import without_entry
from reservesvc.flow.reserve import claim_slot
from reservesvc.flow.resync import resync
from reservesvc.ports import Stores


async def repair(stores: Stores, resource_id: str, findings: Iterable[Finding]) -> None:
    """Put right what can be, by the ways that requests go.

    Raises:
        UnavailableError: a store could not do its part; what is left can be repaired again.

    """
    remedies = [(finding.meaning.remedy, finding.entry) for finding in findings]
    if any(remedy == "resync" for remedy, _ in remedies):
        await resync(stores, resource_id)
    for remedy, entry in remedies:
        if remedy == "claim":
            await _claim_again(stores, ReservationId(resource_id, entry.id))


async def _claim_again(stores: Stores, reservation_id: ReservationId) -> None:
    """Give a reservation its entry back for the time it has left; release it where it is late."""
    reservation = await without_entry(stores, reservation_id)
    if reservation is None:
        return
    resource_id = reservation_id.resource_id
    resource = await stores.bookings.resource(resource_id) or unregistered(resource_id)
    outcome = await claim_slot(stores, _the_same(reservation), resource.capacity, None)
    if not isinstance(outcome, Reserved):
        await stores.reservations.release(reservation_id)


def _the_same(reservation: Reservation) -> Claim:
    return Claim(
        id=reservation.id,
        start_ms=reservation.start_ms,
        end_ms=reservation.end_ms,
        quantity=reservation.quantity,
        duration_ms=max(1, reservation.remaining_ms),
        document=reservation.rest,
    )
