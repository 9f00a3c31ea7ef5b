"""Row of the fault matrix: a PgBouncer that dies between servers and database."""

from tests.faults.bookings import PooledDatabase, need
from tests.faults.conftest import Holds
from tests.faults.process import in_background
from tests.faults.trial import slot_of, trial
from tests.pgbouncer import PACKAGE, binary
from tests.programs import needed

SLOT, OTHER = slot_of("room-1"), slot_of("room-1", 12)


async def test_a_pgbouncer_that_is_killed(holds: Holds) -> None:
    """Hand-offs are a 503 and reserving goes on; with the pooler back, so does the hand-off."""
    need("postgres")
    needed(binary, PACKAGE)
    store = PooledDatabase()
    async with trial(bookings=store, servers=1) as made:
        client = made.client
        booked = await client.hand_off(await client.reserve(SLOT, 60))
        held = await client.reserve(OTHER, 60)
        async with made.fault("PgBouncer killed"):
            store.pooler.kill()
            failed = await client.hand_off(held)
            reserved = await client.reserve(slot_of("room-1", 14), 5)
            assert await client.request(0, "GET", "/readyz") == 503
            await in_background(store.pooler.start)
        assert (failed.status, failed.says_when) == (503, True)
        assert reserved.granted
        assert await client.request(0, "GET", f"/v2/bookings/{booked.booking_id}") == 200
        assert (await client.hand_off(held)).granted
        await holds(made, [SLOT, OTHER, slot_of("room-1", 14)])
