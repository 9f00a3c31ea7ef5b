"""PostgreSQL: whatever fails says so, changes nothing by halves, and is over when it is over."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import pytest

from reservesvc.bookings import (
    postgres_bookings,
    postgres_database,
    postgres_slots,
    postgres_transaction,
)
from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.postgres_database import ATTEMPTS, Patience
from reservesvc.bookings.postgres_errors import connect_reason, sentence
from reservesvc.bookings.postgres_together import Sent, Together
from reservesvc.bookings.postgres_transaction import Session, Work
from reservesvc.domain.booking import BookingQuery
from reservesvc.domain.outcomes import Booked, Changed, FenceMoved, Taken
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from tests.bookings.builders import at, booking, project
from tests.bookings.conftest import PATIENT
from tests.bookings.functions import gate, until_waiting
from tests.faults.proxy import FaultProxy
from tests.postgres import Databases, PostgresServer

HASTY = Patience.within(deadline_s=0.8)
"""call 0.6 s, acquire 0.2 s, statement 0.32 s, lock 0.24 s, idle 0.4 s"""
CALL_S = 0.6
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
IN_TRANSACTION = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'reservesvc' AND state <> 'idle'
"""
RAISE_SETTINGS = "UPDATE settings_version SET version = version + 1"
END_WAITING = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
)
LOCK_ROOM = "SELECT FROM resource_fences WHERE resource_id = 'room-1' FOR UPDATE"

Opening = Callable[..., Awaitable[PostgresBookingStore]]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each booking have a statement of its own; test_postgres_together.py has the others."""

    async def book(*_: object) -> Sent:
        return Sent.ALONE

    monkeypatch.setattr(Together, "book", book)


@pytest.fixture
async def database(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """Make an empty booking store in the server that the tests may kill."""
    async with postgres_server.databases.migrated() as name:
        yield name
        # A test that failed in the middle must not take the others with it.
        postgres_server.ensure_running()


@pytest.fixture
def databases(postgres_server: PostgresServer) -> Databases:
    """Give the databases of the server that the tests may kill."""
    return postgres_server.databases


@pytest.fixture
async def proxy(postgres_server: PostgresServer) -> AsyncIterator[FaultProxy]:
    """Stand between the store and the server."""
    async with FaultProxy(postgres_server.port) as between:
        yield between


@pytest.fixture
async def opening(databases: Databases, database: str, proxy: FaultProxy) -> AsyncIterator[Opening]:
    """Open stores behind the proxy, closed when the test ends."""
    opened: list[PostgresBookingStore] = []

    async def open_one(patience: Patience = HASTY, pool_max: int = 3) -> PostgresBookingStore:
        # No TLS: asking for it is one reply more for the proxy to count.
        url = f"{databases.of(database, port=proxy.port)}?sslmode=disable"
        opened.append(await PostgresBookingStore.open(url, pool_max, patience))
        return opened[-1]

    yield open_one
    proxy.heal()
    for store in opened:
        await store.close()


@pytest.fixture
async def store(opening: Opening) -> PostgresBookingStore:
    """Open an empty store that gives up early."""
    return await opening()


@asynccontextmanager
async def locked(databases: Databases, database: str) -> AsyncIterator[asyncpg.Connection]:
    """Hold the lock of room-1 on a connection of its own."""
    other = await asyncpg.connect(databases.of(database))
    await other.execute(
        "INSERT INTO resource_fences VALUES ('room-1', 0, 0) ON CONFLICT DO NOTHING"
    )
    await other.execute("BEGIN")
    await other.execute(LOCK_ROOM)
    yield other
    await other.close()


async def until(databases: Databases, database: str, sql: str, wanted: int) -> None:
    """Wait until `sql` counts so many, ten seconds at most."""
    async with asyncio.timeout(10):
        while await databases.rows(database, sql) != [(wanted,)]:
            await asyncio.sleep(0.01)


def before_commit(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do `act` once, when the next transaction is about to send its COMMIT."""
    commit = postgres_transaction._commit

    async def acting(session: Session, until_s: float) -> None:
        monkeypatch.setattr(postgres_transaction, "_commit", commit)
        act()
        await commit(session, until_s)

    monkeypatch.setattr(postgres_transaction, "_commit", acting)


