"""Options of addresses: each is taken and means something, or is refused by its name."""

import inspect
import re
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import connection as redis_connection

from reservesvc import address_options
from reservesvc.config import Config, load, load_store
from reservesvc.config_table import as_markdown
from reservesvc.errors import ConfigError
from tests.certificates import Authority

ADDRESSES = {
    "redis": "redis://h",
    "rediss": "rediss://h",
    "unix": "unix:///run/redis.sock",
    "redis+sentinel": "redis+sentinel://h/shop",
    "rediss+sentinel": "rediss+sentinel://h/shop",
    "redis+cluster": "redis+cluster://h",
    "rediss+cluster": "rediss+cluster://h",
    "postgresql": "postgresql://h/d",
    "postgres": "postgres://h/d",
}
VALUES = {
    "ssl_min_version": "772",
    "ssl_ciphers": "ECDHE+AESGCM",
    "ssl_include_verify_flags": "VERIFY_X509_STRICT",
    "ssl_exclude_verify_flags": "[VERIFY_X509_STRICT, VERIFY_X509_PARTIAL_CHAIN]",
    "db": "0",
    "port": "5433",
    "sslmode": "require",
    "sslnegotiation": "postgres",
    "target_session_attrs": "read-write",
}
"""a value that can be used, where `yes`, a name or a TLS version is none"""
LIBPQ = (
    *("host", "hostaddr", "port", "dbname", "user", "password", "passfile"),
    *("require_auth", "channel_binding", "connect_timeout", "client_encoding"),
    *("options", "application_name", "fallback_application_name"),
    *("keepalives", "keepalives_idle", "keepalives_interval"),
    *("keepalives_count", "tcp_user_timeout", "replication", "gssencmode"),
    *("sslmode", "requiressl", "sslnegotiation", "sslcompression", "sslcert"),
    *("sslkey", "sslkeylogfile", "sslpassword", "sslcertmode", "sslrootcert"),
    *("sslcrl", "sslcrldir", "sslsni", "requirepeer", "ssl_min_protocol_version"),
    *("ssl_max_protocol_version", "min_protocol_version"),
    *("max_protocol_version", "krbsrvname", "gsslib", "gssdelegation"),
    *("scram_client_key", "scram_server_key", "service"),
    *("target_session_attrs", "load_balance_hosts", "oauth_issuer"),
    *("oauth_client_id", "oauth_client_secret", "oauth_scope"),
)
"""PostgreSQL 18's manual, "Parameter Key Words" """
SETTINGS = ("statement_timeout", "lock_timeout", "default_transaction_isolation", "work_mem")
"""asyncpg sends what it does not know to the server, as its settings"""


def redis_pys() -> set[str]:
    """Return every option that redis-py takes, from an address or otherwise."""
    kinds = (
        redis_connection.AbstractConnection,
        redis_connection.Connection,
        redis_connection.SSLConnection,
        redis_connection.UnixDomainSocketConnection,
        redis_connection.ConnectionPool,
        redis_connection.BlockingConnectionPool,
    )
    named = {name for kind in kinds for name in inspect.signature(kind.__init__).parameters}
    return (named | set(redis_connection.URL_QUERY_ARGUMENT_PARSERS)) - {"self", "kwargs"}


def asyncpgs() -> set[str]:
    """Return every option that asyncpg takes, from an address or otherwise."""
    text = Path(asyncpg.connect_utils.__file__).read_text()
    from_address = set(re.findall(r"query\.pop\(\s*'(\w+)'", text))
    assert "sslmode" in from_address
    return from_address | set(inspect.signature(asyncpg.connect).parameters)


EVERY = sorted(
    redis_pys() | asyncpgs() | {*LIBPQ, *SETTINGS, *address_options.REASONS, "ssl", "family"}
)


def variable(scheme: str) -> str:
    """Return the setting that an address of the scheme belongs to."""
    return "RESERVESVC_STORE_URL" if "postgres" in scheme else "RESERVESVC_REDIS_URL"


def loaded(address: str) -> Config:
    """Return the configuration with the address."""
    return load({}, {variable(address.partition(":")[0]): address})


