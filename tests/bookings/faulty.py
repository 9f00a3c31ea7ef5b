"""Connections that fail or stop on demand."""

import sqlite3
from collections.abc import Callable
from typing import Any

Fault = Callable[[Callable[[], sqlite3.Cursor]], sqlite3.Cursor]
"""Runs instead of a statement; is given the statement to run, or not"""


class Faults:
    """What goes wrong, by the beginning of the statement it goes wrong at."""

    def __init__(self) -> None:
        self.at: dict[str, Fault] = {}

    def connection_class(self) -> type[sqlite3.Connection]:
        """Return a class of connections that these faults happen to."""
        at = self.at

        class FaultyConnection(sqlite3.Connection):
            def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
                """Execute `sql`, or what goes wrong with it."""
                run = super().execute
                for beginning, fault in at.items():
                    if sql.lstrip().startswith(beginning):
                        return fault(lambda: run(sql, *parameters))
                return run(sql, *parameters)

        return FaultyConnection


def error(code: int) -> sqlite3.OperationalError:
    """Return an error as SQLite raises it, with its result code."""
    made = sqlite3.OperationalError("SECRET and SQL")
    made.sqlite_errorcode = code
    return made


def failing(code: int = sqlite3.SQLITE_IOERR) -> Fault:
    """Fail instead of running the statement."""

    def fail(_: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        raise error(code)

    return fail


def failing_afterwards(code: int = sqlite3.SQLITE_IOERR) -> Fault:
    """Run the statement and fail all the same."""

    def fail(run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        run()
        raise error(code)

    return fail