def before_booking(monkeypatch: pytest.MonkeyPatch, fail: Callable[[], object]) -> None:
    """Do `fail` once, when the next statement that books is about to be sent."""
    act, failures = postgres_transaction.act, [fail]

    async def acting(session: Session, work: Work[object], until_s: float) -> object:
        while failures:
            # Once for nothing, so that the statement is prepared and costs one round trip.
            await session.execute("BEGIN")
            await work(session)
            await session.execute("ROLLBACK")
            failures.pop()()
        return await act(session, work, until_s)

    monkeypatch.setattr(postgres_transaction, "act", acting)


async def count_of(databases: Databases, database: str) -> int:
    """Return how many bookings there are, asked past the store."""
    ((count,),) = await databases.rows(database, "SELECT count(*) FROM bookings")
    return int(count)


# --- The answer is lost.


async def test_a_lost_answer_is_resolved_by_looking(
    store: PostgresBookingStore,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    databases: Databases,
    database: str,
) -> None:
    """It was booked, the answer cut off: the caller is told the booking, as new."""
    draft = booking()
    before_booking(monkeypatch, lambda: proxy.cut_reply(0))
    assert await store.book(draft, 0, None) == Booked(booking=draft)
    assert proxy.connections > 1
    assert await count_of(databases, database) == 1


async def test_a_booking_that_never_arrived_is_made_up_for(
    store: PostgresBookingStore,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    databases: Databases,
    database: str,
) -> None:
    """The connection was gone before: nothing stands, so the booking is made now."""
    draft = booking()
    before_booking(monkeypatch, proxy.reset)
    assert await store.book(draft, 0, None) == Booked(booking=draft)
    assert await count_of(databases, database) == 1


