"""Row of the fault matrix: a thousand clients, one slot, the same instant, two servers."""

import asyncio
import resource
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.bookings import ENGINES, made_of
from tests.faults.conftest import Holds
from tests.faults.trial import slot_of, trial

CLIENTS = 1_000
FILES = 4_096
SLOT = slot_of("room-1")


@pytest.fixture
def _many_files() -> Iterator[None]:
    """Let us and our servers open a thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_files")
@pytest.mark.parametrize("capacity", [1, 3])
async def test_as_many_reserve_as_there_is_room_for(capacity: int, holds: Holds) -> None:
    """Exactly the capacity wins, every loser is told 409."""
    async with trial(deadline_ms=5_000, grace_ms=10_000) as made:
        await made.register({"room-1": capacity})
        claims = (made.client.reserve(SLOT, 60, server=i % 2) for i in range(CLIENTS))
        statuses = Counter(op.status for op in await asyncio.gather(*claims))
        assert statuses == {201: capacity, 409: CLIENTS - capacity}
        await holds(made, [SLOT])


@pytest.mark.usefixtures("_many_files")
@pytest.mark.parametrize("engine", ENGINES)
async def test_one_books_directly(engine: str, holds: Holds) -> None:
    """One booking, 999 times 409; no deadlock in the database's log."""
    async with trial(deadline_ms=5_000, grace_ms=10_000, bookings=made_of(engine)) as made:
        bookings = (made.client.book(SLOT, f"b{i}", server=i % 2) for i in range(CLIENTS))
        statuses = Counter(op.status for op in await asyncio.gather(*bookings))
        assert statuses == {201: 1, 409: CLIENTS - 1}
        await holds(made, [SLOT])
