"""What PostgreSQL and its driver report, as a sentence for people: no SQL, no value, no password.

Where the database is, only whoever starts a server is told.

The codes are those of appendix A of PostgreSQL's manual ("PostgreSQL Error Codes").
"""

import re
from urllib.parse import parse_qs, unquote, urlsplit

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
_DEFAULT_PORT = "5432"
_WITH_PORT = re.compile(r":[0-9]+$")
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


def connect_reason(error: Exception, url: str) -> str:
    """Return why no connection to the database at `url` came about, and what to look at."""
    if not isinstance(error, OSError):
        return sentence(error)
    what = "did not answer in time" if isinstance(error, TimeoutError) else "cannot be reached"
    return (
        f"the database at {_place(url)} {what}; is PostgreSQL running there, and is "
        "RESERVESVC_STORE_URL right?"
    )


def _place(url: str) -> str:
    """Return the hosts and ports that the URL names, and nothing else of it."""
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    hosts = unquote(parts.netloc.rpartition("@")[2]) or options.get("host", [""])[0]
    if not hosts:
        return "the driver's default host"
    port = options.get("port", [_DEFAULT_PORT])[0]
    return ", ".join(
        host if _WITH_PORT.search(host) else f"{host}:{port}" for host in hosts.split(",")
    )


def is_collision(error: Exception) -> bool:
    """Tell whether others were in the way, so that trying again at once can help."""
    return isinstance(error, _COLLISIONS)


def is_refusal(error: Exception) -> bool:
    """Tell whether the server refused a statement, and so undid it.

    Of a session that the server ends (FATAL) nobody knows how far it was: the transaction may
    have been committed just before.
    """
    return isinstance(error, PostgresError) and error.severity_en == "ERROR"