async def test_what_nobody_can_look_at_is_unknown(
    store: PostgresBookingStore, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answer lost and the database out of reach: unknown, and a repeat resolves it."""
    draft = booking()

    def cut_and_refuse() -> None:
        proxy.cut_reply(0)
        proxy._refuses = True

    before_booking(monkeypatch, cut_and_refuse)
    with pytest.raises(OutcomeUnknownError):
        await store.book(draft, 0, None)
    proxy.heal()
    assert await store.book(draft, 0, None) == Booked(booking=draft, repeated=True)


async def test_a_stalled_booking_is_unknown_in_good_time(
    store: PostgresBookingStore, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer at all: the call ends within its limit and says that it does not know."""
    draft = booking()
    before_booking(monkeypatch, proxy.stall)
    began_s = time.monotonic()
    with pytest.raises(OutcomeUnknownError):
        await store.book(draft, 0, None)
    assert time.monotonic() - began_s < CALL_S + 0.5
    proxy.heal()
    assert await store.book(draft, 0, None) == Booked(booking=draft, repeated=True)


@pytest.mark.parametrize(("end", "stands"), [("COMMIT", "first"), ("ROLLBACK", "second")])
async def test_looking_waits_for_the_attempt_to_end(
    databases: Databases, database: str, end: str, stands: str
) -> None:
    """While the first attempt is still open, nobody guesses: its lock is waited for."""
    first = booking(what="first")
    second = msgspec.structs.replace(first, what="second")
    attempt, looker = [await asyncpg.connect(databases.of(database)) for _ in range(2)]
    await attempt.execute("BEGIN")
    await postgres_bookings.book(attempt, first, 0, None)
    looking = asyncio.create_task(postgres_bookings.book(looker, second, 0, None, is_again=True))
    await until(databases, database, WAITING, 1)
    await attempt.execute(end)
    answer = await looking
    await attempt.close()
    await looker.close()
    assert isinstance(answer, Booked)
    assert (answer.booking.what, answer.repeated) == (stands, False)
    assert await count_of(databases, database) == 1


async def test_an_attempt_that_arrives_after_all_books_nothing(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """Once its repeat was refused, an attempt that was lost on its way finds a moved fence.

    Even where what was in the way has gone: nobody waits for its answer any more.
    """
    lost, faster = booking(), booking()
    await store.book(faster, 0, None)
    looker = await asyncpg.connect(databases.of(database))
    assert await postgres_bookings.book(looker, lost, 0, None, is_again=True) == Taken(by="booked")
    await looker.close()
    await store.change_state(faster, "cancelled", 1, None)
    assert await store.book(lost, 0, None) == FenceMoved()
    assert isinstance(await store.book(lost, 1, None), Booked)


async def test_looking_may_find_that_another_was_faster(
    opening: Opening, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The booking never arrived and the slot went to another meanwhile: taken, for certain."""
    store, other = await opening(), await opening()
    lost, faster = booking(), booking()
    book = postgres_bookings.book

    async def after_another(session: Session, **given: Any) -> object:
        if given.get("is_again") and given["booking"] == lost:
            await other.book(faster, 0, None)
        return await book(session, **given)

    monkeypatch.setattr(postgres_bookings, "book", after_another)
    before_booking(monkeypatch, proxy.reset)
    assert await store.book(lost, 0, None) == Taken(by="booked")
    assert await store.booking(lost.id) is None
    assert await store.booking(faster.id) == faster


async def test_a_lost_answer_to_a_snapshot_raises_the_fence_again(
    store: PostgresBookingStore, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot can always be taken once more; who decided before starts again."""
    before_commit(monkeypatch, lambda: proxy.cut_reply(0))
    assert (await store.snapshot("room-1", 0)).fence == 2
    assert await store.book(booking(), 1, None) == FenceMoved()


async def test_what_cannot_be_told_by_looking_is_unknown(
    store: PostgresBookingStore, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state may have been changed by another; a project is told apart by its key."""
    first = booking()
    await store.book(first, 0, None)
    before_commit(monkeypatch, lambda: proxy.cut_reply(0))
    with pytest.raises(OutcomeUnknownError):
        await store.change_state(first, "cancelled", 0, None)
    changed = await store.booking(first.id)
    assert changed is not None
    assert changed.state == "cancelled"
    before_commit(monkeypatch, lambda: proxy.cut_reply(0))
    with pytest.raises(OutcomeUnknownError):
        await store.create_project(project("salon"), None)


async def test_a_commit_that_was_a_rollback_is_no_booking(store: PostgresBookingStore) -> None:
    """PostgreSQL answers ROLLBACK to the COMMIT of a failed transaction; that is noticed."""

    async def hide_an_error(session: Session) -> str:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await session.execute("SELECT 1 / 0")
        return "done"

    with pytest.raises(UnavailableError, match="rolled the transaction back") as caught:
        await store._database.write(hide_an_error)
    assert type(caught.value) is UnavailableError


# --- Before COMMIT.


async def test_a_connection_lost_before_commit_changed_nothing(
    store: PostgresBookingStore, proxy: FaultProxy
) -> None:
    """It is a definite refusal, and the next call has a connection that works."""
    before = await store.settings_version()

    async def cut(session: Session) -> None:
        await session.execute(RAISE_SETTINGS)
        proxy.reset()
        await session.execute(RAISE_SETTINGS)

    with pytest.raises(UnavailableError) as caught:
        await store._database.write(cut)
    assert type(caught.value) is UnavailableError
    assert await store.settings_version() == before


async def test_what_the_server_refuses_is_certain(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """A statement that the server ends with an error was undone, and nobody has to look."""
    await databases.rows(database, "ALTER TABLE bookings ADD CHECK (what <> 'never')")
    with pytest.raises(UnavailableError, match="breaks one of its rules") as caught:
        await store.book(booking(what="never"), 0, None)
    assert type(caught.value) is UnavailableError


async def test_a_session_that_the_server_ends_is_in_doubt(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """Ended at a lock, or after its commit, sound the same (FATAL): so it is looked."""
    draft = booking()
    async with locked(databases, database) as other:
        asked = asyncio.create_task(store.book(draft, 0, None))
        await until(databases, database, WAITING, 1)
        await databases.rows(database, END_WAITING)
        await other.execute("ROLLBACK")
        assert await asked == Booked(booking=draft)


async def test_a_stalled_database_is_unavailable_in_good_time(
    store: PostgresBookingStore, proxy: FaultProxy
) -> None:
    """Whatever is asked ends within the limit of a call, and works again afterwards."""
    first = booking()
    await store.book(first, 0, None)
    proxy.stall()
    began_s = time.monotonic()
    answers = await asyncio.gather(
        store.booking(first.id),
        store.bookings(BookingQuery()),
        store.book(at(60, 70), 0, None),
        store.ping(),
        return_exceptions=True,
    )
    assert time.monotonic() - began_s < CALL_S + 0.5
    assert [type(answer) for answer in answers] == [UnavailableError] * 4
    proxy.heal()
    assert await store.booking(first.id) == first


async def test_a_slow_statement_is_given_up(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """The server itself ends it, so nothing runs on; the connection stays good."""
    for run in (store._database.look, store._database.read, store._database.write):
        with pytest.raises(UnavailableError, match="took too long"):
            await run(lambda session: session.fetchrow("SELECT pg_sleep(30)"))
    assert await databases.rows(database, IN_TRANSACTION) == [(0,)]
    assert isinstance(await store.book(booking(), 0, None), Booked)


async def test_a_lock_is_not_waited_for_longer_than_told(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """Who keeps a resource locked costs a 503 in good time, for that resource only."""
    async with locked(databases, database):
        with pytest.raises(UnavailableError, match="another transaction keeps"):
            await store.book(booking(), 0, None)
        assert isinstance(await store.book(booking(resource_id="room-2"), 0, None), Booked)
    assert isinstance(await store.book(booking(), 0, None), Booked)


async def test_a_paused_server_loses_its_locks(opening: Opening) -> None:
    """Who stops in the middle of a transaction is thrown out, and another server books."""
    paused, other = await opening(), await opening(PATIENT)
    stopped, goes_on = asyncio.Event(), asyncio.Event()
    await other.snapshot("room-1", 0)

    async def pause(session: Session) -> None:
        await session.fetchrow(LOCK_ROOM)
        stopped.set()
        await goes_on.wait()
        await session.execute(RAISE_SETTINGS)

    before = await other.settings_version()
    lost = asyncio.create_task(paused._database.write(pause))
    await stopped.wait()
    assert isinstance(await other.book(booking(), 1, None), Booked)
    goes_on.set()
    with pytest.raises(UnavailableError):
        await lost
    assert await paused.book(booking(), 1, None) == Taken(by="booked")
    assert await other.settings_version() == before


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.SerializationError("x"),
        asyncpg.InvalidCachedStatementError("x"),
    ],
)
async def test_collisions_are_tried_again_and_not_for_ever(
    store: PostgresBookingStore, error: Exception
) -> None:
    """A deadlock's loser begins anew; who loses every time is told so, and nothing stands."""
    begun = 0

    async def lose(session: Session, times: int) -> int:
        nonlocal begun
        begun += 1
        await session.execute("UPDATE settings_version SET version = version + 1")
        if begun <= times:
            raise error
        return begun

    before = await store.settings_version()
    assert await store._database.write(lambda session: lose(session, ATTEMPTS - 1)) == ATTEMPTS
    begun = 0
    with pytest.raises(UnavailableError):
        await store._database.write(lambda session: lose(session, ATTEMPTS))
    assert begun == ATTEMPTS
    assert await store.settings_version() == before + 1


async def test_a_real_deadlock_is_survived(opening: Opening) -> None:
    """Two transactions that lock each other out both end, one of them at a later attempt."""
    store = await opening(PATIENT)
    rooms = ("room-1", "room-2")
    for room in rooms:
        await store.snapshot(room, 0)
    both_hold_one = asyncio.Barrier(2)
    begun: list[tuple[str, ...]] = []

    async def lock(session: Session, order: tuple[str, ...]) -> None:
        begun.append(order)
        for room in order:
            await session.fetchrow(postgres_slots._LOCK_FENCE, room)
            if begun.count(order) == 1 and room == order[0]:
                await both_hold_one.wait()

    await asyncio.gather(
        store._database.write(lambda session: lock(session, rooms)),
        store._database.write(lambda session: lock(session, rooms[::-1])),
    )
    assert len(begun) > 2


# --- The pool.


async def test_an_exhausted_pool_says_so_quickly(opening: Opening) -> None:
    """Nobody waits out a call's time for a connection; the next call after has one."""
    hurried = msgspec.structs.replace(PATIENT, acquire_s=0.1)
    store = await opening(hurried, pool_max=1)
    pool = store._database._pool
    assert pool is not None
    async with pool.acquire():
        began_s = time.monotonic()
        with pytest.raises(UnavailableError, match="every connection to the database is in use"):
            await store.book(booking(), 0, None)
        assert time.monotonic() - began_s < hurried.call_s / 4
    assert isinstance(await store.book(booking(), 0, None), Booked)


async def test_more_callers_than_connections_queue(opening: Opening) -> None:
    """A pool of one serves fifty, one after the other."""
    store = await opening(PATIENT, pool_max=1)
    answers = await asyncio.gather(*(store.book(booking(), 0, None) for _ in range(50)))
    assert sum(isinstance(answer, Booked) for answer in answers) == 1


async def test_a_caller_cancelled_at_a_lock_leaves_a_clean_pool(
    opening: Opening, databases: Databases, database: str
) -> None:
    """The only connection can be used again at once, and no session stays in a transaction.

    What was sent is not taken back: it is booked once the lock is free, and a repeat finds it.
    """
    store, draft = await opening(PATIENT, pool_max=1), booking()
    async with locked(databases, database) as other:
        waiting = asyncio.create_task(store.book(draft, 0, None))
        await until(databases, database, WAITING, 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert isinstance(await store.book(booking(resource_id="room-2"), 0, None), Booked)
        await other.execute("ROLLBACK")
    await until(databases, database, IN_TRANSACTION, 0)
    assert await store.book(draft, 0, None) == Booked(booking=draft, repeated=True)
    assert await count_of(databases, database) == 2


async def test_a_caller_cancelled_while_booking_leaves_a_clean_pool(
    opening: Opening,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    databases: Databases,
    database: str,
) -> None:
    """The booking stands, for it was sent; a repeat finds it on a connection that works."""
    store = await opening(PATIENT, pool_max=1)
    draft = booking()
    before_booking(monkeypatch, proxy.stall)
    committing = asyncio.create_task(store.book(draft, 0, None))
    await until(databases, database, "SELECT count(*) FROM bookings", 1)
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    proxy.heal()
    assert await store.book(draft, 0, None) == Booked(booking=draft, repeated=True)


async def test_a_caller_cancelled_before_a_dead_database_is_let_go(
    opening: Opening, proxy: FaultProxy
) -> None:
    """Giving up waits for nothing that the database would have to say."""
    store = await opening(PATIENT, pool_max=1)
    proxy.stall()
    asked = asyncio.create_task(store.booking("any"))
    await asyncio.sleep(0.05)
    asked.cancel()
    done, _ = await asyncio.wait([asked], timeout=2)
    proxy.heal()
    assert done == {asked}
    assert asked.cancelled()
    assert await store.booking("any") is None


async def test_a_caller_cancelled_while_rolling_back_leaves_a_clean_pool(
    opening: Opening, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal whose caller went away is one all the same; the connection is not lent again."""
    store = await opening(PATIENT, pool_max=1)
    first = booking()
    await store.book(first, 0, None)
    rolls_back = asyncio.Event()
    roll_back = postgres_transaction._roll_back

    async def stalled(session: Session) -> None:
        proxy.stall()
        rolls_back.set()
        await roll_back(session)

    monkeypatch.setattr(postgres_transaction, "_roll_back", stalled)
    refused = asyncio.create_task(store.change_state(first, "cancelled", 7, None))
    async with asyncio.timeout(10):
        await rolls_back.wait()
    refused.cancel()
    with pytest.raises(asyncio.CancelledError):
        await refused
    monkeypatch.setattr(postgres_transaction, "_roll_back", roll_back)
    proxy.heal()
    assert await store.booking(first.id) == first


async def test_a_caller_cancelled_in_the_queue_changes_nothing(
    opening: Opening, databases: Databases, database: str
) -> None:
    """Who gave up before there was a connection has begun nothing, and takes none."""
    store = await opening(PATIENT, pool_max=1)
    pool = store._database._pool
    assert pool is not None
    async with pool.acquire():
        queued = asyncio.create_task(store.book(booking(), 0, None))
        await asyncio.sleep(0)
        queued.cancel()
        with pytest.raises(asyncio.CancelledError):
            await queued
    assert await count_of(databases, database) == 0
    assert isinstance(await store.book(booking(), 0, None), Booked)


async def test_what_fails_is_undone_before_the_connection_goes_back(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """The caller's error or the database's: the pool never finds an open transaction."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
    with pytest.raises(UnicodeEncodeError):
        await store.book(booking(what="\ud800"), 0, None)
    with pytest.raises(UnavailableError):
        await store.book(booking(what="\x00"), 0, None)
    assert found == []
    assert await databases.rows(database, IN_TRANSACTION) == [(0,)]
    assert await databases.rows(database, "SELECT count(*) FROM resource_fences") == [(0,)]


async def test_a_refusal_waits_for_no_disk(databases: Databases, database: str) -> None:
    """An answer that changes nothing is not flushed; one that moves the fence is."""
    for is_again, flushes in ((False, "off"), (True, "on")):
        connection = await asyncpg.connect(databases.of(database))
        await connection.execute("BEGIN")
        answer = await postgres_bookings.book(connection, booking(), 7, None, is_again=is_again)
        assert answer == FenceMoved()
        assert await connection.fetchval("SHOW synchronous_commit") == flushes
        await connection.close()


async def test_a_booking_waits_for_the_disk(databases: Databases, database: str) -> None:
    """What a refusal may do without, an acknowledged booking never does."""
    connection = await asyncpg.connect(databases.of(database))
    await connection.execute("BEGIN")
    assert isinstance(await postgres_bookings.book(connection, booking(), 0, None), Booked)
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    await connection.close()


async def test_a_closed_store_is_unavailable(store: PostgresBookingStore) -> None:
    """After closing, every call says so; closing again does nothing."""
    await store.close()
    with pytest.raises(UnavailableError, match="closed"):
        await store.ping()
    with pytest.raises(UnavailableError, match="closed"):
        await store.booking("any")
    await store.close()


async def test_closing_finishes_what_was_begun(
    opening: Opening, databases: Databases, database: str
) -> None:
    """A booking that waits for a lock while the store is closed still ends well."""
    store = await opening(PATIENT)
    async with locked(databases, database) as other:
        draft = booking()
        writing = asyncio.create_task(store.book(draft, 0, None))
        await until(databases, database, WAITING, 1)
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        await other.execute("ROLLBACK")
        assert await writing == Booked(booking=draft)
        await closing
    assert await count_of(databases, database) == 1


async def test_closing_does_not_wait_for_a_dead_database(
    opening: Opening, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that stops ends, whatever its database does."""
    monkeypatch.setattr(postgres_database, "_OPEN_S", 0.2)
    store = await opening(PATIENT)
    proxy.stall()
    asked = asyncio.create_task(store.booking("any"))
    await asyncio.sleep(0)
    began_s = time.monotonic()
    await store.close()
    assert time.monotonic() - began_s < 5
    with pytest.raises(UnavailableError):
        await asked


async def test_calls_are_observed(databases: Databases, database: str) -> None:
    """Every call's seconds are told, also of one that fails."""
    told: list[float] = []
    store = await PostgresBookingStore.open(
        databases.of(database), patience=HASTY, observe=told.append
    )
    told.clear()
    await store.book(booking(), 0, None)
    await store.booking("any")
    await store.close()
    with pytest.raises(UnavailableError):
        await store.projects(1, 0)
    assert len(told) == 3
    assert all(0 <= seconds < 10 for seconds in told)


# --- The server dies.


STEPS = ("SELECT own.fence", "INSERT INTO bookings (", "RETURN 'booked'")
"""where `book` is about to lock, to insert, and to commit"""


@pytest.mark.parametrize("step", STEPS)
async def test_a_server_killed_while_it_books_is_unknown(
    opening: Opening,
    postgres_server: PostgresServer,
    databases: Databases,
    database: str,
    step: str,
) -> None:
    """Wherever before the commit: nobody can know; what was acknowledged stands after.

    Nothing of the one that was not is there, and a repeat books it once.
    """
    store = await opening(PATIENT)
    kept, lost = at(60, 70), booking()
    assert isinstance(await store.book(kept, 0, None), Booked)
    async with gate(databases, database, step):
        asked = asyncio.create_task(store.book(lost, 0, None))
        await until_waiting(databases, database, 1)
        postgres_server.kill()
        with pytest.raises(OutcomeUnknownError):
            await asked
        with pytest.raises(UnavailableError):
            await store.ping()
        postgres_server.start()
    assert await store.booking(lost.id) is None
    assert await store.booking(kept.id) == kept
    assert await store.book(lost, 0, None) == Booked(booking=lost)


async def test_a_server_killed_after_the_commit_is_unknown(
    opening: Opening,
    postgres_server: PostgresServer,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    databases: Databases,
    database: str,
) -> None:
    """Killed before its answer arrived, which nobody can know: unknown, and a repeat finds it."""
    store = await opening(PATIENT)
    draft = booking()
    before_booking(monkeypatch, proxy.stall)
    asked = asyncio.create_task(store.book(draft, 0, None))
    await until(databases, database, "SELECT count(*) FROM bookings", 1)
    postgres_server.kill()
    proxy.refuse()
    with pytest.raises(OutcomeUnknownError):
        await asked
    proxy.heal()
    postgres_server.start()
    assert await store.book(draft, 0, None) == Booked(booking=draft, repeated=True)


async def test_a_restarted_server_is_used_at_once(
    opening: Opening, postgres_server: PostgresServer
) -> None:
    """Connections that died with the old server are noticed by themselves and not lent."""
    store = await opening()
    first = booking()
    await store.book(first, 0, None)
    pool = store._database._pool
    assert pool is not None
    postgres_server.kill()
    async with asyncio.timeout(10):
        while pool.get_idle_size():
            await asyncio.sleep(0.01)
    postgres_server.start()
    assert await store.booking(first.id) == first
    assert isinstance(await store.change_state(first, "cancelled", 0, None), Changed)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (asyncpg.DiskFullError("x"), "there is no room left for the database"),
        (asyncpg.ConfigurationLimitExceededError("x"), "run out of something"),
        (asyncpg.CannotConnectNowError("x"), "starting up or shutting down"),
        (asyncpg.ReadOnlySQLTransactionError("x"), "the database is read-only"),
        (asyncpg.ConnectionFailureError("x"), "connection to the database was lost"),
        (asyncpg.InterfaceError("x"), "connection to the database was lost"),
        (asyncpg.PostgresError("x"), "could not do what it was asked"),
        (ConnectionRefusedError(), "cannot be reached"),
        (TimeoutError(), "did not answer in time"),
    ],
)
def test_errors_are_sentences(error: Exception, said: str) -> None:
    """Each kind of failure has words of its own; none quotes the database."""
    assert said in sentence(error)
    assert "x" not in sentence(error).split()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://u:s3cret@db/d", "db:5432"),
        ("postgresql://u:s3@cret@db:5433/d?sslmode=disable", "db:5433"),
        ("postgresql://u@one,[::1],two:1/d?port=6000", "one:6000, [::1]:6000, two:1"),
        ("postgresql://u:s3cret@%2Frun%2Fpg/d", "/run/pg:5432"),
        ("postgresql:///d?host=db&user=u&password=s3cret", "db:5432"),
        ("postgresql:///d?password=s3cret", "the driver's default host"),
    ],
)
def test_who_starts_a_server_is_told_where_the_database_is(url: str, place: str) -> None:
    """Host and port as the URL has them, of each host, and no password."""
    refused, late = connect_reason(OSError(), url), connect_reason(TimeoutError(), url)
    assert refused.startswith(f"the database at {place} cannot be reached; ")
    assert late.startswith(f"the database at {place} did not answer in time; ")
    assert "cret" not in refused + late