def refusal(address: str) -> str:
    """Return the sentence that refuses the address."""
    with pytest.raises(ConfigError) as caught:
        loaded(address)
    return str(caught.value)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give what options that name files may name."""
    directory = tmp_path_factory.mktemp("files")
    made = Authority(directory)
    certificate, key = made.issue("client")
    names = ("ssl_ca_certs", "sslrootcert", "sslcrl", "passfile")
    own = {"ssl_certfile": certificate, "sslcert": certificate}
    keys = {"ssl_keyfile": key, "sslkey": key}
    paths = {**dict.fromkeys(names, made.certificate), **own, **keys, "ssl_ca_path": directory}
    texts = {name: str(path) for name, path in paths.items()}
    return {**texts, "ssl_ca_data": made.certificate.read_text()}


def value_of(option: address_options.Option, files: dict[str, str]) -> str:
    """Return a value that the option takes."""
    chosen = files.get(option.name) or VALUES.get(option.name)
    return chosen or next(
        text for text in ("yes", "name", "TLSv1.3", "required") if re.fullmatch(option.form, text)
    )


@pytest.mark.parametrize("scheme", ADDRESSES)
def test_what_the_table_has_is_taken(scheme: str, files: dict[str, str]) -> None:
    """Each option alone, with what belongs to it; nothing of it is lost."""
    belongs = {"sslkey": "sslcert", "sslpassword": "sslcert"}
    belongs |= {"ssl_keyfile": "ssl_certfile", "ssl_password": "ssl_certfile"}
    for option in address_options.OPTIONS[scheme]:
        query = {option.name: value_of(option, files)}
        if option.name in ("sslcert", "sslpassword"):
            query["sslkey"] = files["sslkey"]
        if option.name in ("ssl_certfile", "ssl_password"):
            query["ssl_keyfile"] = files["ssl_keyfile"]
        if with_it := belongs.get(option.name):
            query[with_it] = files[with_it]
        pairs = "&".join(f"{name}={quote(text, safe='')}" for name, text in query.items())
        config = loaded(f"{ADDRESSES[scheme]}?{pairs}")
        url = config.store_url if "postgres" in scheme else config.redis_url
        assert url is not None
        assert url.options == query


@pytest.mark.parametrize("scheme", ADDRESSES)
def test_every_other_option_that_a_driver_knows_is_refused_by_name(scheme: str) -> None:
    """Of redis-py, asyncpg and libpq, and settings of the server."""
    known = {option.name for option in address_options.OPTIONS[scheme]}
    for name in set(EVERY) - known:
        sentence = refusal(f"{ADDRESSES[scheme]}?{name}=s3cret")
        assert sentence.startswith(
            f"{variable(scheme)} has the option {name}, which is not supported ("
        )
        assert "s3cret" not in sentence


@pytest.mark.parametrize("scheme", ADDRESSES)
@given(name=st.text(max_size=20), value=st.text(max_size=20))
def test_whatever_stands_there_is_taken_or_refused(scheme: str, name: str, value: str) -> None:
    """Never a traceback, and no refusal repeats a value."""
    marked = f"s3cret{value}"
    query = f"{quote(name, errors='replace')}={quote(marked, errors='replace')}"
    try:
        loaded(f"{ADDRESSES[scheme]}?{query}")
    except ConfigError as error:
        assert "s3cret" not in str(error)  # noqa: PT017  (most are refused, some are not)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("redis://h?ssl=true", "(for TLS begin the address with rediss)."),
        ("redis://h?ssl_ca_certs=/ca.pem", "(for TLS begin the address with rediss)."),
        ("redis://h?timeout=5", "(RESERVESVC_DEADLINE_MS says how long everything may take)."),
        ("postgresql://h/d?sslmod=require", "(did you mean sslmode?)."),
        ("postgresql://h/d?channel_binding=require", "use sslmode=verify-full)."),
        ("redis://h?db=x", "has an option db that must be a number."),
        ("rediss://h?ssl_cert_reqs=bogus", "must be required, optional or none."),
        ("rediss://h?ssl_ciphers=bogus", "must be a list of ciphers as OpenSSL writes it."),
        ("redis://h?db=1&db=1", "has the option db twice."),
        ("redis://h?db", "has an option db that must be a number."),
        ("redis://h?db=1#x", "in a value they are written %23 and %40."),
        ("redis://h?password=a@b", "in a value they are written %23 and %40."),
        ("redis://h?a.b=1", "has the option number 1, which is not supported"),
        ("postgresql://u:p@q@h/d", "must not contain @ in the password; there it is written %40."),
        ("postgresql://h:x/d", "must name a database: postgresql://user:password@host/database."),
        ("postgresql://h/d?target_session_attrs=standby", "for bookings are written."),
    ],
)
def test_a_refusal_says_what_to_do(address: str, why: str) -> None:
    """What is allowed, what the option is called here, or what does its work."""
    assert why in refusal(address)


@pytest.mark.parametrize(
    ("scheme", "query", "why"),
    [
        ("rediss", "ssl_ca_certs=/no/x.pem", "ssl_ca_certs that names /no/x.pem, which cannot be"),
        ("rediss", "ssl_ca_certs={empty}", "ssl_ca_certs that names {empty}, which holds no PEM"),
        ("rediss", "ssl_ca_path={empty}", "ssl_ca_path that names {empty}, which is no directory."),
        ("rediss", "ssl_ca_data=x", "ssl_ca_data that holds no PEM certificate."),
        ("rediss", "ssl_keyfile={key}", "has the option ssl_keyfile without ssl_certfile."),
        ("rediss", "ssl_certfile={own}", "has an option ssl_certfile that cannot be used"),
        ("rediss+cluster", "ssl_ca_certs=/no", "cannot be read: No such file or directory."),
        ("rediss+sentinel", "ssl_ca_certs=/", "cannot be read: Is a directory."),
        ("postgresql", "sslmode=verify-full", "has sslmode=verify-full and no sslrootcert, the"),
        ("postgresql", "sslmode=verify-ca", "has sslmode=verify-ca and no sslrootcert, the"),
        ("postgresql", "sslmode=verify-full&sslrootcert=/no", "sslrootcert that names /no, which"),
        ("postgresql", "sslcrl={empty}", "sslcrl that names {empty}, which holds no PEM"),
        ("postgresql", "sslcert={own}&sslkey={other}", "sslcert that cannot be used"),
        ("postgresql", "sslpassword=x", "has the option sslpassword without sslcert."),
        ("postgresql", "passfile=/no/pass", "passfile that names /no/pass, which cannot be read"),
        ("postgresql", "sslnegotiation=direct", "needs sslmode=require, verify-ca or verify-full."),
        (
            "postgresql",
            "ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2",
            "ssl_min_protocol_version that is above ssl_max_protocol_version.",
        ),
    ],
)
def test_files_are_looked_at_before_they_are_needed(
    scheme: str, query: str, why: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server does not start with what would fail at its first connection."""
    directory = Path(files["ssl_ca_path"])
    monkeypatch.setenv("HOME", str(directory))
    (directory / "empty").touch()
    named = {
        "own": files["sslcert"],
        "key": files["sslkey"],
        "other": directory / "authority.key",
        "empty": directory / "empty",
    }
    sentence = refusal(f"{ADDRESSES[scheme]}?{query.format(**named)}")
    assert sentence.startswith(f"{variable(scheme)} has ")
    assert why.format(**named) in sentence
    if scheme == "postgresql":
        with pytest.raises(ConfigError) as caught:
            load_store({}, {variable(scheme): f"postgresql://h/d?{query.format(**named)}"})
        assert str(caught.value) == sentence


def test_an_authority_at_the_usual_place_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver finds ~/.postgresql/root.crt, and what PGSSLROOTCERT names."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "any"))
    assert loaded("postgresql://h/d?sslmode=verify-full").store_url is not None
    monkeypatch.delenv("PGSSLROOTCERT")
    (tmp_path / ".postgresql").mkdir()
    Authority(tmp_path).certificate.rename(tmp_path / ".postgresql" / "root.crt")
    assert loaded("postgresql://h/d?sslmode=verify-full").store_url is not None


def test_every_option_is_on_the_page() -> None:
    """With the kinds of addresses that take it."""
    page = as_markdown()
    for scheme, options in address_options.OPTIONS.items():
        for option in options:
            assert f"| `{option.name}` | " in page, scheme
    assert "| `db` | every Redis | a number |" in page
    assert "| `password` | every Redis, PostgreSQL |" in page
