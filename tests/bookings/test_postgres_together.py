"""PostgreSQL: who asks while a call is under way is booked by the next, each for itself."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from reservesvc.bookings import postgres_together, postgres_transaction
from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.postgres_together import TOGETHER_MAX, Sent, Together
from reservesvc.bookings.postgres_transaction import Session, Work
from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Booked, FenceMoved, Taken
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from tests.bookings.builders import at, booking
from tests.bookings.conftest import PATIENT
from tests.bookings.functions import OPEN_GATE, gate, until_waiting
from tests.postgres import Databases

TRANSACTIONS = "SELECT count(DISTINCT xmin::text) FROM bookings"
LOCK_ROOM = "SELECT FROM resource_fences WHERE resource_id = 'room-1' FOR UPDATE"


@pytest.fixture
async def store(databases: Databases, database: str) -> AsyncIterator[PostgresBookingStore]:
    """Open a store whose rooms 1 to 5 have been used, fences 1."""
    opened = await PostgresBookingStore.open(databases.of(database), patience=PATIENT)
    for number in range(1, 6):
        await opened.snapshot(f"room-{number}", 0)
    yield opened
    await opened.close()


def rooms(count: int) -> list[Booking]:
    """Return drafts of one slot after the other, in rooms 1 to 5 by turns."""
    return [at(n, n + 1, resource_id=f"room-{n % 5 + 1}") for n in range(count)]


async def test_many_at_once_share_their_commits(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """Two hundred who ask together are booked in few transactions, and told their own booking."""
    drafts = rooms(200)
    answers = await asyncio.gather(*(store.book(one, 1, None) for one in drafts))
    assert answers == [Booked(booking=one) for one in drafts]
    ((transactions,),) = await databases.rows(database, TRANSACTIONS)
    assert transactions <= 200 // TOGETHER_MAX + 2


async def test_each_is_judged_for_itself(store: PostgresBookingStore) -> None:
    """A repeat, a moved fence, a taken slot and a broken rule are their own; the rest is booked."""
    stands, late, free = at(0, 10), at(20, 30), at(40, 50)
    assert isinstance(await store.book(stands, 1, None), Booked)
    answers = await asyncio.gather(
        *(store.book(one, 1, None) for one in (stands, at(5, 15), at(60, 70, id=stands.id), free)),
        store.book(late, 7, None),
        store.book(at(40, 50), 1, None),
        return_exceptions=True,
    )
    assert answers[:2] == [Booked(booking=stands, repeated=True), Taken(by="booked")]
    assert type(answers[2]) is UnavailableError
    assert answers[3:] == [Booked(booking=free), FenceMoved(), Taken(by="booked")]


async def test_one_bad_value_fails_nobody_else(store: PostgresBookingStore) -> None:
    """What the database or its driver does not take is refused alone, the others are booked."""
    good = rooms(3)
    bad = [at(100, 101, what="nul\x00"), at(101, 102, what="\ud800")]
    answers = await asyncio.gather(
        *(store.book(one, 1, None) for one in (*bad, *good)), return_exceptions=True
    )
    assert [type(answer) for answer in answers[:2]] == [UnavailableError, UnicodeEncodeError]
    assert answers[2:] == [Booked(booking=one) for one in good]


async def test_a_bug_keeps_no_caller_waiting() -> None:
    """Whatever the transaction raises, those in it are sent alone, and the next have their turn."""
    errors: list[BaseException] = [TypeError("a bug"), KeyError("another")]

    async def carry(work: object, until_s: float) -> list[str]:
        del work, until_s
        await asyncio.sleep(0)
        raise errors.pop(0)

    together = Together(carry, patience_s=60)
    with capture_logs() as logged:
        async with asyncio.timeout(10):
            answers = await asyncio.gather(
                *(together.book(one, 1) for one in rooms(TOGETHER_MAX + 1))
            )
    assert answers == [Sent.AGAIN] * (TOGETHER_MAX + 1)
    assert not errors
    assert [line["event"] for line in logged] == ["booking_together_failed"] * 2


async def test_a_locked_resource_holds_nobody_else_up(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """The one that waits is sent alone; those who asked together with it are booked meanwhile."""
    keeper = await asyncpg.connect(databases.of(database))
    await keeper.execute("BEGIN")
    await keeper.execute(LOCK_ROOM)
    waits, *others = [asyncio.create_task(store.book(one, 1, None)) for one in rooms(5)]
    done, _ = await asyncio.wait(others, timeout=10)
    assert done == set(others)
    assert not waits.done()
    await keeper.execute("ROLLBACK")
    assert isinstance(await waits, Booked)
    await keeper.close()


async def test_a_refusal_takes_the_flush_from_nobody(databases: Databases, database: str) -> None:
    """A transaction with a refusal in it waits for the disk, for there may be bookings in it."""
    connection = await asyncpg.connect(databases.of(database))
    await connection.execute("INSERT INTO resource_fences VALUES ('room-1', 1, 0)")
    loop = asyncio.get_running_loop()
    asks = [postgres_together._Ask(at(0, 10), fence, loop.create_future()) for fence in (1, 7, 1)]
    await connection.execute("BEGIN")
    words = await postgres_together._booked(connection, asks)
    assert words == ["booked", "fence_moved", "taken"]
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    await connection.close()


async def test_a_lost_answer_is_looked_up_for_each(
    store: PostgresBookingStore,
    databases: Databases,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Booked, and the one answer lost: each asks again, and each is told its own as new."""
    act, losses = postgres_transaction.act, [1]

    async def lose(session: Session, work: Work[object], until_s: float) -> object:
        answer = await act(session, work, until_s)
        if losses:
            losses.pop()
            raise OutcomeUnknownError("store", "lost")
        return answer

    monkeypatch.setattr(postgres_transaction, "act", lose)
    drafts = rooms(20)
    answers = await asyncio.gather(*(store.book(one, 1, None) for one in drafts))
    assert not losses
    assert answers == [Booked(booking=one) for one in drafts]
    assert await databases.rows(database, "SELECT count(*) FROM bookings") == [(20,)]


