"""SQLite: whatever fails says so, changes nothing by halves, and is over when it is over."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.domain.booking import BookingQuery
from reservesvc.domain.outcomes import Booked
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from tests.bookings.builders import at, booking
from tests.bookings.faulty import Fault, Faults, failing, failing_afterwards

BUSY_S = 0.3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file."""
    return tmp_path / "bookings.sqlite"


@pytest.fixture
def faults() -> Faults:
    """Let nothing go wrong yet."""
    return Faults()


@pytest.fixture
async def store(path: Path, faults: Faults) -> AsyncIterator[SqliteBookingStore]:
    """Open a store that gives up early and that `faults` happen to."""
    opened = await SqliteBookingStore.open(
        path, busy_s=BUSY_S, read_s=BUSY_S, connection_class=faults.connection_class()
    )
    yield opened
    await opened.close()


def on_writer(store: SqliteBookingStore, sql: str) -> None:
    """Execute `sql` on the writing connection, in its thread and in no transaction."""
    database = store._database
    database._writing.submit(lambda: database._writer.execute(sql).fetchall()).result()


def raw(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Return what `sql` gives on a connection of its own."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def is_free_for_others(path: Path) -> bool:
    """Tell whether another connection could write at this very moment."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        return connection.in_transaction


class Gate(threading.Event):
    """Holds a statement until it is set; `reached` tells that one is waiting."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.reached = asyncio.Event()

    def fault(self, run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """Wait, then run the statement."""
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self.wait(10)
        return run()


@pytest.fixture
async def commit_gate(faults: Faults) -> AsyncIterator[Gate]:
    """Hold every COMMIT of the writing connection."""
    gate = Gate(asyncio.get_running_loop())
    faults.at["COMMIT"] = gate.fault
    yield gate
    gate.set()


async def test_a_full_disk_refuses_and_recovers(store: SqliteBookingStore, path: Path) -> None:
    """Out of room: a sentence, what was booked stays whole, and room brings it back."""
    on_writer(store, "PRAGMA max_page_count = 60")
    large = [at(number, number + 1, description="x" * 20_000) for number in range(40)]
    answers = await asyncio.gather(
        *(store.book(one, 0, None) for one in large), return_exceptions=True
    )
    booked = sum(isinstance(answer, Booked) for answer in answers)
    assert 0 < booked < 40
    refused = answers[booked:]
    assert {str(answer) for answer in refused} == {
        "store: there is no room left for the database file"
    }
    assert {type(answer) for answer in refused} == {UnavailableError}
    assert (await store.bookings(BookingQuery()))[1] == booked
    on_writer(store, "PRAGMA max_page_count = 1000000")
    assert isinstance(await store.book(at(booked, booked + 1), 0, None), Booked)
    assert raw(path, "PRAGMA integrity_check") == [("ok",)]


async def test_a_read_only_file_refuses_and_recovers(store: SqliteBookingStore) -> None:
    """Nothing can be written: booking and readiness say so, reading goes on."""
    first = at(0, 10)
    await store.book(first, 0, None)
    on_writer(store, "PRAGMA query_only = ON")
    with pytest.raises(UnavailableError, match="read-only"):
        await store.book(at(10, 20), 0, None)
    with pytest.raises(UnavailableError, match="read-only"):
        await store.ping()
    assert await store.booking(first.id) == first
    on_writer(store, "PRAGMA query_only = OFF")
    await store.ping()
    assert isinstance(await store.book(at(10, 20), 0, None), Booked)


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "SELECT", "INSERT INTO bookings"])
async def test_an_error_before_the_commit_changes_nothing(
    store: SqliteBookingStore, faults: Faults, path: Path, statement: str
) -> None:
    """Wherever before COMMIT it fails: unavailable, no row in any table, no detail told."""
    faults.at[statement] = failing()
    with pytest.raises(UnavailableError) as caught:
        await store.book(booking(), 0, None)
    faults.at.clear()
    assert type(caught.value) is UnavailableError
    assert caught.value.dependency == "store"
    assert caught.value.detail == "the database file could not be read or written"
    assert raw(path, "SELECT count(*) FROM bookings") == [(0,)]
    assert raw(path, "SELECT count(*) FROM resource_fences") == [(0,)]
    assert isinstance(await store.book(booking(), 0, None), Booked)


