"""PostgreSQL: which databases are migrated, served and refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from reservesvc import cli
from reservesvc.bookings import postgres_schema
from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.postgres_database import Patience
from reservesvc.bookings.postgres_schema import STEPS, VERSION, Facts, Step, problem
from reservesvc.domain.outcomes import Booked
from reservesvc.errors import ConfigError, UnavailableError
from tests.bookings.builders import booking, project, resource
from tests.postgres import Databases, PostgresServer

SAFE = Facts(
    version=VERSION,
    server_version=130_000,
    encoding="UTF8",
    synchronous_commit="on",
    is_bounded=True,
    has_schema=True,
    is_standby=False,
    is_read_only=False,
    isolation="read committed",
    has_extension=True,
    has_constraint=True,
)
TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname
"""


@pytest.fixture
async def empty(databases: Databases) -> AsyncIterator[str]:
    """Make a database without a schema and give its name."""
    async with databases.empty() as name:
        yield name


async def refusal(url: str) -> str:
    """Return the sentence that opening the store is refused with."""
    with pytest.raises((ConfigError, UnavailableError)) as caught:
        await PostgresBookingStore.open(url)
    return str(caught.value)


async def test_an_empty_database_is_migrated_once(databases: Databases, empty: str) -> None:
    """The first migration takes every step and says so, the second takes none."""
    told: list[str] = []
    await postgres_schema.migrate(databases.of(empty), told.append)
    assert told == [f"took step {step.name}" for step in STEPS]
    await postgres_schema.migrate(databases.of(empty), told.append)
    assert len(told) == len(STEPS)
    versions = await databases.rows(empty, "SELECT version FROM schema_version ORDER BY version")
    assert versions == [(number,) for number in range(1, VERSION + 1)]


async def test_migrations_at_once_take_each_step_once(databases: Databases, empty: str) -> None:
    """Of several that begin together, one does the work; nobody fails."""
    told: list[str] = []
    await asyncio.gather(
        *(postgres_schema.migrate(databases.of(empty), told.append) for _ in range(5))
    )
    # Each tells after its commit, when the next step may have been taken elsewhere.
    assert sorted(told) == [f"took step {step.name}" for step in STEPS]


