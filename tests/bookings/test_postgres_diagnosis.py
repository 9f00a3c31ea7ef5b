"""Why a PostgreSQL cannot be connected to: a sentence for each cause, from real servers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.postgres_errors import UNUSABLE_URL, connect_reason, reconnect_reason
from reservesvc.errors import ConfigError, UnavailableError
from tests.certificates import Authority
from tests.pgbouncer import PgBouncer
from tests.postgres import PostgresServer
from tests.servers import free_port

PASSWORD = "s3cret"
USERS = f"""
    CREATE ROLE careful LOGIN PASSWORD '{PASSWORD}';
    CREATE ROLE banned LOGIN;
    CREATE ROLE crowded LOGIN CONNECTION LIMIT 0;
    CREATE ROLE outsider LOGIN;
    REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
    GRANT CONNECT ON DATABASE postgres TO careful, banned, crowded;
"""
HBA = """
host all careful 127.0.0.1/32 scram-sha-256
host all banned 127.0.0.1/32 reject
hostssl all postgres 127.0.0.2/32 trust
host all all 127.0.0.1/32 trust
"""


@pytest.fixture(scope="module")
def strict() -> Iterator[PostgresServer]:
    """Run a server that has users and rules, and speaks no TLS."""
    with PostgresServer() as server:
        run(server, USERS)
        (server.data / "pg_hba.conf").write_text(HBA)
        run(server, "SELECT pg_reload_conf()")
        yield server


def run(server: PostgresServer, sql: str) -> None:
    """Run SQL as the superuser."""

    async def execute() -> None:
        connection = await asyncpg.connect(server.databases.url)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(execute())


@pytest.fixture(scope="module")
def by_tls(strict: PostgresServer) -> Iterator[PgBouncer]:
    """Run a PgBouncer before it, which speaks TLS; the PostgreSQL for tests was built without.

    Its authority is `authority` in its directory.
    """
    pooler = PgBouncer(
        strict.port,
        "session",
        "client_tls_sslmode = allow",
        "client_tls_key_file = {directory}/pooler.key",
        "client_tls_cert_file = {directory}/pooler.pem",
    )
    _, key = Authority(pooler.directory).issue("pooler")
    key.chmod(0o644)
    with pooler:
        yield pooler


async def refusal(url: str) -> str:
    """Return why a server does not start; no password is in it."""
    with pytest.raises((UnavailableError, ConfigError)) as caught:
        await PostgresBookingStore.open(url)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ("postgresql://crowded@127.0.0.1:{port}/postgres", "takes no more connections (max_"),
        ("postgresql://careful:wr0ng@127.0.0.1:{port}/postgres", "refused the user or the pass"),
        ("postgresql://careful@127.0.0.1:{port}/postgres", "refused the user or the pass"),
        ("postgresql://nobody:s3cret@127.0.0.1:{port}/postgres", "refused the user or the pass"),
        ("postgresql://banned@127.0.0.1:{port}/postgres", "pg_hba.conf keeps this user out"),
        ("postgresql://postgres@127.0.0.2:{port}/postgres", "cannot be reached; is PostgreSQL"),
        ("postgresql://outsider@127.0.0.1:{port}/postgres", "the database's user lacks a right"),
        ("postgresql://postgres@127.0.0.1:{port}/missing", "the database does not exist; create"),
        (
            "postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=require",
            "the database does not speak TLS; set ssl = on there, or leave sslmode out of",
        ),
        (
            "postgresql://postgres@127.0.0.1:{port}/postgres?search_path=a,,b",
            "the database refuses the setting search_path in RESERVESVC_STORE_URL",
        ),
        (
            "postgresql://postgres@127.0.0.1:{port}/postgres?search_path=nowhere",
            "none of the schemas in search_path exists",
        ),
        (
            "postgresql://postgres@127.0.0.1:{port}/postgres?options=--bogus%3D1",
            "the database refuses the setting bogus in RESERVESVC_STORE_URL",
        ),
        (
            "postgresql://postgres@127.0.0.1:{port}/postgres?options=-%3F",
            "the database refuses what stands in options in RESERVESVC_STORE_URL",
        ),
        ("postgresql://u:s3cret@127.0.0.1:{closed}/d", "cannot be reached; is PostgreSQL running"),
        ("postgresql://u:s3cret@no-such-host.invalid/d", "has a host name that is not known here"),
        ("postgresql:///d?host=/no/such", "cannot be reached; is PostgreSQL running there"),
    ],
)
async def test_each_cause_has_its_sentence(strict: PostgresServer, form: str, why: str) -> None:
    """The sentence says what to look at, and never "is it running" where it is."""
    assert why in await refusal(form.format(port=strict.port, closed=free_port()))


async def test_what_the_url_says_about_tls_is_done_or_told(
    by_tls: PgBouncer, tmp_path: Path
) -> None:
    """A certificate of an authority that is trusted, for the host; else the sentence says which."""
    other = Authority(tmp_path, "other").certificate
    place = f"{by_tls.port}/postgres?sslmode=verify-full"
    good = f"postgresql://postgres@localhost:{place}&sslrootcert={by_tls.directory}/authority.pem"
    assert "has no schema yet" in await refusal(good)
    unknown = f"postgresql://postgres@localhost:{place}&sslrootcert={other}"
    assert "certificate of an authority that is not trusted here; name" in await refusal(unknown)
    elsewhere = good.replace("localhost", "127.0.0.2")
    assert "a certificate that is not of the host in RESERVESVC" in await refusal(elsewhere)


async def test_a_certificate_file_that_goes_away_is_named(tmp_path: Path) -> None:
    """Also where it was there when the server started."""
    url = f"postgresql://u:s3cret@h/d?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem"
    for reason in (connect_reason, reconnect_reason):
        told = reason(FileNotFoundError(2, "No such file or directory"), url)
        assert told == (
            f"RESERVESVC_STORE_URL has an option sslrootcert that names {tmp_path}/ca.pem, which "
            "cannot be read: No such file or directory"
        )


async def test_what_only_the_driver_finds_wrong_is_told_as_the_settings_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own variables count as well, and what is wrong there is no bug of ours."""
    monkeypatch.setenv("PGSSLMODE", "bogus")
    assert await refusal("postgresql://u:s3cret@127.0.0.1/d") == UNUSABLE_URL
