"""SQLite: which files are opened, made, migrated and refused."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from reservesvc.bookings import sqlite_schema, sqlite_slots
from reservesvc.bookings.rows import BOOKING_COLUMNS
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.bookings.sqlite_schema import STEPS, VERSION, Step
from reservesvc.errors import ConfigError, UnavailableError
from tests.bookings.builders import booking
from tests.bookings.faulty import Faults, failing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file."""
    return tmp_path / "bookings.sqlite"


async def open_and_close(path: Path) -> None:
    """Open the store, which must be possible."""
    store = await SqliteBookingStore.open(path)
    await store.close()


def raw(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Return what `sql` gives, and keep what it changes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()


async def test_file_and_directory_are_for_this_user_alone(tmp_path: Path) -> None:
    """What is made has modes 600 and 700, the files beside the database included."""
    path = tmp_path / "data" / "bookings.sqlite"
    store = await SqliteBookingStore.open(path)
    await store.book(booking(), 0, None)
    files = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert {"bookings.sqlite", "bookings.sqlite-wal", "bookings.sqlite.lock"} <= set(files)
    assert set(files.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await store.close()


async def test_bookings_survive_reopening(path: Path) -> None:
    """What one start wrote, the next reads; a path may be a string."""
    first = booking()
    store = await SqliteBookingStore.open(path)
    await store.book(first, 0, None)
    await store.close()
    reopened = await SqliteBookingStore.open(str(path))
    assert await reopened.booking(first.id) == first
    await reopened.close()


async def test_commits_are_durable(path: Path) -> None:
    """The writing connection logs ahead, waits for the disk and keeps foreign keys."""
    store = await SqliteBookingStore.open(path)
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "fullfsync": 1}

    def pragmas(connection: sqlite3.Connection) -> dict[str, object]:
        return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in expected}

    assert await store._database.write(pragmas) == expected
    await store.close()


