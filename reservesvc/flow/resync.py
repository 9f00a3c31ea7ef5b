"""resync: rebuild a resource's index from the booking store; the one recovery path.

The order is what makes it safe. The ticket is taken first, so that of two resyncs the one
that began later wins. Raising the fence, in the transaction that reads the bookings, makes
every booking-store change that was prepared before fail and start again: none can slip in
between the snapshot and its installation.
"""

import asyncio

from reservesvc.domain.outcomes import Busy
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.ports import Stores

ATTEMPTS = 64
"""How often a verb starts again; enough to outwait a server that died in a resync."""
BUSY_S = 0.01
"""How long to wait for another server's resync before looking again."""


async def resync(stores: Stores, resource_id: str) -> None:
    """Make the resource's index warm, or give another server a moment to do so.

    One runs at a time for a resource in this process, and whoever needs it meanwhile waits
    for it: a thousand requests for a cold resource raise its fence once. It goes on when
    a caller gives up.
    """
    running = stores.resyncs.get(resource_id)
    if running is None:
        running = asyncio.create_task(_resync(stores, resource_id))
        stores.resyncs[resource_id] = running
        running.add_done_callback(lambda task: _done(stores, resource_id, task))
    await asyncio.shield(running)


async def _resync(stores: Stores, resource_id: str) -> None:
    try:
        begun = await stores.reservations.resync_begin(resource_id)
        if isinstance(begun, Busy):
            await asyncio.sleep(BUSY_S)
            return
        ticket, since_ms = begun
        snapshot = await stores.bookings.snapshot(resource_id, since_ms)
        await stores.reservations.resync_install(resource_id, ticket, snapshot)
    except OutcomeUnknownError as error:
        # Whether it happened matters to nobody: a resync can be repeated at any time.
        raise UnavailableError(error.dependency, error.detail) from error


def _done(stores: Stores, resource_id: str, task: asyncio.Task[None]) -> None:
    del stores.resyncs[resource_id]
    if not task.cancelled():
        task.exception()  # whoever waited has it; asyncio would log it where nobody did


def kept_cold(resource_id: str) -> UnavailableError:
    """Return the error of a verb that found the index cold at each of its attempts."""
    return UnavailableError("redis", f"the index of {resource_id} is being rebuilt")
