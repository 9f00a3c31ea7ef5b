"""Rows of the fault matrix under load: clients go on while a fault strikes, again and again."""

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.bookings import made_of
from tests.faults.cluster import Cluster
from tests.faults.conftest import Holds
from tests.faults.nemesis import FAULTS, Scene, strike
from tests.faults.trial import Trial
from tests.faults.workload import Workload, capacities, slots

CLIENTS = 10
REST_S = 0.04
ROUNDS = {
    "server killed": 2,
    "server paused": 2,
    "server stopped": 2,
    "Redis killed, back with its AOF": 3,
    "Redis killed, back empty": 3,
    "FLUSHALL": 10,
    "SCRIPT FLUSH": 6,
    "Redis paused": 1,
    "Redis blocked by a script": 1,
    "Redis out of memory": 2,
    "eviction policy changed": 2,
    "replies cut": 4,
    "connection reset": 8,
    "connection refused": 1,
    "replies stalled": 1,
    "network parted": 2,
    "2 s of latency": 1,
    "booking store locked": 2,
    "clients hang up": 2,
    "booking store killed": 2,
    "booking store: replies cut": 3,
    "booking store: connections reset": 6,
    "booking store: network parted": 2,
    "booking store: slow": 1,
}
"""how often each strikes: what is over at once strikes more often"""
BETWEEN_S = (0.05, 0.3)


ROWS = [
    *(("sqlite", name) for name, fault in FAULTS.items() if not fault.needs_server),
    *(("postgres", name) for name in FAULTS if name.startswith("booking store")),
]
"""what strikes on which engine; PostgreSQL meets the other faults in chaos"""


def test_every_fault_has_a_row() -> None:
    """What chaos can do, each by itself is tested as well."""
    assert ROUNDS.keys() == FAULTS.keys() == {name for _, name in ROWS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """Run the servers that all rows of an engine share; each row has slots of its own."""
    async with Cluster(appendonly=True, bookings=made_of(request.param)) as running:
        yield running


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("cluster", "name"), ROWS, indirect=["cluster"])
async def test_every_promise_holds(cluster: Cluster, name: str, holds: Holds) -> None:
    """Whatever strikes, all promises hold, and errors end with the fault."""
    made, prefix = Trial(cluster), f"load-{[*FAULTS].index(name)}"
    try:
        await under_load(made, name, prefix)
        assert sum(op.granted for op in made.history.ops) > 20
        await holds(made, slots(prefix))
    finally:
        await made.close()


async def under_load(made: Trial, name: str, prefix: str, seed: int = 20_261_122) -> None:
    """Let a fault strike some times while clients work."""
    workload = Workload(made.client, slots(prefix), seed, clients=CLIENTS, rest_s=REST_S)
    scene = Scene(made, workload, random.Random(seed))  # noqa: S311 - whom to hit
    await made.register(capacities(prefix))
    workload.start()
    for _ in range(ROUNDS[name]):
        await scene.lasts(*BETWEEN_S)
        await strike(FAULTS[name], scene)
    await scene.lasts(*BETWEEN_S)
    await workload.stop()
