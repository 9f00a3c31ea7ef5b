"""PostgreSQL: what holds where the code's own count is taken out or gone around."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from reservesvc.bookings import postgres_bookings
from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.postgres_together import Sent, Together
from reservesvc.bookings.rows import BOOKING_COLUMNS, booking_values
from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Booked, KeyReused, Taken
from reservesvc.errors import UnavailableError
from reservesvc.ports import Idempotency
from tests.bookings.builders import NOON_MS, at, booking, resource
from tests.bookings.conftest import PATIENT
from tests.bookings.functions import OPEN_GATE, altered, gate, until_waiting
from tests.postgres import Databases

INSERTED = (*BOOKING_COLUMNS, "blocks", "exclusive")
INSERT = f"""
    INSERT INTO bookings ({", ".join(INSERTED)})
    VALUES ({", ".join(f"${n + 1}" for n in range(len(INSERTED)))})
    ON CONFLICT DO NOTHING RETURNING id
"""  # noqa: S608 - our own column names


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each booking have a statement of its own; test_postgres_together.py has the others."""

    async def book(*_: object) -> Sent:
        return Sent.ALONE

    monkeypatch.setattr(Together, "book", book)


@pytest.fixture
async def store(databases: Databases, database: str) -> AsyncIterator[PostgresBookingStore]:
    """Open an empty store."""
    opened = await PostgresBookingStore.open(databases.of(database), patience=PATIENT)
    yield opened
    await opened.close()


async def inserted(
    databases: Databases,
    database: str,
    draft: Booking,
    *,
    is_exclusive: bool = True,
) -> bool:
    """Insert past every check of the code; tell whether the database let it in."""
    values = (*booking_values(draft), draft.blocks, is_exclusive)
    return bool(await databases.rows(database, INSERT, *values))


async def test_the_constraint_alone_lets_one_in(databases: Databases, database: str) -> None:
    """Of thirty inserts of one slot at once, with no lock and no count, one stands."""
    answers = await asyncio.gather(*(inserted(databases, database, booking()) for _ in range(30)))
    assert sum(answers) == 1
    assert await databases.rows(database, "SELECT count(*) FROM bookings") == [(1,)]