async def test_what_nobody_can_look_at_is_unknown(
    store: PostgresBookingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer lost and the database gone: each is told that nobody knows, not that it failed."""
    failures = [OutcomeUnknownError("store", "lost")]

    async def fail(*_: object) -> object:
        raise failures.pop() if failures else UnavailableError("store", "gone")

    monkeypatch.setattr(postgres_transaction, "act", fail)
    answers = await asyncio.gather(
        *(store.book(one, 1, None) for one in rooms(3)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [OutcomeUnknownError] * 3


async def test_who_gives_up_before_the_turn_is_not_booked(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """A caller who goes away while another call is under way has asked for nothing."""
    first, gone, stays = rooms(3)
    async with gate(databases, database) as keeper:
        under_way = asyncio.create_task(store.book(first, 1, None))
        await until_waiting(databases, database, 1)
        waiting = [asyncio.create_task(store.book(one, 1, None)) for one in (gone, stays)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await keeper.execute(OPEN_GATE)
        assert isinstance(await under_way, Booked)
        assert isinstance(await waiting[1], Booked)
    assert await store.booking(gone.id) is None


async def test_a_turn_that_does_not_come_is_a_refusal() -> None:
    """Who was sent and got no answer has to look; who was not sent is refused for certain."""
    never = asyncio.Event()

    async def carry(_work: Work[list[str]], _until_s: float) -> list[str]:
        await never.wait()
        return []

    together = Together(carry, patience_s=0.05)
    sent = asyncio.create_task(together.book(booking(), 0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="did not answer in time"):
        await together.book(booking(), 0)
    assert await sent is Sent.AGAIN
