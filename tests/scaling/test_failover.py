"""Primaries are lost under load: no wrong answer, 503 meanwhile, and well again by itself."""

import asyncio
import os
import signal
from itertools import count

from tests.faults.bookings import made_of
from tests.faults.conftest import Holds
from tests.faults.history import Slot
from tests.faults.process import in_background
from tests.faults.trial import Trial, slot_of
from tests.faults.workload import Workload, capacities, slots
from tests.scaling.deployment import Deployment, deployed
from tests.scaling.scripts import slot_of_resource
from tests.scaling.sets import ClusterSet, ReplicatedSet, SentinelSet, until
from tests.scaling.test_routing import move

CLIENTS = 10
REST_S = 0.04
SEED = 20_261_122
GRANTS = 15
"""so many between two faults show that there is load"""


async def load(made: Trial, prefix: str, servers: int) -> Workload:
    """Let clients begin."""
    await made.register(capacities(prefix))
    workload = Workload(
        made.client, slots(prefix), SEED, servers=servers, clients=CLIENTS, rest_s=REST_S
    )
    workload.start()
    await worked(made)
    return workload


async def worked(made: Trial) -> None:
    """Wait until clients were granted some more."""
    before = granted(made)
    async with asyncio.timeout(20):
        while granted(made) < before + GRANTS:
            await asyncio.sleep(0.02)


def granted(made: Trial) -> int:
    """Return how many requests were granted so far."""
    return sum(op.granted for op in made.history.ops)


async def end(made: Trial, workload: Workload, holds: Holds, choice: list[Slot]) -> None:
    """Let clients stop, and judge."""
    await worked(made)
    await workload.stop()
    await holds(made, choice)


async def test_sentinels_lose_their_primary(holds: Holds) -> None:
    """Whoever takes over decides nothing by an index that may lack the last writes.

    One is killed, and one replaced as planned: there are two primaries for a while, and some
    servers call the one while others call the other.
    """
    running = SentinelSet()
    async with deployed(Deployment(running)) as made:
        workload = await load(made, "sentinel", servers=2)
        async with made.fault("primary killed", loses_data=True):
            await asyncio.to_thread(running.lose_primary)
        await worked(made)
        async with made.fault("planned failover", loses_data=True):
            await in_background(lambda: running.primary.start_as_replica(running.replica))
            await asyncio.to_thread(running.replace_primary, running.primary)
        await end(made, workload, holds, slots("sentinel"))


async def test_nothing_is_lost_that_replicas_were_waited_for(holds: Holds) -> None:
    """The same, and every reservation that was acknowledged is there afterwards."""
    running = SentinelSet()
    async with deployed(Deployment(running, settings={"REDIS_WAIT": 1})) as made:
        workload = await load(made, "waited", servers=2)
        async with made.fault("primary killed"):
            await asyncio.to_thread(running.lose_primary)
            # Until it has a replica, the new one promises nothing, and no server is ready.
            assert await made.client.request(0, "GET", "/readyz") == 503
            await in_background(lambda: running.primary.start_as_replica(running.replica))
        await end(made, workload, holds, slots("waited"))


async def test_three_servers_on_a_cluster_of_three(holds: Holds) -> None:
    """A primary killed, one replaced as planned, a slot moved: each under load, on PostgreSQL."""
    running, bookings = ClusterSet(), made_of("postgres")
    deployment = Deployment(running, bookings=bookings, servers=3)
    async with deployed(deployment) as made:
        prefix = spread(running)
        workload = await load(made, prefix, servers=3)
        slot = slot_of_resource(f"{prefix}-0")
        async with made.fault("primary killed", loses_data=True):
            old, new = await asyncio.to_thread(running.lose_owner, slot)
        await worked(made)
        async with made.fault("planned failover", loses_data=True):
            await in_background(old.start)
            await asyncio.to_thread(until, "it is no replica", old.has_synced)
            old.ask("CLUSTER", "FAILOVER")
            assert await asyncio.to_thread(running.promoted, slot, new) is old
        await worked(made)
        async with made.fault("slot moved"):
            target = next(member for member in running.primaries() if member is not old)
            await move(running, slot, target)
        assert len(running.primaries()) == 3
        await end(made, workload, holds, slots(prefix))


def spread(running: ClusterSet) -> str:
    """Return a prefix whose resources lie on all three primaries."""
    for number in count():
        prefix = f"cluster{number}"
        owners = {running.owner(slot_of_resource(slot.resource_id)) for slot in slots(prefix)}
        if len(owners) == 3:
            return prefix
    raise AssertionError


async def test_a_replica_that_stops_answering(holds: Holds) -> None:
    """Reservations are of unknown outcome, hand-offs go on, and a repeat tells what was."""
    running = ReplicatedSet()
    deployment = Deployment(running, servers=1, settings={"REDIS_WAIT": 1})
    async with deployed(deployment) as made:
        client, slot = made.client, slot_of("room-1")
        held = await client.reserve(slot_of("room-1", 15), 30)
        async with made.fault("replica stopped"):
            os.kill(running.replica.pid, signal.SIGSTOP)
            unsure = await client.reserve(slot, 30, key="key")
            assert (unsure.status, unsure.unknown, unsure.says_when) == (503, True, True)
            assert (await client.hand_off(held)).status == 201
            assert (await client.reserve(slot_of("room-1", 15), 30)).status == 409
            os.kill(running.replica.pid, signal.SIGCONT)
        repeat = await client.reserve(slot, 30, key="key")
        assert repeat.granted
        assert (await client.hand_off(repeat)).status == 201
        await holds(made, [slot, slot_of("room-1", 15)])
