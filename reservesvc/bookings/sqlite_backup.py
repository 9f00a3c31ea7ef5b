"""A consistent copy of a SQLite booking store, made while servers go on writing to it."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from reservesvc.bookings import sqlite_schema
from reservesvc.bookings.sqlite_errors import DEPENDENCY
from reservesvc.bookings.sqlite_file import create, opening
from reservesvc.errors import ConfigError, UnavailableError

Tell = Callable[[str], None]
TELL_S = 2.0
"""how often a long copy says how far it is"""
_STEPS = 100_000
"""instructions of SQLite's virtual machine between two looks at the clock, some milliseconds"""


def backup(source: Path, target: Path, tell: Tell) -> int:
    """Copy the booking store `source` to the new file `target`; return how many bookings it has.

    The copy is that of one instant, and no writer waits for it (SQLite docs, VACUUM INTO). It is
    checked, written to the disk and only then given its name.

    Args:
        source: the file of the booking store.
        target: the file to make; only its owner may read it.
        tell: told from time to time how far a long copy is.

    Raises:
        ConfigError: `target` exists, or `source` is another program's database.
        UnavailableError: `source` cannot be read, or `target` cannot be written.

    """
    if target.exists():
        message = f"{target} exists; name a file that does not"
        raise ConfigError(message)
    if not source.exists():
        raise UnavailableError(DEPENDENCY, f"there is no file {source}")
    with opening(target), _part_of(target) as part:
        with opening(source), closing(_read_only(source)) as connection:
            sqlite_schema.check_ours(connection)
            _copy(connection, source, part, tell)
        bookings = _checked(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(target)
    return bookings


def _copy(connection: sqlite3.Connection, source: Path, part: Path, tell: Tell) -> None:
    due_s = time.monotonic() + TELL_S

    def look() -> None:
        nonlocal due_s
        if time.monotonic() >= due_s:
            due_s += TELL_S
            tell(f"{part.stat().st_size:,} of about {source.stat().st_size:,} bytes are copied")

    connection.set_progress_handler(look, _STEPS)
    connection.execute("VACUUM INTO ?", (str(part),))


def _read_only(file: Path) -> sqlite3.Connection:
    """Return a connection that neither writes nor, at its end, tidies up the write-ahead log.

    A second writer beside the service could damage the file, see `sqlite_lock`.
    """
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _checked(part: Path) -> int:
    with closing(_read_only(part)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise UnavailableError(DEPENDENCY, f"the copy is damaged: {verdict}")
        count: int = connection.execute("SELECT count(*) FROM bookings").fetchone()[0]
        return count


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """Make a file beside `target` for its parts; remove it unless it was renamed."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    create(part)
    try:
        yield part
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