async def test_a_broken_rule_of_the_schema_changes_nothing(store: SqliteBookingStore) -> None:
    """A constraint that no outcome stands for is a sentence, too."""
    first = booking()
    await store.book(first, 0, None)
    with pytest.raises(UnavailableError, match="breaks one of its rules"):
        await store.book(at(60, 70, id=first.id), 0, None)
    assert await store.booking(first.id) == first


async def test_an_error_of_the_callers_changes_nothing(
    store: SqliteBookingStore, path: Path
) -> None:
    """An exception that is not SQLite's undoes the transaction as well, and at once."""
    with pytest.raises(UnicodeEncodeError):
        await store.book(booking(what="\ud800"), 0, None)
    assert is_free_for_others(path)
    assert raw(path, "SELECT count(*) FROM resource_fences") == [(0,)]


async def test_an_unknown_error_is_a_sentence(store: SqliteBookingStore, faults: Faults) -> None:
    """An error nobody foresaw leaks neither SQL nor values."""
    faults.at["INSERT INTO bookings"] = failing(sqlite3.SQLITE_MISUSE)
    with pytest.raises(UnavailableError) as caught:
        await store.book(booking(), 0, None)
    assert caught.value.detail == "the database could not do what it was asked"


@pytest.mark.parametrize(("fault", "is_repeat"), [(failing(), False), (failing_afterwards(), True)])
async def test_a_failed_commit_is_an_unknown_outcome(
    store: SqliteBookingStore, faults: Faults, path: Path, fault: Fault, *, is_repeat: bool
) -> None:
    """Whether or not it was done, it is said to be unknown, and repeating resolves it."""
    faults.at["COMMIT"] = fault
    first = booking()
    with pytest.raises(OutcomeUnknownError):
        await store.book(first, 0, None)
    assert is_free_for_others(path)
    faults.at.clear()
    assert await store.book(first, 0, None) == Booked(booking=first, repeated=is_repeat)


async def test_a_failed_rollback_is_made_up_for(
    store: SqliteBookingStore, faults: Faults, path: Path
) -> None:
    """A transaction that could not be undone at once is undone before the next begins."""
    lost = booking()
    faults.at["COMMIT"] = faults.at["ROLLBACK"] = failing()
    with pytest.raises(OutcomeUnknownError):
        await store.book(lost, 0, None)
    with pytest.raises(UnavailableError):
        await store.book(lost, 0, None)
    faults.at.clear()
    assert isinstance(await store.book(at(10, 20), 0, None), Booked)
    assert raw(path, "SELECT count(*) FROM bookings") == [(1,)]


async def test_a_failed_read_is_unavailable(store: SqliteBookingStore, faults: Faults) -> None:
    """A read that fails changes nothing and is told apart from an answer."""
    faults.at["SELECT"] = failing(sqlite3.SQLITE_CORRUPT)
    with pytest.raises(UnavailableError, match="damaged"):
        await store.booking("any")
    faults.at.clear()
    assert await store.booking("any") is None


async def test_a_read_that_takes_too_long_is_given_up(store: SqliteBookingStore) -> None:
    """No search keeps other reads waiting for longer than the limit."""
    long = """
        WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 30000000)
        SELECT sum(x) FROM n
    """
    begun_s = time.monotonic()
    with pytest.raises(UnavailableError, match="took too long"):
        await store._database.read(lambda connection: connection.execute(long).fetchone())
    assert time.monotonic() - begun_s < BUSY_S + 1
    assert await store.booking("any") is None


async def test_reading_cannot_write(store: SqliteBookingStore) -> None:
    """The reading connection refuses to change anything."""
    with pytest.raises(UnavailableError, match="read-only"):
        await store._database.read(lambda connection: connection.execute("DELETE FROM bookings"))


async def test_a_foreign_writer_is_waited_for(store: SqliteBookingStore, path: Path) -> None:
    """A program that writes for a moment delays a booking, no more."""
    foreign = sqlite3.connect(path, isolation_level=None)
    with closing(foreign):
        foreign.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(store.book(booking(), 0, None))
        await asyncio.sleep(0)
        foreign.execute("ROLLBACK")
        assert isinstance(await waiting, Booked)


