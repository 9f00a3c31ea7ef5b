"""`reservesvc backup`: a copy made beside a server that writes."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reservesvc import cli
from reservesvc.bookings import sqlite_backup
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.domain.outcomes import Booked
from tests.bookings.builders import booking


def rows(file: Path) -> int:
    """Return how many bookings the file has, and see that it is sound."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT count(*) FROM bookings").fetchone()[0])


async def put(store: SqliteBookingStore, first: int, count: int) -> None:
    """Book resources of their own."""
    for number in range(first, first + count):
        outcome = await store.book(booking(resource_id=f"room-{number}"), 0, None)
        assert isinstance(outcome, Booked)


async def test_a_backup_holds_what_was_committed_while_the_store_goes_on_writing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The copy opens as a booking store and has every booking committed before it began."""
    store = await SqliteBookingStore.open(tmp_path / "bookings.sqlite3")
    await put(store, 0, 20)
    words = ["backup", str(tmp_path / "copy.sqlite3"), "--data-dir", str(tmp_path)]
    more = asyncio.create_task(put(store, 20, 50))
    status = await asyncio.to_thread(cli.main, words)
    await more
    await store.close()
    assert status == 0
    copied = rows(tmp_path / "copy.sqlite3")
    assert 20 <= copied <= 70
    assert f"copy.sqlite3 has {copied} bookings" in capsys.readouterr().out
    assert rows(tmp_path / "bookings.sqlite3") == 70
    assert (tmp_path / "copy.sqlite3").stat().st_mode & 0o777 == 0o600
    restored = await SqliteBookingStore.open(tmp_path / "copy.sqlite3")
    await restored.ping()
    await restored.close()
    assert not list(tmp_path.glob(".*.part"))


async def test_a_backup_replaces_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that exists stays as it is."""
    await (await SqliteBookingStore.open(tmp_path / "bookings.sqlite3")).close()
    target = tmp_path / "copy"
    target.write_text("mine")
    assert cli.main(["backup", str(target), "--data-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (f"reservesvc: {target} exists; name a file that does not\n")
    assert target.read_text() == "mine"


def test_without_a_store_there_is_no_backup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file is made where there is nothing to copy."""
    assert cli.main(["backup", str(tmp_path / "copy"), "--data-dir", str(tmp_path)]) == 1
    assert f"there is no file {tmp_path / 'bookings.sqlite3'}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


async def test_a_directory_that_is_not_there_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence names the file that cannot be made."""
    await (await SqliteBookingStore.open(tmp_path / "bookings.sqlite3")).close()
    target = tmp_path / "none" / "copy"
    assert cli.main(["backup", str(target), "--data-dir", str(tmp_path)]) == 1
    assert f"cannot open {target}: No such file or directory" in capsys.readouterr().err


def test_another_program_s_database_is_not_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence says what the file is; nothing is left beside the target."""
    with closing(sqlite3.connect(tmp_path / "bookings.sqlite3")) as connection:
        connection.execute("CREATE TABLE notes (text)")
    assert cli.main(["backup", str(tmp_path / "copy"), "--data-dir", str(tmp_path)]) == 2
    assert "another program's database" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["bookings.sqlite3"]


def test_postgres_is_for_pg_dump(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence names the tool and no password."""
    words = ["backup", "copy", "--store-url", "postgresql://ada:secret@db/bookings"]
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert "pg_dump" in said
    assert "secret" not in said


async def test_a_long_copy_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every so often a line with the bytes that are copied."""
    monkeypatch.setattr(sqlite_backup, "TELL_S", 0.0)
    monkeypatch.setattr(sqlite_backup, "_STEPS", 10)
    store = await SqliteBookingStore.open(tmp_path / "bookings.sqlite3")
    await put(store, 0, 5)
    lines: list[str] = []
    assert sqlite_backup.backup(tmp_path / "bookings.sqlite3", tmp_path / "copy", lines.append) == 5
    await store.close()
    assert all("bytes are copied" in line for line in lines)
    assert lines
