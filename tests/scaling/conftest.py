"""Sets of servers that tests share, and what every trial on them needs."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from reservesvc.reservations.cluster import ClusterPipelines
from tests.faults.conftest import holds
from tests.scaling.sets import ClusterSet, ReplicatedSet

__all__ = ["holds"]
DEADLINE_S = 2.0


@pytest.fixture(scope="session")
def primaries() -> Iterator[ClusterSet]:
    """Run a Cluster of three primaries without replicas; who kills one starts it again."""
    with ClusterSet(replicas=0) as running:
        yield running


@pytest.fixture(scope="session")
def replicated() -> Iterator[ReplicatedSet]:
    """Run a primary and a replica."""
    with ReplicatedSet() as running:
        yield running


@pytest_asyncio.fixture
async def cluster(primaries: ClusterSet) -> AsyncIterator[ClusterPipelines]:
    """Give the emptied Cluster as the service sees it."""
    for member in primaries.members:
        member.ask("FLUSHALL", "SYNC")
    pipelines = ClusterPipelines(primaries.url, DEADLINE_S)
    yield pipelines
    await pipelines.close()
