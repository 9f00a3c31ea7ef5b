"""A piece of work as one transaction, and what its failure means for the caller.

Before COMMIT was issued nothing has changed (`UnavailableError`); when COMMIT itself fails,
nobody knows (`OutcomeUnknownError`).
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from reservesvc.bookings.sqlite_errors import DEPENDENCY, is_busy, sentence
from reservesvc.bookings.sqlite_lock import poll
from reservesvc.errors import OutcomeUnknownError, UnavailableError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
"""What is to be done; it may run on any thread and must not end the transaction"""


def write(connection: sqlite3.Connection, work: Work[T], deadline_s: float) -> T:
    """Run `work` in a transaction that may change the file.

    Args:
        connection: in autocommit mode, with a busy timeout of 0.
        work: what to do.
        deadline_s: how long to wait for a foreign writer, on the clock of `time.monotonic`.

    Raises:
        UnavailableError: nothing was changed.
        OutcomeUnknownError: `work` may have been done.

    """
    result = _attempt(connection, work, deadline_s)
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _roll_back(connection)
        # The log may hold the whole transaction, and a recovery would then find it.
        raise OutcomeUnknownError(DEPENDENCY, sentence(error)) from error
    return result


def read(connection: sqlite3.Connection, work: Work[T]) -> T:
    """Run `work` in a transaction that sees one state of the file.

    Raises:
        UnavailableError: it could not be read.

    """
    try:
        connection.execute("BEGIN")
        return work(connection)
    except sqlite3.Error as error:
        raise UnavailableError(DEPENDENCY, sentence(error)) from error
    finally:
        _roll_back(connection)


def _attempt(connection: sqlite3.Connection, work: Work[T], deadline_s: float) -> T:
    try:
        _begin(connection, deadline_s)
        return work(connection)
    except sqlite3.Error as error:
        _roll_back(connection)
        raise UnavailableError(DEPENDENCY, sentence(error)) from error
    except BaseException:
        _roll_back(connection)
        raise


def _begin(connection: sqlite3.Connection, deadline_s: float) -> None:
    # Only where an earlier rollback failed, as on a disk that was gone for a while.
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    if not poll(lambda: _try_begin(connection), deadline_s):
        raise UnavailableError(DEPENDENCY, "another program holds the database file locked")


def _try_begin(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        if is_busy(error):
            return False
        raise
    return True


def _roll_back(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