async def test_a_step_that_fails_leaves_nothing(
    databases: Databases, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is one transaction: the steps before it stand, of its own nothing does."""
    broken = Step(VERSION + 1, "broken.sql", "CREATE TABLE half (x integer); SELECT 1 / 0;")
    monkeypatch.setattr(postgres_schema, "STEPS", (*STEPS, broken))
    told: list[str] = []
    with pytest.raises(UnavailableError):
        await postgres_schema.migrate(databases.of(empty), told.append)
    assert told == [f"took step {step.name}" for step in STEPS]
    assert ("half",) not in await databases.rows(empty, TABLES)
    assert await databases.rows(empty, "SELECT max(version) FROM schema_version") == [(VERSION,)]


async def test_a_later_step_is_taken_later(
    databases: Databases, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new version takes its own steps only, on the data that is there."""
    store = await PostgresBookingStore.open(databases.of(database))
    first = booking()
    await store.book(first, 0, None)
    later = Step(VERSION + 1, "later.sql", "ALTER TABLE bookings ADD COLUMN later integer;")
    monkeypatch.setattr(postgres_schema, "STEPS", (*STEPS, later))
    monkeypatch.setattr(postgres_schema, "VERSION", VERSION + 1)
    told: list[str] = []
    await postgres_schema.migrate(databases.of(database), told.append)
    assert told == ["took step later.sql"]
    assert await store.booking(first.id) == first
    await store.close()


async def test_a_server_refuses_a_database_without_a_schema(
    databases: Databases, empty: str
) -> None:
    """It says what to run, and changes nothing itself."""
    said = await refusal(databases.of(empty))
    assert said == (
        f"the booking store has no schema yet, and {VERSION} is needed; run `reservesvc migrate`"
    )
    assert await databases.rows(empty, TABLES) == []


async def test_a_server_refuses_an_older_schema(
    databases: Databases, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind: the sentence names both versions and what to run; it is the operator's to do."""
    monkeypatch.setattr(postgres_schema, "VERSION", VERSION + 1)
    assert await refusal(databases.of(database)) == (
        f"the booking store has schema version {VERSION}, and {VERSION + 1} is needed; "
        "run `reservesvc migrate`"
    )


async def test_a_newer_schema_is_refused(databases: Databases, database: str) -> None:
    """Ahead: neither a server nor a migration touches it."""
    newer = "INSERT INTO schema_version (version) VALUES ($1)"
    await databases.rows(database, newer, VERSION + 1)
    said = await refusal(databases.of(database))
    assert f"schema version {VERSION + 1}, made by a newer reservesvc" in said
    with pytest.raises(ConfigError, match="made by a newer reservesvc"):
        await postgres_schema.migrate(databases.of(database))


@pytest.mark.parametrize(
    "foreign",
    ["CREATE TABLE projects (precious integer)", "CREATE TABLE schema_version (rank integer)"],
)
async def test_another_programs_tables_are_left_alone(
    databases: Databases, empty: str, foreign: str
) -> None:
    """Where a name is in use, nothing at all is made."""
    await databases.rows(empty, foreign)
    before = await databases.rows(empty, TABLES)
    with pytest.raises(ConfigError, match="tables of another program"):
        await postgres_schema.migrate(databases.of(empty))
    assert await databases.rows(empty, TABLES) == before


async def test_a_schema_of_its_own_can_be_named(databases: Databases, empty: str) -> None:
    """`?search_path=` in the address puts everything beside another program's tables."""
    await databases.rows(empty, "CREATE TABLE projects (precious integer)")
    await databases.rows(empty, "CREATE SCHEMA own")
    url = f"{databases.of(empty)}?search_path=own"
    await postgres_schema.migrate(url)
    store = await PostgresBookingStore.open(url)
    assert isinstance(await store.book(booking(), 0, None), Booked)
    await store.close()


def test_a_safe_database_has_no_problem() -> None:
    """What the oldest PostgreSQL that will do is like passes."""
    assert problem(SAFE) is None


@pytest.mark.parametrize(
    ("fact", "value", "why"),
    [
        ("version", 0, "has no schema yet"),
        ("version", VERSION + 1, "made by a newer reservesvc"),
        ("server_version", 129_999, "PostgreSQL is older than 13"),
        ("encoding", "LATIN1", "encoding is not UTF8"),
        ("synchronous_commit", "off", "a crash could lose a booking"),
        ("is_bounded", False, "could keep its locks for ever"),
        ("is_standby", True, "is a standby"),
        ("is_read_only", True, "is read-only"),
        ("isolation", "serializable", "isolation is not READ COMMITTED"),
        ("has_extension", False, "btree_gist is missing"),
        ("has_constraint", False, "bookings_exclusive is missing"),
    ],
)
def test_every_unsafe_fact_is_a_problem(fact: str, value: Any, why: str) -> None:
    """Each fact alone makes the database unfit, and its sentence says why."""
    assert why in str(problem(SAFE._replace(**{fact: value})))


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (
            "ALTER TABLE bookings DROP CONSTRAINT bookings_exclusive",
            "bookings_exclusive is missing",
        ),
        ("DROP EXTENSION btree_gist CASCADE", "btree_gist is missing"),
        ("DELETE FROM schema_version", "run `reservesvc migrate`"),
        ("DROP TABLE schema_version", "run `reservesvc migrate`"),
        ("INSERT INTO schema_version (version) VALUES (99)", "made by a newer reservesvc"),
    ],
)
async def test_readiness_sees_what_was_taken_away(
    databases: Databases, database: str, sql: str, why: str
) -> None:
    """A server that runs notices on its next look, and one that starts refuses to."""
    store = await PostgresBookingStore.open(databases.of(database))
    await store.ping()
    await databases.rows(database, sql)
    with pytest.raises(UnavailableError, match=why):
        await store.ping()
    await store.close()
    assert why in await refusal(databases.of(database))


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("synchronous_commit = off", "a crash could lose a booking"),
        ("default_transaction_read_only = on", "read-only"),
    ],
)
async def test_unsafe_settings_of_a_database_are_refused(
    databases: Databases, database: str, setting: str, why: str
) -> None:
    """What an operator set for the database counts."""
    await databases.rows(database, f'ALTER DATABASE "{database}" SET {setting}')
    assert why in await refusal(databases.of(database))


