"""Making, opening and recognising the file of a SQLite booking store."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reservesvc.bookings.sqlite_errors import DEPENDENCY, sentence
from reservesvc.errors import UnavailableError

_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
_FOR_WRITING = (
    "PRAGMA synchronous = FULL",
    # macOS: fsync alone leaves the data in the disk's cache. Elsewhere it does nothing.
    "PRAGMA fullfsync = ON",
    "PRAGMA foreign_keys = ON",
)
_FOR_READING = ("PRAGMA query_only = ON",)


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turn what fails meanwhile into an `UnavailableError` that names the file."""
    try:
        yield
    except OSError as error:
        detail = f"cannot open {path}: {error.strerror}"
        raise UnavailableError(DEPENDENCY, detail) from error
    except sqlite3.Error as error:
        detail = f"cannot open {path}: {sentence(error)}"
        raise UnavailableError(DEPENDENCY, detail) from error


def create_directory(path: Path) -> None:
    """Make the directory that `path` is in, for this user alone, where there is none."""
    path.parent.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)


def create(path: Path) -> int:
    """Make the file, for this user alone, where there is none; return its inode."""
    # Never open a file that exists: closing it again would drop the locks that another
    # connection of this process has on it (POSIX locks belong to the process).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE))
    return path.stat().st_ino


def check_in_place(path: Path, inode: int) -> None:
    """Check that `path` is still the file that was opened.

    Raises:
        UnavailableError: it was deleted or replaced; what is written to the file that was
            opened would be lost at the next start.

    """
    with suppress(OSError):
        if path.stat().st_ino == inode:
            return
    raise UnavailableError(DEPENDENCY, "the database file was replaced; restart the service")


def writer(
    path: Path, busy_s: float, connection_class: type[sqlite3.Connection]
) -> sqlite3.Connection:
    """Return a connection whose commits are on the disk when they return.

    Raises:
        UnavailableError: the file system cannot hold a write-ahead log, and with it reads
            beside writes.

    """
    connection = _connect(path, busy_s, connection_class, _FOR_WRITING)
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        connection.close()
        detail = f"cannot open {path}: its file system (a network's?) takes no write-ahead log"
        raise UnavailableError(DEPENDENCY, detail)
    # From here on `sqlite_transaction` does the waiting: it knows the call's deadline.
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def reader(
    path: Path, busy_s: float, connection_class: type[sqlite3.Connection]
) -> sqlite3.Connection:
    """Return a connection that can only read."""
    return _connect(path, busy_s, connection_class, _FOR_READING)


def _text(raw: bytes) -> str:
    """Return the text of a column; what is not UTF-8 in it does not fail the whole list."""
    return raw.decode(errors="replace")


def _connect(
    path: Path,
    busy_s: float,
    connection_class: type[sqlite3.Connection],
    pragmas: tuple[str, ...],
) -> sqlite3.Connection:
    # isolation_level None: transactions begin and end where the code says so.
    connection = sqlite3.connect(
        path, timeout=busy_s, isolation_level=None, factory=connection_class
    )
    connection.text_factory = _text
    try:
        for pragma in pragmas:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
