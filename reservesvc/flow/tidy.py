"""tidy: put right what nobody asks for.

Whoever meets an entry that a crash left behind has it put right by a resync. What nobody
meets waits, and blocks nobody; this finds it. The index is compared with the booking store,
twice with a pause between: what differs for a moment is a hand-off under way.
"""

import asyncio
from typing import Literal

from reservesvc.domain.difference import Difference, differences
from reservesvc.domain.outcomes import Cold
from reservesvc.flow.resync import resync
from reservesvc.ports import Index, Snapshot, Stores

LOOK_AGAIN_S = 1.0
"""How long a difference has to last; longer than an entry is between store and index"""


async def tidy(stores: Stores, resource_id: str) -> Literal["clean", "cold", "resynced"]:
    """Resync the resource if its index and the booking store disagree.

    A cold index is left cold: it decides nothing, and its next request rebuilds it. Two servers
    that do this at once do no harm: the second finds nothing, or resyncs once more.

    Raises:
        UnavailableError: a store could not be asked; nothing is worse than before.

    """
    found = await _look(stores, resource_id)
    if not found:
        return "clean" if found is not None else "cold"
    await asyncio.sleep(LOOK_AGAIN_S)
    again = await _look(stores, resource_id)
    if not again or found.isdisjoint(again):
        return "clean"
    await resync(stores, resource_id)
    return "resynced"


async def _look(stores: Stores, resource_id: str) -> set[Difference] | None:
    """Return what differs; None where the index is cold."""
    index = await stores.reservations.index(resource_id)
    if isinstance(index, Cold):
        return None
    return disagreements(index, await stores.bookings.blocking(resource_id, index.since_ms))


def disagreements(index: Index, snapshot: Snapshot) -> set[Difference]:
    """Return what differs between an index and what the booking store says."""
    rows = index.entries
    return differences(
        booked=(booking.entry for booking in snapshot.bookings),
        # Bookings that ended long ago are in no snapshot, and may still be in the index.
        settled=(
            row.entry for row in rows if row.kind == "booked" and row.entry.end_ms > index.since_ms
        ),
        held=(row.entry for row in rows if row.kind == "unsettled" and row.has_key),
        lost=(row.entry for row in rows if row.kind == "unsettled" and not row.has_key),
    )