async def test_without_the_count_the_constraint_holds(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """`book` with its count taken out books a slot once; the others are errors, not bookings."""
    counts = "RETURN units + fits.quantity <= fits.capacity"
    await altered(databases, database, "fits", counts, "RETURN true")
    answers = await asyncio.gather(
        *(store.book(booking(), 0, None) for _ in range(30)), return_exceptions=True
    )
    assert sum(isinstance(answer, Booked) for answer in answers) == 1
    assert sum(type(answer) is UnavailableError for answer in answers) == 29
    assert len((await store.snapshot("room-1", 0)).bookings) == 1


async def test_without_the_lock_the_constraint_holds(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """`book` that locks nothing books a slot once; who lost is told that it is taken."""
    await altered(databases, database, "book", "book.resource_id FOR UPDATE", "book.resource_id")
    await store.book(at(600, 660), 0, None)
    answers = await asyncio.gather(*(store.book(booking(), 0, None) for _ in range(30)))
    assert sum(isinstance(answer, Booked) for answer in answers) == 1
    assert answers.count(Taken(by="booked")) == 29


@pytest.mark.parametrize(("locks", "at_once", "booked"), [("FOR UPDATE", 1, 3), ("", 5, 5)])
async def test_the_lock_is_what_counts_above_one(
    store: PostgresBookingStore,
    databases: Databases,
    database: str,
    locks: str,
    at_once: int,
    booked: int,
) -> None:
    """Capacity 3 has no constraint behind it: without the lock, the count alone lets more in."""
    await store.create_resource(resource("room-1", capacity=3), None)
    await store.book(at(600, 660), 0, None)
    await altered(
        databases, database, "book", "book.resource_id FOR UPDATE", f"book.resource_id {locks}"
    )
    async with gate(databases, database) as keeper:
        booking_all = asyncio.gather(*(store.book(booking(), 0, None) for _ in range(5)))
        await until_waiting(databases, database, at_once)
        await keeper.execute(OPEN_GATE)
        answers = await booking_all
    assert sum(isinstance(answer, Booked) for answer in answers) == booked


async def test_a_row_made_past_the_lock_takes_its_slot(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """What an operator inserts between count and insert is a conflict, not an error."""
    draft, foreign = booking(), booking()
    async with gate(databases, database) as keeper:
        booking_it = asyncio.create_task(store.book(draft, 0, None))
        await until_waiting(databases, database, 1)
        await inserted(databases, database, foreign)
        await keeper.execute(OPEN_GATE)
        assert await booking_it == Taken(by="booked")
    assert await store.booking(draft.id) is None


async def test_another_isolation_books_nothing(databases: Databases, database: str) -> None:
    """Where the count would be of what was there before the lock was waited for, it refuses."""
    connection = await asyncpg.connect(databases.of(database))
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    with pytest.raises(asyncpg.InvalidTransactionStateError):
        await postgres_bookings.book(connection, booking(), 0, None)
    await connection.close()


async def test_a_key_made_meanwhile_elsewhere_is_found(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """One key on two resources at once, under two locks: one booking, the other is told."""
    drafts = [booking(resource_id=f"room-{number}") for number in range(10)]
    answers = await asyncio.gather(
        *(store.book(one, 0, Idempotency("digest", one.resource_id)) for one in drafts)
    )
    assert sum(isinstance(answer, Booked) for answer in answers) == 1
    assert answers.count(KeyReused()) == 9
    assert await databases.rows(database, "SELECT count(*) FROM bookings") == [(1,)]


async def test_an_id_used_twice_is_an_error(store: PostgresBookingStore) -> None:
    """A rule that no outcome stands for is a sentence, and nothing is changed."""
    first = booking()
    await store.book(first, 0, None)
    with pytest.raises(UnavailableError, match="breaks one of its rules"):
        await store.book(at(60, 70, id=first.id), 0, None)
    assert await store.booking(first.id) == first


async def test_a_raised_capacity_is_not_held_up_by_old_rows(
    store: PostgresBookingStore,
) -> None:
    """From 1 to 3: what was booked alone lets two more in beside it, no third."""
    await store.create_resource(resource("room-1", capacity=1), None)
    assert isinstance(await store.book(booking(), 0, None), Booked)
    await store.update_resource(resource("room-1", capacity=3))
    for _ in range(2):
        assert isinstance(await store.book(booking(), 0, None), Booked)
    assert await store.book(booking(), 0, None) == Taken(by="booked")


async def test_a_lowered_capacity_is_judged_by_the_count(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """From 3 to 1: old rows, which exclude nobody, are counted; new ones exclude again."""
    await store.create_resource(resource("room-1", capacity=3), None)
    shared = [at(0, 10), at(0, 10)]
    for one in shared:
        await store.book(one, 0, None)
    await store.update_resource(resource("room-1", capacity=1))
    assert await store.book(at(5, 15), 0, None) == Taken(by="booked")
    alone = at(10, 20)
    assert isinstance(await store.book(alone, 0, None), Booked)
    assert not await inserted(databases, database, at(15, 25))
    for one in shared:
        await store.change_state(one, "cancelled", 0, NOON_MS)
    assert isinstance(await store.book(at(0, 10), 0, None), Booked)


async def test_a_capacity_there_and_back_keeps_the_constraint_true(
    store: PostgresBookingStore,
) -> None:
    """1, 3, 1: rows of the first and the last time never meet in the constraint wrongly."""
    await store.book(at(0, 10), 0, None)
    await store.create_resource(resource("room-1", capacity=3), None)
    beside = at(0, 30)
    assert isinstance(await store.book(beside, 0, None), Booked)
    await store.update_resource(resource("room-1", capacity=1))
    assert await store.book(at(20, 25), 0, None) == Taken(by="booked")
    await store.change_state(beside, "cancelled", 0, NOON_MS)
    assert isinstance(await store.book(at(20, 25), 0, None), Booked)


async def test_a_cancelled_booking_leaves_the_constraint(
    databases: Databases, database: str, store: PostgresBookingStore
) -> None:
    """What no longer blocks no longer excludes."""
    first = booking()
    await store.book(first, 0, None)
    assert not await inserted(databases, database, booking())
    await store.change_state(first, "cancelled", 0, NOON_MS)
    assert await inserted(databases, database, booking())


async def test_a_double_booking_stands_outside(databases: Databases, database: str) -> None:
    """A row marked `double` excludes nobody, and cannot be marked as excluding as well."""
    assert await inserted(databases, database, booking())
    assert await inserted(databases, database, booking(double=True), is_exclusive=False)
    with pytest.raises(Exception, match="check constraint"):
        await inserted(databases, database, at(60, 70, double=True))


@pytest.mark.parametrize(
    "fields", [{"what": "nul\x00"}, {"meta": {"a\x00": 1}}, {"customers": [{"name": "\x00"}]}]
)
async def test_nul_is_refused_and_harms_nothing(
    store: PostgresBookingStore, fields: dict[str, object]
) -> None:
    """PostgreSQL holds no NUL: a booking with one is refused whole, wherever it is."""
    draft = booking(**fields)
    with pytest.raises(UnavailableError, match="refused a value"):
        await store.book(draft, 0, None)
    assert await store.booking(draft.id) is None
    assert isinstance(await store.book(booking(), 0, None), Booked)


async def test_nul_finds_nothing(store: PostgresBookingStore) -> None:
    """Asking for an id with a NUL, which nothing has, is answered as for any other unknown id."""
    await store.book(booking(), 0, None)
    assert await store.booking("\x00") is None
    assert await store.booking_by_reservation("room-1.\x00") is None
    assert await store.booking_by_key("\x00") is None
    assert await store.project("\x00") is None
    assert await store.resource("\x00") is None
    assert await store.delete_project("\x00") is False
    assert await store.delete_resource("\x00") is False


async def test_meta_comes_back_as_it_was_written(
    store: PostgresBookingStore, databases: Databases, database: str
) -> None:
    """The order of keys and the way a number is written are the caller's."""
    draft = booking(meta={"z": 1, "a": 1e16, "m": -0.0})
    await store.book(draft, 0, None)
    assert await databases.rows(database, "SELECT meta::text FROM bookings") == [
        ('{"z":1,"a":1e16,"m":-0.0}',)
    ]
    found = await store.booking(draft.id)
    assert found is not None
    assert list(found.meta) == ["z", "a", "m"]
