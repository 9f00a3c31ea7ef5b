"""After a failover, and after one back, no index counts as built since: writes may be missing."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from reservesvc.domain.outcomes import Busy, Cold, Reserved
from reservesvc.errors import UnavailableError
from reservesvc.ids import RandomIds
from reservesvc.ports import Snapshot
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.store import RedisReservations, Times
from tests.builders import a_claim
from tests.scaling.conftest import DEADLINE_S
from tests.scaling.sets import Member, ReplicatedSet, until


class Seen:
    """A server as a process of the service sees it."""

    def __init__(self, member: Member) -> None:
        self.pipeline = Pipeline(f"redis://127.0.0.1:{member.port}", DEADLINE_S)
        self.store = RedisReservations(self.pipeline, Keys(), RandomIds(), Times())

    async def warm(self, fence: int) -> None:
        """Resync the room."""
        begun = await self.store.resync_begin("room-1")
        assert not isinstance(begun, Busy)
        assert await self.store.resync_install(
            "room-1", begun[0], Snapshot(fence=fence, bookings=[])
        )


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[tuple[Seen, Seen, ReplicatedSet]]:
    """Give a primary and its replica, of their own for they change places."""
    with ReplicatedSet() as running:
        both = Seen(running.primary), Seen(running.replica)
        yield *both, running
        for seen in both:
            await seen.pipeline.close()


def offset(member: Member) -> str:
    """Return how far it is in its history of writes."""
    return member.info("master_repl_offset")


def swap(old: Member, new: Member) -> None:
    """Let a replica that has everything be the primary, and its primary the replica."""
    until("it lacks writes", lambda: offset(new) == offset(old))
    new.ask("REPLICAOF", "NO", "ONE")
    old.ask("REPLICAOF", "127.0.0.1", new.port)
    until("it has not synced", old.has_synced)


async def test_an_index_is_cold_after_each_failover(pair: tuple[Seen, Seen, ReplicatedSet]) -> None:
    """Also on the first primary again, though its process never ended."""
    first, second, running = pair
    await first.warm(1)
    assert isinstance(await first.store.reserve(a_claim(), 1, None), Reserved)
    swap(running.primary, running.replica)
    assert isinstance(await second.store.index("room-1"), Cold)
    with pytest.raises(UnavailableError, match="is a replica"):
        await first.store.reserve(a_claim(12, 13), 1, None)
    swap(running.replica, running.primary)
    assert isinstance(await first.store.index("room-1"), Cold)
    await first.warm(2)
    index = await first.store.index("room-1")
    assert not isinstance(index, Cold)
    assert [row.has_key for row in index.entries] == [True]


async def test_a_replica_is_spoken_to_by_nobody(pair: tuple[Seen, Seen, ReplicatedSet]) -> None:
    """What it says may be old."""
    with pytest.raises(UnavailableError, match="is a replica"):
        await pair[1].store.index("room-1")


async def test_two_processes_agree_on_a_run_that_changed() -> None:
    """A primary that gets its first replica begins a new history on connections that last."""
    with Member() as primary:
        early = Seen(primary)
        await early.warm(1)
        with Member(primary) as replica:
            until("the replica has not synced", replica.has_synced)
            late = Seen(primary)
            assert isinstance(await late.store.index("room-1"), Cold)
            await late.warm(2)
            assert isinstance(await early.store.index("room-1"), Cold)
            await early.warm(3)
            for seen in (early, late):
                assert not isinstance(await seen.store.index("room-1"), Cold)
                await seen.pipeline.close()