async def test_a_newer_schema_is_refused(path: Path) -> None:
    """A file that a newer version made is left as it is."""
    await open_and_close(path)
    raw(path, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(ConfigError, match=f"schema version {VERSION + 1}, made by a newer"):
        await SqliteBookingStore.open(path)
    assert raw(path, "PRAGMA user_version") == [(VERSION + 1,)]


async def test_another_programs_database_is_refused(path: Path) -> None:
    """A database with tables but without our mark is not touched."""
    raw(path, "CREATE TABLE precious (x)")
    with pytest.raises(ConfigError, match="another program's database"):
        await SqliteBookingStore.open(path)
    assert raw(path, "SELECT name FROM sqlite_master") == [("precious",)]


@pytest.mark.parametrize("content", [b"not a database, and long enough to say so" * 100])
async def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    """Anything else is named, told about and left as it is."""
    path.write_bytes(content)
    with pytest.raises(UnavailableError, match=r"bookings\.sqlite: the database file is not"):
        await SqliteBookingStore.open(path)
    assert path.read_bytes() == content


async def test_a_directory_is_no_file(path: Path) -> None:
    """A path that is a directory is a sentence, not a traceback."""
    path.mkdir()
    with pytest.raises(UnavailableError, match="cannot open"):
        await SqliteBookingStore.open(path)


async def test_a_directory_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    """The sentence names the path and the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(
        UnavailableError, match=r"cannot open .*/file/sub/b\.sqlite: Not a directory"
    ):
        await SqliteBookingStore.open(tmp_path / "file" / "sub" / "b.sqlite")


async def test_a_file_system_without_a_log_is_refused(path: Path) -> None:
    """Where SQLite quietly keeps another journal, reads and writes would block each other."""
    faults = Faults()
    faults.at["PRAGMA journal_mode"] = lambda _: sqlite3.connect(":memory:").execute(
        "SELECT 'delete'"
    )
    with pytest.raises(UnavailableError, match="write-ahead log"):
        await SqliteBookingStore.open(path, connection_class=faults.connection_class())


async def test_a_store_that_could_not_be_opened_can_be_opened_later(path: Path) -> None:
    """A failure while opening lets go of the lock and the file."""
    faults = Faults()
    faults.at["PRAGMA query_only"] = failing(sqlite3.SQLITE_CANTOPEN)
    with pytest.raises(UnavailableError, match="could not be opened"):
        await SqliteBookingStore.open(path, connection_class=faults.connection_class())
    await open_and_close(path)


@pytest.mark.parametrize("statement", ["PRAGMA synchronous", "PRAGMA user_version"])
async def test_a_store_that_could_not_be_opened_leaves_no_file_open(
    path: Path, statement: str
) -> None:
    """Trying to open it again and again does not use up the process's files."""
    faults = Faults()
    faults.at[statement] = failing()
    open_before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(UnavailableError) as caught:
        await SqliteBookingStore.open(path, connection_class=faults.connection_class())
    assert len(list(Path("/dev/fd").iterdir())) == open_before
    assert "could not be read or written" in caught.value.detail


async def test_an_older_schema_is_migrated_step_by_step(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each missing step is taken once, in order, and what was stored stays."""
    first = booking()
    store = await SqliteBookingStore.open(path)
    await store.book(first, 0, None)
    await store.close()
    later = (
        Step(VERSION + 1, "CREATE TABLE added (x); INSERT INTO added VALUES (1);"),
        Step(VERSION + 2, "UPDATE added SET x = x + 1; ALTER TABLE added ADD COLUMN y;"),
    )
    monkeypatch.setattr(sqlite_schema, "STEPS", (*STEPS, *later))
    monkeypatch.setattr(sqlite_schema, "VERSION", VERSION + 2)
    for _ in range(2):
        reopened = await SqliteBookingStore.open(path)
        await reopened.ping()
        assert await reopened.booking(first.id) == first
        await reopened.close()
    assert raw(path, "SELECT x, y FROM added") == [(2, None)]
    assert raw(path, "PRAGMA user_version") == [(VERSION + 2,)]


async def test_a_step_that_fails_leaves_the_one_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step happens whole or not at all; those before it stand."""
    await open_and_close(path)
    later = (
        Step(VERSION + 1, "CREATE TABLE added (x);"),
        Step(VERSION + 2, "CREATE TABLE more (x); INSERT INTO missing VALUES (1);"),
    )
    monkeypatch.setattr(sqlite_schema, "STEPS", (*STEPS, *later))
    monkeypatch.setattr(sqlite_schema, "VERSION", VERSION + 2)
    with pytest.raises(UnavailableError, match="cannot open"):
        await SqliteBookingStore.open(path)
    assert raw(path, "PRAGMA user_version") == [(VERSION + 1,)]
    assert raw(path, "SELECT name FROM sqlite_master WHERE name = 'more'") == []
    assert raw(path, "SELECT name FROM sqlite_master WHERE name = 'added'") == [("added",)]


async def test_a_schema_changed_meanwhile_is_not_ready(path: Path) -> None:
    """A server whose file was migrated under it says which versions differ."""
    store = await SqliteBookingStore.open(path)
    raw(path, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(UnavailableError, match=f"version {VERSION + 1}; this server works with"):
        await store.ping()
    await store.close()


def test_steps_are_numbered_without_gaps() -> None:
    """The version of a file says exactly which steps it has taken."""
    assert [step.version for step in STEPS] == list(range(1, VERSION + 1))


async def test_the_table_has_a_column_for_every_field(path: Path) -> None:
    """A field that is added to a booking needs a step that adds its column."""
    await open_and_close(path)
    columns = {row[1] for row in raw(path, "PRAGMA table_info(bookings)")}
    assert columns == {*BOOKING_COLUMNS, "blocks", "seated", "key_digest", "key_fingerprint"}


async def test_what_blocks_is_answered_from_the_index(path: Path) -> None:
    """The overlap query reads a bounded range of the index and no table row."""
    await open_and_close(path)
    with closing(sqlite3.connect(path)) as connection:
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN {sqlite_slots._OVERLAPPING}", ("r", 0, 10, 5)
        ).fetchall()
    (step,) = [row[3] for row in plan]
    assert "USING COVERING INDEX bookings_blocking" in step
    assert "resource_id=? AND start_ms>? AND start_ms<?" in step


async def test_nul_reads_back(path: Path) -> None:
    """SQLite takes a NUL anywhere in a text, and gives it back."""
    store = await SqliteBookingStore.open(path)
    text = "nul\x00inside"
    given = booking(what=text, customers=[{text: text}], meta={text: text})
    await store.book(given, 0, None)
    assert await store.booking(given.id) == given
    await store.close()