async def test_a_foreign_writer_is_not_waited_for_longer_than_told(
    store: SqliteBookingStore, path: Path
) -> None:
    """A program that keeps the file locked costs 503s in good time, for all who queue."""
    foreign = sqlite3.connect(path, isolation_level=None)
    with closing(foreign):
        foreign.execute("BEGIN IMMEDIATE")
        begun_s = time.monotonic()
        answers = await asyncio.gather(
            *(store.book(booking(), 0, None) for _ in range(20)), return_exceptions=True
        )
        took_s = time.monotonic() - begun_s
        assert all("another program" in str(answer) for answer in answers)
        assert all(type(answer) is UnavailableError for answer in answers)
        assert BUSY_S <= took_s < 2 * BUSY_S + 1
        foreign.execute("ROLLBACK")
        assert isinstance(await store.book(booking(), 0, None), Booked)


async def test_a_deleted_file_takes_no_bookings(store: SqliteBookingStore, path: Path) -> None:
    """What is written to a file without a name would be gone at the next start."""
    path.unlink()
    with pytest.raises(UnavailableError, match="was replaced"):
        await store.book(booking(), 0, None)
    with pytest.raises(UnavailableError, match="was replaced"):
        await store.ping()


async def test_a_replaced_file_takes_no_bookings(store: SqliteBookingStore, path: Path) -> None:
    """A file put in its place is not the one that is open."""
    path.rename(path.with_suffix(".old"))
    path.touch()
    with pytest.raises(UnavailableError, match="was replaced"):
        await store.book(booking(), 0, None)
    assert path.stat().st_size == 0


async def test_a_second_store_leaves_the_first_its_locks(
    store: SqliteBookingStore, path: Path
) -> None:
    """Opening the file again in one process does not drop the locks that process has on it.

    Without them another program would take itself for the only one, and remove the log.
    """
    await (await SqliteBookingStore.open(path)).close()
    first = booking()
    await store.book(first, 0, None)
    look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM projects')"
    subprocess.run([sys.executable, "-c", look, str(path)], check=True)
    assert path.with_name("bookings.sqlite-wal").exists()
    assert await store.booking(first.id) == first


async def test_reads_do_not_wait_for_writes(store: SqliteBookingStore, commit_gate: Gate) -> None:
    """While a commit waits for the disk, reads see what stood before."""
    first = booking()
    writing = asyncio.create_task(store.book(first, 0, None))
    await commit_gate.reached.wait()
    assert await store.booking(first.id) is None
    commit_gate.set()
    assert isinstance(await writing, Booked)
    assert await store.booking(first.id) == first


async def test_a_cancelled_caller_leaves_a_whole_transaction(
    store: SqliteBookingStore, commit_gate: Gate
) -> None:
    """The transaction of a caller who gave up is finished; those who come later are served."""
    first, second = at(0, 10), at(10, 20)
    writing = asyncio.create_task(store.book(first, 0, None))
    await commit_gate.reached.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    commit_gate.set()
    assert isinstance(await store.book(second, 0, None), Booked)
    assert await store.booking(first.id) == first


async def test_a_caller_cancelled_in_the_queue_changes_nothing(
    store: SqliteBookingStore, commit_gate: Gate
) -> None:
    """Work whose caller gave up before it began is not begun."""
    running = asyncio.create_task(store.book(at(0, 10), 0, None))
    await commit_gate.reached.wait()
    given_up = at(10, 20)
    queued = asyncio.create_task(store.book(given_up, 0, None))
    await asyncio.sleep(0)
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await queued
    commit_gate.set()
    assert isinstance(await running, Booked)
    await store.ping()
    assert await store.booking(given_up.id) is None


async def test_closing_finishes_what_was_begun(
    store: SqliteBookingStore, commit_gate: Gate, path: Path
) -> None:
    """A booking whose commit runs while the store is closed stands."""
    first = booking()
    writing = asyncio.create_task(store.book(first, 0, None))
    await commit_gate.reached.wait()
    closing_store = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    commit_gate.set()
    assert isinstance(await writing, Booked)
    await closing_store
    assert raw(path, "SELECT id FROM bookings") == [(first.id,)]
    assert not path.with_name("bookings.sqlite-wal").exists()


async def test_a_closed_store_is_unavailable(store: SqliteBookingStore) -> None:
    """After closing, every call says so; closing again does nothing."""
    await store.close()
    with pytest.raises(UnavailableError, match="closed"):
        await store.ping()
    with pytest.raises(UnavailableError, match="closed"):
        await store.booking("any")
    await store.close()
