"""examine: compare what Redis and the booking store say about a resource; change nothing.

What is found is true of a moment: a hand-off under way looks like a broken one, so whoever
asks looks again later and goes by what both times have in common.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from reservesvc.domain.finding import Finding, Kind, crowded
from reservesvc.domain.outcomes import Cold, Live
from reservesvc.domain.project import unregistered
from reservesvc.domain.reservation import Reservation, ReservationId
from reservesvc.flow.tidy import disagreements
from reservesvc.ports import Index, Snapshot, Stores


class Examination(Struct, frozen=True, kw_only=True):
    """What there is of a resource, and what of it is not as it should be."""

    findings: frozenset[Finding]
    is_cold: bool
    """its index decides nothing and was not compared; its next request rebuilds it"""
    bookings: int
    reservations: int


async def examine(
    stores: Stores, resource_id: str, since_ms: int, keyed: Sequence[ReservationId]
) -> Examination:
    """Return what is to be said about the resource.

    Args:
        stores: to be compared.
        resource_id: whose index and bookings.
        since_ms: of a cold resource, bookings that ended by then are left out.
        keyed: its reservations whose keys were found, to look for their entries.

    Raises:
        UnavailableError: a store could not be asked.

    """
    found = await stores.reservations.index(resource_id)
    index = None if isinstance(found, Cold) else found
    since_ms = index.since_ms if index else since_ms
    snapshot = await stores.bookings.blocking(resource_id, since_ms)
    findings = await _crowds(stores, resource_id, snapshot, index)
    if index:
        findings += _differences(index, snapshot)
        findings += await _unindexed(stores, index, keyed)
    held = [row for row in index.entries if row.has_key] if index else keyed
    return Examination(
        findings=frozenset(findings),
        is_cold=index is None,
        bookings=len(snapshot.bookings),
        reservations=len(held),
    )


def _differences(index: Index, snapshot: Snapshot) -> list[Finding]:
    booking_ids = {booking.entry: booking.booking_id for booking in snapshot.bookings}
    findings = [
        Finding(differs, entry, booking_ids.get(entry))
        for differs, entry in disagreements(index, snapshot)
    ]
    for row in index.entries:
        if row.kind == "unsettled" and row.has_key:
            booking_id = booking_ids.get(row.entry)
            kind: Kind = "committed" if booking_id else "undecided"
            findings.append(Finding(kind, row.entry, booking_id))
    return findings


async def _crowds(
    stores: Stores, resource_id: str, snapshot: Snapshot, index: Index | None
) -> list[Finding]:
    resource = await stores.bookings.resource(resource_id) or unregistered(resource_id)
    booking_ids = {booking.entry: booking.booking_id for booking in snapshot.bookings}
    rows = index.entries if index else []
    held = {row.entry for row in rows if row.has_key} - booking_ids.keys()
    suspects = crowded(held | booking_ids.keys(), resource.capacity)
    doubles = {
        entry
        for entry in suspects & booking_ids.keys()
        if await _is_double(stores, booking_ids[entry])
    }
    counted = booking_ids.keys() - doubles
    overbooked = crowded(counted, resource.capacity)
    contested = crowded(counted | held, resource.capacity) & held
    return [
        *(Finding("overbooked", entry, booking_ids[entry]) for entry in overbooked),
        *(Finding("contested", entry) for entry in contested),
    ]


async def _is_double(stores: Stores, booking_id: str) -> bool:
    """Tell whether the booking stands outside of the count, or is no more."""
    booking = await stores.bookings.booking(booking_id)
    return booking is None or booking.double


async def _unindexed(stores: Stores, index: Index, keyed: Iterable[ReservationId]) -> list[Finding]:
    """Return the reservations that live and have no place in the index."""
    known = {row.entry.id for row in index.entries}
    suspects = [reservation_id for reservation_id in keyed if reservation_id.ulid not in known]
    found = [await without_entry(stores, reservation_id) for reservation_id in suspects]
    return [Finding("unindexed", reservation.entry) for reservation in found if reservation]


async def without_entry(stores: Stores, reservation_id: ReservationId) -> Reservation | None:
    """Return the reservation if it lives and the index lacks it for certain."""
    before = await stores.reservations.read(reservation_id)
    if not isinstance(before, Live):
        return None
    entry = before.reservation.entry
    now = await stores.reservations.index(entry.resource_id, entry.start_ms)
    if isinstance(now, Cold) or any(row.entry.id == entry.id for row in now.entries):
        return None
    # Key and entry come and go together: if the key is still there, it was there without one.
    after = await stores.reservations.read(reservation_id)
    return after.reservation if isinstance(after, Live) else None
