"""PostgreSQL behind a real PgBouncer: what holds where it lends whole sessions, and where not."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from reservesvc.bookings import postgres_schema
from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.postgres_errors import NO_SCHEMA, SHARED_SESSION
from reservesvc.domain.outcomes import Booked
from reservesvc.errors import UnavailableError
from tests.bookings.builders import booking
from tests.pgbouncer import PACKAGE, PgBouncer, binary
from tests.postgres import PostgresServer
from tests.programs import needed

SETTINGS = """
    SELECT current_setting('application_name'), current_setting('default_transaction_isolation'),
        current_setting('statement_timeout') <> '0', current_setting('lock_timeout') <> '0',
        current_setting('idle_in_transaction_session_timeout') <> '0', current_schema()
"""


@pytest.fixture(scope="module", autouse=True)
def available() -> None:
    """Skip where there is no PgBouncer."""
    needed(binary, PACKAGE)


@pytest.fixture(scope="module")
def pooler(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    """Run one that lends sessions, configured as docs/operations.md has it."""
    postgres_server.ensure_running()
    with PgBouncer(postgres_server.port) as running:
        yield running


@pytest.fixture(scope="module")
def sharing(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    """Run one that lends a session for a transaction."""
    postgres_server.ensure_running()
    with PgBouncer(postgres_server.port, "transaction") as running:
        yield running


@pytest.fixture
async def database(postgres_server: PostgresServer) -> str:
    """Make a database that is not migrated."""
    made = postgres_server.databases.empty()
    return await made.__aenter__()


async def refusal(url: str) -> str:
    """Return why a server does not start."""
    with pytest.raises(UnavailableError) as caught:
        await PostgresBookingStore.open(url)
    return caught.value.detail


async def test_whole_sessions_are_as_good_as_none_between(
    postgres_server: PostgresServer, pooler: PgBouncer, database: str
) -> None:
    """It migrates, starts and books; each session has the settings, though no one passed them."""
    databases = postgres_server.databases
    default = f'ALTER DATABASE "{database}" SET default_transaction_isolation = serializable'
    await databases.rows(database, default)
    await databases.rows(database, "CREATE SCHEMA own")
    url = f"{databases.of(database, pooler.port)}?search_path=own&application_name=shop"
    await postgres_schema.migrate(url)
    store = await PostgresBookingStore.open(url)
    try:
        await store.ping()
        made = await asyncio.gather(
            *(store.book(booking(resource_id=f"r-{number}"), 0, None) for number in range(20))
        )
        assert all(isinstance(one, Booked) for one in made)
        found = await store._database.look(lambda session: session.fetch(SETTINGS))
        assert [tuple(row) for row in found] == [
            ("shop", "read committed", True, True, True, "own")
        ]
    finally:
        await store.close()
    assert await databases.rows(database, "SELECT count(*) FROM own.bookings") == [(20,)]


async def test_a_session_that_goes_back_keeps_nothing(
    postgres_server: PostgresServer, pooler: PgBouncer, database: str
) -> None:
    """The next client of the pooler finds the session as the database has it."""
    url = postgres_server.databases.of(database, pooler.port)
    await postgres_schema.migrate(url)
    await (await PostgresBookingStore.open(url)).close()
    through = type(postgres_server.databases)(url)
    rows = await through.rows(database, "SELECT current_setting('statement_timeout')")
    assert rows == [("0",)]


@pytest.mark.parametrize("pool_max", [1, 10])
async def test_sessions_lent_for_a_transaction_are_refused(
    postgres_server: PostgresServer, sharing: PgBouncer, database: str, pool_max: int
) -> None:
    """At the start, not under load: limits and prepared statements would be another client's."""
    url = postgres_server.databases.of(database, sharing.port)
    await postgres_schema.migrate(url)
    with pytest.raises(UnavailableError) as caught:
        await PostgresBookingStore.open(url, pool_max)
    assert caught.value.detail == SHARED_SESSION


async def test_a_migration_needs_no_session(
    postgres_server: PostgresServer, sharing: PgBouncer, database: str
) -> None:
    """Each step is one transaction, and so is its lock."""
    url = postgres_server.databases.of(database, sharing.port)
    await asyncio.gather(*(postgres_schema.migrate(url) for _ in range(3)))
    direct = await PostgresBookingStore.open(postgres_server.databases.of(database))
    await direct.close()


async def test_what_a_pooler_refuses_is_told(
    postgres_server: PostgresServer, pooler: PgBouncer, database: str
) -> None:
    """Its errors have one code for all, so its words count."""
    url = postgres_server.databases.of(database, pooler.port)
    assert await refusal(f"{url}?search_path=nowhere") == NO_SCHEMA
    assert "refuses the startup parameter options" in await refusal(f"{url}?options=-c%20geqo=off")
    missing = postgres_server.databases.of("missing", pooler.port)
    assert "the database does not exist; create it" in await refusal(missing)
    with PgBouncer(postgres_server.port, "session", "max_client_conn = 1") as full:
        url = postgres_server.databases.of(database, full.port)
        held = await asyncpg.connect(url)
        assert "takes no more connections (max_client_conn)" in await refusal(url)
        await held.close()
