"""`reservesvc doctor` beside real servers: silent while all is well, and right where it is not."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping

import asyncpg
import pytest

from tests.faults.bookings import made_of
from tests.faults.cluster import Cluster
from tests.faults.process import ROOT
from tests.faults.trial import Trial, slot_of, trial
from tests.faults.workload import Workload, capacities, slots
from tests.servers import free_port


async def doctor(cluster: Cluster, *flags: str, **changed: str) -> tuple[int, str, str]:
    """Run the command with the servers' own settings; return its exit status and what it said."""
    foreign = {name: value for name, value in os.environ.items() if "RESERVESVC_" not in name}
    settings: Mapping[str, str] = {
        "REDIS_URL": cluster.redis.url,
        "STORE_URL": cluster.bookings.url(),
        "DEADLINE_MS": str(round(cluster.terms.deadline_s * 1000)),
        "GRACE_MS": str(round(cluster.terms.grace_s * 1000)),
    } | changed
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "reservesvc", "doctor", *flags),
        cwd=ROOT,
        env=foreign | {f"RESERVESVC_{name}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, why = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(), why.decode()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_a_busy_service_is_well(engine: str) -> None:
    """While two servers are under load, nothing is called wrong, and nothing is disturbed."""
    async with trial(bookings=made_of(engine)) as made:
        await made.register(capacities("busy"))
        workload = Workload(made.client, slots("busy"), seed=1)
        workload.start()
        looks = [await doctor(made.cluster, "--json") for _ in range(2)]
        await workload.stop()
        assert [(status, json.loads(said)["is_well"], why) for status, said, why in looks] == [
            (0, True, "")
        ] * len(looks), looks
        assert await made.judge(slots("busy"), waiting_s=None) == []


async def test_what_a_crash_left_is_told_and_repaired() -> None:
    """A server died in a hand-off, somebody deleted an index: found, repaired, all well."""
    async with trial(bent=["kill before settle_booked"]) as made:
        crashed, deleted = slot_of("room-1"), slot_of("room-2")
        held = await made.client.reserve(crashed, 60, server=1)
        await made.client.hand_off(held, server=0)
        booked = await made.client.hand_off(
            await made.client.reserve(deleted, 60, server=1), server=1
        )
        assert booked.granted
        await _delete(made, f"slots:{{{deleted.resource_id}}}")
        status, said, _ = await doctor(made.cluster, "--json")
        kinds = {one["resource_id"]: one["kind"] for one in json.loads(said)["findings"]}
        assert (status, kinds) == (1, {"room-1": "committed", "room-2": "missing"})
        status, said, _ = await doctor(made.cluster, "--fix")
        assert (status, said.splitlines()[-2:]) == (0, ["Repaired: 2.", "All is well."])
        for slot in (crashed, deleted):
            assert not (await made.client.reserve(slot, 1, server=1)).granted
        assert (await made.client.hand_off(held, server=1)).granted


async def test_a_database_without_its_constraint_is_told() -> None:
    """Nothing can be promised of it: exit status 2, and which constraint it is."""
    async with trial(servers=1, bookings=made_of("postgres")) as made:
        connection = await asyncpg.connect(made.cluster.bookings.url())
        await connection.execute("ALTER TABLE bookings DROP CONSTRAINT bookings_exclusive")
        await connection.close()
        status, said, why = await doctor(made.cluster)
        assert (status, said) == (2, "")
        assert why == "reservesvc: store: the constraint bookings_exclusive is missing or invalid\n"


async def test_what_cannot_be_looked_at_is_told() -> None:
    """Redis is gone: exit status 2, a sentence, no password."""
    async with trial(servers=1) as made:
        url = f"redis://:s3cret@127.0.0.1:{free_port()}"
        status, said, why = await doctor(made.cluster, REDIS_URL=url)
        assert (status, said) == (2, "")
        assert why.startswith("reservesvc: redis: ")
        assert "s3cret" not in why


async def _delete(made: Trial, key: str) -> None:
    async with made.cluster.redis_client() as redis:
        assert await redis.delete(key) == 1
