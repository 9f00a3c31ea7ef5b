"""What PostgreSQL and its driver report, as a sentence for people: no SQL, no value, no address.

The codes are those of appendix A of PostgreSQL's manual ("PostgreSQL Error Codes").
"""

from asyncpg import (
    DeadlockDetectedError,
    InterfaceError,
    InternalClientError,
    InvalidCachedStatementError,
    OutdatedSchemaCacheError,
    PostgresError,
    SerializationError,
)

DEPENDENCY = "store"
"""What the booking store is called in `UnavailableError` and by `/readyz`"""

DRIVER_ERRORS = (PostgresError, InterfaceError, InternalClientError, OSError)
"""Whatever asyncpg raises: the server's refusals, its own, and the network's. An internal one
comes where the server ended the session and the driver has not let go of it yet."""

LATE = "the database did not answer in time"
LOST = "the connection to the database was lost"
BROKEN_RULE = "the database refused a value that breaks one of its rules"

_BY_CODE = {
    "0A000": "the database's schema was changed meanwhile",
    "25000": "the database's isolation is not READ COMMITTED",
    "25006": "the database is read-only",
    "25P03": "the database ended a transaction that was idle for too long",
    "3D000": "the database does not exist; create it, then run `reservesvc migrate`",
    "40001": "others changed the same rows at the same time",
    "40P01": "others changed the same rows at the same time",
    "42501": "the database's user lacks a right; docs/operations.md lists what it needs",
    "42P01": "a table of the booking store is missing; run `reservesvc migrate`",
    "53100": "there is no room left for the database",
    "53300": "the database takes no more connections",
    "55P03": "another transaction keeps what this one needs",
    "57014": "the statement took too long and was given up",
    "57P01": "the database is shutting down",
    "57P02": "the database is shutting down",
    "57P03": "the database is starting up or shutting down",
}
_BY_CLASS = {
    "08": LOST,
    "22": "the database refused a value",
    "23": BROKEN_RULE,
    "28": "the database refused the user or the password",
    "53": "the database has run out of something it needs",
    "57": "an operator ended what the database was doing",
    "58": "the database's files could not be read or written",
    "XX": "the database is damaged",
}
_OTHERWISE = "the database could not do what it was asked"
_COLLISIONS = (
    SerializationError,
    DeadlockDetectedError,
    # A plan from before a migration: the driver has dropped it, the next attempt has a new one.
    InvalidCachedStatementError,
    OutdatedSchemaCacheError,
)


def sentence(error: Exception) -> str:
    """Return what went wrong."""
    if isinstance(error, PostgresError):
        code = error.sqlstate or ""
        return _BY_CODE.get(code) or _BY_CLASS.get(code[:2], _OTHERWISE)
    if isinstance(error, TimeoutError):
        return LATE
    if isinstance(error, OSError):
        return "the database cannot be reached"
    # What is left is the driver's own: it was told to use a connection that is gone.
    return LOST


def is_collision(error: Exception) -> bool:
    """Tell whether others were in the way, so that trying again at once can help."""
    return isinstance(error, _COLLISIONS)


def is_refusal(error: Exception) -> bool:
    """Tell whether the server refused a statement, and so undid it.

    Of a session that the server ends (FATAL) nobody knows how far it was: the transaction may
    have been committed just before.
    """
    return isinstance(error, PostgresError) and error.severity_en == "ERROR"
