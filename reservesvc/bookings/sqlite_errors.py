"""What SQLite reports, as a sentence for people: no SQL, no value, no path."""

import sqlite3

DEPENDENCY = "store"
"""What the booking store is called in `UnavailableError` and by `/readyz`"""

_PRIMARY_CODE = 0xFF
"""The low byte of an extended result code (sqlite.org/rescode.html)"""

_SENTENCES = {
    sqlite3.SQLITE_BUSY: "another program holds the database file locked",
    sqlite3.SQLITE_FULL: "there is no room left for the database file",
    sqlite3.SQLITE_READONLY: "the database file is read-only",
    sqlite3.SQLITE_IOERR: "the database file could not be read or written",
    sqlite3.SQLITE_CANTOPEN: "the database file or one beside it could not be opened",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged",
    sqlite3.SQLITE_NOTADB: "the database file is not a SQLite database",
    sqlite3.SQLITE_CONSTRAINT: "the database refused a value that breaks one of its rules",
    sqlite3.SQLITE_INTERRUPT: "the search took too long and was given up",
    sqlite3.SQLITE_SCHEMA: "the database's schema is not the one expected",
}
_OTHERWISE = "the database could not do what it was asked"


def sentence(error: sqlite3.Error) -> str:
    """Return what went wrong."""
    return _SENTENCES.get(_code(error), _OTHERWISE)


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another connection was in the way, so that trying again can help."""
    return _code(error) == sqlite3.SQLITE_BUSY


def _code(error: sqlite3.Error) -> int:
    # Errors that Python's module raises of itself carry no code.
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