@pytest.mark.parametrize(
    "limit", ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
)
async def test_a_limit_that_did_not_arrive_is_noticed(
    databases: Databases, database: str, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """A pooler that drops one of the limits is found out; one set for the database will do."""
    told = Patience.session_settings

    def dropped(patience: Patience) -> dict[str, str]:
        return {name: value for name, value in told(patience).items() if name != limit}

    monkeypatch.setattr(Patience, "session_settings", dropped)
    assert "could keep its locks for ever" in await refusal(databases.of(database))
    await databases.rows(database, f'ALTER DATABASE "{database}" SET {limit} = 800')
    await (await PostgresBookingStore.open(databases.of(database))).close()


async def test_an_isolation_that_did_not_arrive_is_noticed(
    databases: Databases, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database with another default is served all the same, unless a pooler is in between."""
    default = f'ALTER DATABASE "{database}" SET default_transaction_isolation = serializable'
    await databases.rows(database, default)
    await (await PostgresBookingStore.open(databases.of(database))).close()
    monkeypatch.setattr(Patience, "session_settings", lambda _: {})
    assert "isolation is not READ COMMITTED" in await refusal(databases.of(database))


async def test_an_index_that_is_not_valid_guards_nothing(
    databases: Databases, database: str
) -> None:
    """A constraint whose index PostgreSQL does not trust counts as missing."""
    await databases.rows(
        database,
        "UPDATE pg_index SET indisvalid = false "
        "WHERE indexrelid = to_regclass('bookings_exclusive')",
    )
    assert "missing or invalid" in await refusal(databases.of(database))


async def test_a_standby_is_refused() -> None:
    """A server in recovery can be read, and takes no bookings."""
    with PostgresServer() as server:
        await postgres_schema.migrate(server.databases.url)
        server.kill()
        (server.data / "standby.signal").touch()
        server.start()
        assert "is a standby" in await refusal(server.databases.url)


@pytest.fixture
async def owner(databases: Databases, empty: str) -> AsyncIterator[str]:
    """Give the address of a database for its owner, who is no superuser."""
    role = f"owner_{empty}"
    await databases.rows(empty, f'CREATE ROLE "{role}" LOGIN')
    await databases.rows(empty, f'ALTER DATABASE "{empty}" OWNER TO "{role}"')
    # Before PostgreSQL 15 everybody may, from then on the owner of the database.
    await databases.rows(empty, f'GRANT CREATE ON SCHEMA public TO "{role}"')
    yield databases.of(empty, user=role)
    await databases.rows(empty, f'DROP OWNED BY "{role}" CASCADE')
    await databases.rows(empty, f'ALTER DATABASE "{empty}" OWNER TO CURRENT_USER')
    await databases.rows(empty, f'DROP ROLE "{role}"')


async def test_the_owner_of_the_database_needs_no_superuser(owner: str) -> None:
    """Migrating, extension included, and serving work for who owns the database."""
    await postgres_schema.migrate(owner)
    store = await PostgresBookingStore.open(owner)
    assert isinstance(await store.book(booking(), 0, None), Booked)
    await store.close()


async def test_serving_needs_rights_on_the_tables_only(databases: Databases, database: str) -> None:
    """A user with the four rights serves, every kind of change included, and cannot migrate."""
    role = f"server_{database}"
    await databases.rows(database, f'CREATE ROLE "{role}" LOGIN')
    rights = "SELECT, INSERT, UPDATE, DELETE"
    await databases.rows(database, f'GRANT {rights} ON ALL TABLES IN SCHEMA public TO "{role}"')
    url = databases.of(database, user=role)
    store = await PostgresBookingStore.open(url)
    first = booking()
    assert isinstance(await store.book(first, 0, None), Booked)
    await store.change_state(first, "cancelled", 0, None)
    await store.create_project(project("salon"), None)
    await store.create_resource(resource("room-1"), None)
    assert await store.delete_project("id-salon")
    assert await store.delete_resource("room-1")
    await store.close()
    connection = await asyncpg.connect(url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("ALTER TABLE bookings DROP CONSTRAINT bookings_exclusive")
    await connection.close()
    await databases.rows(database, f'DROP OWNED BY "{role}"')
    await databases.rows(database, f'DROP ROLE "{role}"')


async def test_a_user_without_rights_is_told_so(databases: Databases, database: str) -> None:
    """Who may log in and no more is refused with a sentence that points to the list."""
    role = f"nobody_{database}"
    await databases.rows(database, f'CREATE ROLE "{role}" LOGIN')
    assert "lacks a right" in await refusal(databases.of(database, user=role))
    await databases.rows(database, f'DROP ROLE "{role}"')


async def test_a_database_that_is_not_there_is_said_so(databases: Databases) -> None:
    """The sentence says what to do; a user who is not there is one as well."""
    assert "does not exist" in await refusal(databases.of("nowhere"))
    assert "refused the user" in await refusal(databases.of("postgres", user="nobody_at_all"))


async def test_an_address_the_driver_refuses_is_a_sentence(databases: Databases) -> None:
    """What only the driver can judge is refused without quoting the address."""
    with pytest.raises(ConfigError, match="driver cannot use"):
        await PostgresBookingStore.open(f"{databases.of('postgres')}?sslmode=s3cret")


def test_the_command_migrates(databases: Databases, capsys: pytest.CaptureFixture[str]) -> None:
    """`reservesvc migrate` prints its steps and the version, then only the version."""

    async def run() -> tuple[int, int]:
        async with databases.empty() as name:
            url = databases.of(name)
            arguments = ["migrate", "--store-url", url]
            statuses = [await asyncio.to_thread(cli.main, arguments) for _ in range(2)]
            return statuses[0], statuses[1]

    assert asyncio.run(run()) == (0, 0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-2] == [f"took step {step.name}" for step in STEPS]
    assert lines[-1] == lines[-2]
    assert lines[-1].endswith(f"has schema version {VERSION}")
