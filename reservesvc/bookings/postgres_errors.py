"""What PostgreSQL and its driver report, as a sentence for people: no SQL, no value, no password.

Where the database is, only whoever starts a server is told.

The codes are those of appendix A of PostgreSQL's manual ("PostgreSQL Error Codes").
"""

import re
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from asyncpg import (
    DeadlockDetectedError,
    InterfaceError,
    InternalClientError,
    InvalidCachedStatementError,
    OutdatedSchemaCacheError,
    PostgresError,
    SerializationError,
)

from reservesvc import address_files

DEPENDENCY = "store"
"""What the booking store is called in `UnavailableError` and by `/readyz`"""

DRIVER_ERRORS = (PostgresError, InterfaceError, InternalClientError, OSError)
"""Whatever asyncpg raises: the server's refusals, its own, and the network's. An internal one
comes where the server ended the session and the driver has not let go of it yet."""

LATE = "the database did not answer in time"
LOST = "the connection to the database was lost"
BROKEN_RULE = "the database refused a value that breaks one of its rules"

NO_SCHEMA = (
    "none of the schemas in search_path exists, or may be used by this user; make one with CREATE "
    "SCHEMA, or mend search_path in RESERVESVC_STORE_URL"
)
UNUSABLE_URL = (
    "RESERVESVC_STORE_URL, or a PG… variable of the environment, says something that PostgreSQL's "
    "driver cannot use."
)
SHARED_SESSION = (
    "a pooler stands before the database that gives a session to several clients in turn; "
    "PgBouncer needs pool_mode = session"
)

_BY_CODE = {
    "0A000": "the database's schema was changed meanwhile",
    "25000": "the database's isolation is not READ COMMITTED",
    "25006": "the database is read-only",
    "25P03": "the database ended a transaction that was idle for too long",
    "3D000": "the database does not exist; create it, then run `reservesvc migrate`",
    "3F000": NO_SCHEMA,
    "26000": SHARED_SESSION,
    "42P05": SHARED_SESSION,
    "40001": "others changed the same rows at the same time",
    "40P01": "others changed the same rows at the same time",
    "42501": "the database's user lacks a right; docs/operations.md lists what it needs",
    "42P01": "a table of the booking store is missing; run `reservesvc migrate`",
    "53100": "there is no room left for the database",
    "53300": "the database takes no more connections (max_connections, or the user's limit)",
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
_STARTUP = re.compile(r"unsupported startup parameter(?: in options)?: ([a-z_.]{1,63})")
_PARAMETER = re.compile(r'(?:configuration|for|of|set) parameter "([a-z_.]{1,63})"')
_BY_WORDS = {
    "no pg_hba.conf entry": (
        "the database does not let this user in from here, or not without TLS (pg_hba.conf)"
    ),
    "pg_hba.conf rejects": "the database's pg_hba.conf keeps this user out",
    "command-line argument for server process": (
        "the database refuses what stands in options in RESERVESVC_STORE_URL"
    ),
}
"""What an error means whose code says too little"""
_OF_POOLER = {
    "no such user": "the pooler does not know the user",
    "no such database": "the pooler does not know the database",
    '" does not exist': _BY_CODE["3D000"],
    "no more connections allowed": "the pooler takes no more connections (max_client_conn)",
    "query_wait_timeout": "the pooler had no connection for us in time (query_wait_timeout)",
    "cannot connect to server": "the pooler does not reach the database",
    "server login fail": "the pooler does not get into the database",
    "server conn crashed": "the pooler lost the database",
    "authentication failed": _BY_CLASS["28"],
}
"""What PgBouncer says in words, whose code is always the same"""
_POOLER_CODE = "08P01"
_REJECTED_TLS = "rejected SSL upgrade"
_NO_TLS = (
    "the database does not speak TLS; set ssl = on there, or leave sslmode out of "
    "RESERVESVC_STORE_URL"
)
_UNKNOWN_AUTHORITY = (
    "the database has a certificate of an authority that is not trusted here; name the "
    "authority's as sslrootcert in RESERVESVC_STORE_URL"
)
_OTHER_HOST = "the database has a certificate that is not of the host in RESERVESVC_STORE_URL"
_OUTDATED = "the database has a certificate that has expired, or is not valid yet"
# OpenSSL's X509_V_ERR_… (x509_vfy.h)
_BY_VERIFY_CODE = {9: _OUTDATED, 10: _OUTDATED, 62: _OTHER_HOST, 64: _OTHER_HOST}
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
        if (found := _said(error)) is not None:
            return found
        return _BY_CODE.get(code) or _BY_CLASS.get(code[:2], _OTHERWISE)
    if isinstance(error, TimeoutError):
        return LATE
    if isinstance(error, OSError):
        return "the database cannot be reached"
    # What is left is the driver's own: it was told to use a connection that is gone.
    return LOST


def _said(error: PostgresError) -> str | None:
    """Return what a message means whose code says too little; only names are repeated."""
    text = str(error)
    if found := _STARTUP.search(text):
        return (
            f"a pooler refuses the startup parameter {found[1]}; PgBouncer takes it where "
            f"ignore_startup_parameters lists it, or leave it out of RESERVESVC_STORE_URL"
        )
    if found := _PARAMETER.search(text):
        return f"the database refuses the setting {found[1]} in RESERVESVC_STORE_URL"
    phrases = {**_BY_WORDS, **(_OF_POOLER if error.sqlstate == _POOLER_CODE else {})}
    return next((phrases[phrase] for phrase in phrases if phrase in text), None)


def connect_reason(error: Exception, url: str) -> str:
    """Return why no connection to the database at `url` came about, and what to look at."""
    why = _why_not_connected(error, url)
    if why is not None or not isinstance(error, OSError):
        return why or sentence(error)
    what = "did not answer in time" if isinstance(error, TimeoutError) else "cannot be reached"
    return (
        f"the database at {_place(url)} {what}; is PostgreSQL running there, and is "
        "RESERVESVC_STORE_URL right?"
    )


def reconnect_reason(error: Exception, url: str) -> str:
    """Return why no further connection came about; callers may read it, so it names no place."""
    return _why_not_connected(error, url) or sentence(error)


def _why_not_connected(error: Exception, url: str) -> str | None:
    """Return what is wrong with TLS, a file or a name; None where it is something else."""
    if not isinstance(error, OSError) or isinstance(error, TimeoutError):
        return None
    if why := address_files.problem(dict(parse_qsl(urlsplit(url).query))):
        return f"RESERVESVC_STORE_URL {why}"
    known = (why(error) for kind, why in _BY_KIND if isinstance(error, kind))
    return next(known, _NO_TLS if _REJECTED_TLS in str(error) else None)


def _tls_reason(error: Any) -> str:  # noqa: ANN401  an ssl.SSLError
    reason = getattr(error, "reason", None) or "no reason given"
    return f"the database and the service cannot agree on TLS ({reason})"


_BY_KIND: tuple[tuple[type[OSError], Callable[[Any], str]], ...] = (
    (
        ssl.SSLCertVerificationError,
        lambda error: _BY_VERIFY_CODE.get(error.verify_code, _UNKNOWN_AUTHORITY),
    ),
    (ssl.SSLError, _tls_reason),
    (socket.gaierror, lambda _: "RESERVESVC_STORE_URL has a host name that is not known here"),
    (PermissionError, lambda _: "the database's socket may not be opened by this user"),
)
"""The kinds of errors, the special before the general, and what each says"""


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
