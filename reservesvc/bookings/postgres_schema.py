"""Which schema a PostgreSQL database has, how it gets this version's, and whether it is safe.

A server never changes a schema: it may be one of many, of several versions, and may have no
right to. `reservesvc migrate` does.
"""

from collections.abc import Callable
from importlib import resources
from typing import NamedTuple

import asyncpg
from asyncpg import DuplicateTableError, Record, UndefinedColumnError

from reservesvc.bookings.postgres_address import address_of, begin_session
from reservesvc.bookings.postgres_database import connecting
from reservesvc.bookings.postgres_errors import NO_SCHEMA
from reservesvc.bookings.postgres_transaction import Session
from reservesvc.errors import ConfigError

_LOCK = 0x52735663
"""The advisory lock ("RsVc") that one migration at a time holds"""
_WAIT_MS = 60_000
"""How long a step waits for another migration, and for servers to let go of a table"""
_CONNECT_S = 10.0
_SERVER_VERSION_MIN = 130_000
"""PostgreSQL 13: the first in which the owner of a database may create btree_gist"""
_HAS_TABLE = "SELECT to_regclass('schema_version') IS NOT NULL"
_VERSION = "SELECT coalesce(max(version), 0) FROM schema_version"
_FACTS = """
    SELECT
        current_setting('server_version_num')::integer AS server_version,
        current_setting('server_encoding') AS encoding,
        current_setting('synchronous_commit') AS synchronous_commit,
        current_setting('statement_timeout') <> '0'
            AND current_setting('lock_timeout') <> '0'
            AND current_setting('idle_in_transaction_session_timeout') <> '0' AS is_bounded,
        current_schema() IS NOT NULL AS has_schema,
        pg_is_in_recovery() AS is_standby,
        current_setting('default_transaction_read_only') = 'on' AS is_read_only,
        current_setting('default_transaction_isolation') AS isolation,
        EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gist') AS has_extension,
        EXISTS (
            SELECT FROM pg_constraint JOIN pg_index ON indexrelid = conindid
            WHERE conname = 'bookings_exclusive' AND conrelid = to_regclass('bookings')
                AND contype = 'x' AND indisvalid
        ) AS has_constraint
"""


class Step(NamedTuple):
    """What leads from version - 1 to `version`."""

    version: int
    name: str
    script: str


def steps() -> list[Step]:
    """Return every step there is, in order."""
    files = resources.files("reservesvc.bookings.schema").joinpath("postgres").iterdir()
    scripts = sorted((file.name, file.read_text()) for file in files if file.name.endswith(".sql"))
    return [Step(int(name.partition("_")[0]), name, script) for name, script in scripts]


STEPS = tuple(steps())
VERSION = STEPS[-1].version
"""The version this code works with"""


class Facts(NamedTuple):
    """What decides whether bookings can safely be kept in a database."""

    version: int
    server_version: int
    encoding: str
    synchronous_commit: str
    is_bounded: bool
    has_schema: bool
    is_standby: bool
    is_read_only: bool
    isolation: str
    has_extension: bool
    has_constraint: bool


async def facts(session: Session) -> Facts:
    """Return what the database is like."""
    return Facts(await version(session), *await session.fetchrow(_FACTS))


async def version(session: Session) -> int:
    """Return the database's schema version; 0 where it has none."""
    (has_table,) = await session.fetchrow(_HAS_TABLE)
    if not has_table:
        return 0
    found: int = (await session.fetchrow(_VERSION))[0]
    return found


def version_problem(found: int) -> str | None:
    """Return why a server must not work with schema version `found`, or None."""
    if found > VERSION:
        return (
            f"the booking store has schema version {found}, made by a newer reservesvc; "
            f"this one works with version {VERSION}"
        )
    if found < VERSION:
        has = f"has schema version {found}" if found else "has no schema yet"
        return f"the booking store {has}, and {VERSION} is needed; run `reservesvc migrate`"
    return None


_PROBLEMS: tuple[tuple[Callable[[Facts], bool], str], ...] = (
    (lambda f: f.server_version < _SERVER_VERSION_MIN, "PostgreSQL is older than 13"),
    (lambda f: f.is_standby, "the database is a standby, which takes no bookings"),
    (lambda f: f.is_read_only, "the database is read-only"),
    # Told when a session begins, as the limits are.
    (
        lambda f: f.isolation != "read committed",
        "the default isolation is not READ COMMITTED, so that capacities could not be counted",
    ),
    (lambda f: f.encoding != "UTF8", "the database's encoding is not UTF8"),
    (
        lambda f: f.synchronous_commit == "off",
        "synchronous_commit is off, so that a crash could lose a booking that was answered",
    ),
    # Told when a session begins; a pooler may give the session to another client.
    (
        lambda f: not f.is_bounded,
        (
            "statement_timeout, lock_timeout or idle_in_transaction_session_timeout is off, so "
            "that a paused server could keep its locks for ever"
        ),
    ),
    (lambda f: not f.has_extension, "the extension btree_gist is missing"),
    (lambda f: not f.has_constraint, "the constraint bookings_exclusive is missing or invalid"),
)


def problem(found: Facts) -> str | None:
    """Return why bookings must not be kept in the database, or None."""
    if not found.has_schema:
        return NO_SCHEMA
    wrong_version = version_problem(found.version)
    return wrong_version or next((why for holds, why in _PROBLEMS if holds(found)), None)


async def migrate(url: str, tell: Callable[[str], None] = lambda _: None) -> None:
    """Bring the database to `VERSION`, each step in a transaction of its own.

    Several may be started at once: one works, the others wait and find it done.

    Args:
        url: the database.
        tell: told, in a sentence, what was done.

    Raises:
        ConfigError: a newer version made the schema, or the tables are another program's.
        UnavailableError: the database cannot be reached, or refuses; the steps that were told
            of are done, no other.

    """
    address = address_of(url)
    with connecting(url):
        connection = await asyncpg.connect(
            address.url, timeout=_CONNECT_S, server_settings=address.startup
        )
        try:
            await begin_session(connection, address.session | {"lock_timeout": str(_WAIT_MS)})
            for step in STEPS:
                if await _take(connection, step):
                    tell(f"took step {step.name}")
        finally:
            await connection.close(timeout=_CONNECT_S)


async def _take(connection: "asyncpg.Connection[Record]", step: Step) -> bool:
    """Take the step, if nobody has; return whether it was taken now."""
    async with connection.transaction(isolation="read_committed"):
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        try:
            found = await version(connection)
            if found > VERSION:
                raise ConfigError(version_problem(found))
            if found >= step.version:
                return False
            await connection.execute(step.script)
        except (DuplicateTableError, UndefinedColumnError) as error:
            message = "the database has tables of another program; give the bookings one of its own"
            raise ConfigError(message) from error
        await connection.execute("INSERT INTO schema_version (version) VALUES ($1)", step.version)
    return True
