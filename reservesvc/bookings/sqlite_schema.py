"""Which schema a SQLite file has, and how it comes to have this version's."""

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from reservesvc.bookings.sqlite_errors import DEPENDENCY
from reservesvc.bookings.sqlite_file import opening
from reservesvc.errors import ConfigError, UnavailableError

_APPLICATION_ID = 0x52735663
"""The mark that `0001_bookings.sql` puts on the file"""


class Step(NamedTuple):
    """What leads from version - 1 to `version`."""

    version: int
    script: str


def steps() -> list[Step]:
    """Return every step there is, in order."""
    files = resources.files("reservesvc.bookings.schema").joinpath("sqlite").iterdir()
    scripts = sorted((file.name, file.read_text()) for file in files if file.name.endswith(".sql"))
    return [Step(int(name.partition("_")[0]), script) for name, script in scripts]


STEPS = tuple(steps())
VERSION = STEPS[-1].version
"""The version this code works with"""


def version(connection: sqlite3.Connection) -> int:
    """Return the file's schema version; 0 for an empty file."""
    return _pragma(connection, "user_version")


def check(connection: sqlite3.Connection) -> None:
    """Check that the file can be written and has the version this code works with.

    Raises:
        UnavailableError: it has another, perhaps a newer server has changed it meanwhile.
        sqlite3.Error: it cannot be written; where the disk is full, only COMMIT says so.

    """
    found = version(connection)
    if found != VERSION:
        detail = f"the schema has version {found}; this server works with version {VERSION}"
        raise UnavailableError(DEPENDENCY, detail)
    # The same again, for a transaction that changes nothing would not notice a full disk.
    connection.execute(f"PRAGMA user_version = {VERSION}")


def check_file(path: Path) -> None:
    """Check that the file is there and has the version this code works with; change nothing.

    Raises:
        ConfigError: it has another version.
        UnavailableError: there is no such file, or it cannot be read.

    """
    if not path.exists():
        raise UnavailableError(DEPENDENCY, f"there is no file {path}; `reservesvc serve` makes it")
    address = f"{path.absolute().as_uri()}?mode=ro"
    with opening(path), closing(sqlite3.connect(address, uri=True)) as connection:
        found = version(connection)
    if found != VERSION:
        message = (
            f"the booking store has schema version {found}, and this reservesvc works with "
            f"version {VERSION}; a newer `reservesvc serve` or `reservesvc migrate` raises it"
        )
        raise ConfigError(message)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to `VERSION`, each step in a transaction of its own.

    Raises:
        ConfigError: the file is another program's, or a newer version of this one made it.

    """
    found = version(connection)
    if found > VERSION:
        message = (
            f"the booking store has schema version {found}, made by a newer reservesvc; "
            f"this one works with version {VERSION}"
        )
        raise ConfigError(message)
    check_ours(connection)
    for step in STEPS:
        if step.version > found:
            _take(connection, step)


def check_ours(connection: sqlite3.Connection) -> None:
    """Check that the file is a booking store, of whichever version, or empty.

    Raises:
        ConfigError: it is another program's.

    """
    if not _is_ours(connection):
        message = "the file named as booking store is another program's database"
        raise ConfigError(message)


def _take(connection: sqlite3.Connection, step: Step) -> None:
    # A script, because it holds many statements; the version changes with what it names.
    mark = f"PRAGMA user_version = {step.version};"
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {step.script}; {mark} COMMIT;")
    except sqlite3.Error:
        connection.rollback()
        raise


def _is_ours(connection: sqlite3.Connection) -> bool:
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    return empty or _pragma(connection, "application_id") == _APPLICATION_ID


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
