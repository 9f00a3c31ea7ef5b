"""Why a Redis cannot be connected to: a sentence for each cause, from real servers."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest
import uvloop
from redis import Redis

from reservesvc.errors import UnavailableError
from reservesvc.reservations import health
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.redis_errors import connect_reason
from tests.certificates import Authority
from tests.programs import needed
from tests.servers import RedisServer, free_port, tls_server_binary

DEADLINE_S = 5.0
PATIENCE_S = 10.0
"""for a busy machine; where none of this takes time the sentence is there well within a second"""
PASSWORD = "s3cret"
MAXCLIENTS = "takes no more clients; raise its maxclients"
NO_TLS = "does not speak TLS at this port; begin RESERVESVC_REDIS_URL with redis in place of rediss"
IS_TLS = "speaks TLS at this port; begin RESERVESVC_REDIS_URL with rediss in place of redis"
AUTHORITY = "has a certificate of an authority that is not trusted here; name the authority's as"
NO_REDIS = "answers as no Redis does"

Loop = Callable[[Coroutine[object, object, str]], str]


class Place:
    """A server with users, with a port for TLS where the binary speaks it, and certificates."""

    def __init__(self, directory: Path, binary: str | None) -> None:
        self.authority = Authority(directory)
        self.other = Authority(directory, "other")
        self.plain, self.tls = free_port(), free_port()
        certificate, key = self.authority.issue("server")
        self.files = {"ca": self.authority.certificate, "other": self.other.certificate}
        over_tls = {
            "tls-port": str(self.tls),
            "tls-cert-file": str(certificate),
            "tls-key-file": str(key),
            "tls-ca-cert-file": str(self.authority.certificate),
            "tls-auth-clients": "no",
        }
        self.server = RedisServer(
            port=self.plain, more=over_tls if binary else {}, binary=binary or ""
        )

    def start(self) -> None:
        """Start the server, and let it know its users."""
        self.server.start()
        rights: dict[str, tuple[str, ...]] = {"noinfo": ("-info",), "noselect": ("-select",)}
        for user, rules in {**rights, "off": ("off",), "noconfig": ("-config",)}.items():
            self.ask("ACL", "SETUSER", user, "on", f">{PASSWORD}", "~*", "+@all", *rules)

    def ask(self, *words: str | int) -> None:
        """Send one command."""
        with Redis.from_url(self.server.url) as client:
            client.execute_command(*words)

    def url(self, form: str) -> str:
        """Return an address, its ports and files filled in."""
        named = {"plain": self.plain, "tls": self.tls, "password": PASSWORD, **self.files}
        return form.format(**named, socket=self.server.socket_path, closed=free_port())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Run the server that the tests run against."""
    made = Place(tmp_path_factory.mktemp("plain"), None)
    made.start()
    yield made
    made.server.close()


@pytest.fixture(scope="module")
def tls_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Run a server that speaks TLS."""
    binary = needed(tls_server_binary, "redis-server")
    made = Place(tmp_path_factory.mktemp("tls"), binary)
    made.start()
    yield made
    made.server.close()


@pytest.fixture(
    scope="module",
    params=[uvloop.new_event_loop, asyncio.new_event_loop],
    ids=["uvloop", "asyncio"],
)
def run(request: pytest.FixtureRequest) -> Iterator[Loop]:
    """Give each of the two event loops, whose errors differ; one for all tests.

    What a test closed the loop lets go of while the next one runs.
    """
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run
        runner.run(asyncio.sleep(0.05))


async def why(url: str) -> str:
    """Return what readiness says of the Redis at `url`."""
    pipeline = Pipeline(url, DEADLINE_S)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await health.check(pipeline, Keys())
    except UnavailableError as error:
        return error.detail
    finally:
        await pipeline.close()
    return "ready"


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("redis://localhost:{plain}/15?client_name=x&socket_keepalive=no", "ready"),
        ("redis://127.0.0.1:{plain}?username=noconfig&password={password}", "ready"),
        ("unix://{socket}?db=15", "ready"),
        (
            "redis://noinfo:{password}@localhost:{plain}",
            "does not let this user run INFO (ACL); docs/operations.md lists the rights it needs",
        ),
        ("redis://noselect:{password}@localhost:{plain}/1", "does not let this user run SELECT"),
        ("redis://localhost:{plain}/9999", "has no database of the number in RESERVESVC_REDIS_URL"),
        ("unix://{socket}?db=9999", "has no database of the number in RESERVESVC_REDIS_URL"),
        ("redis://off:{password}@localhost:{plain}", "does not accept the name and password in"),
        ("redis://noinfo:wr0ng@localhost:{plain}", "does not accept the name and password in"),
        ("redis://:{password}@localhost:{plain}", "has no password, and RESERVESVC_REDIS_URL"),
        ("redis://localhost:{closed}", "cannot be connected to; is it running where RESERVESVC_"),
        ("rediss://localhost:{closed}", "cannot be connected to; is it running where RESERVESVC_"),
        ("unix:///no/such.sock", "cannot be connected to; is it running where RESERVESVC_"),
        ("redis://no-such-host.invalid", "has a host name in RESERVESVC_REDIS_URL that is not"),
        ("rediss://localhost:{plain}", NO_TLS),
    ],
)
def test_each_cause_has_its_sentence(place: Place, run: Loop, form: str, reason: str) -> None:
    """And no password in it."""
    sentence = run(why(place.url(form)))
    assert sentence.startswith(reason)
    assert not {PASSWORD, "wr0ng"} & set(sentence.split())


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("rediss://localhost:{tls}?ssl_ca_certs={ca}", "ready"),
        ("rediss://localhost:{tls}?ssl_cert_reqs=none", "ready"),
        ("rediss://localhost:{tls}?ssl_ca_certs={ca}&ssl_min_version=772", "ready"),
        ("rediss://127.0.0.2:{tls}?ssl_ca_certs={ca}&ssl_check_hostname=no", "ready"),
        ("rediss://noinfo:{password}@localhost:{tls}?ssl_ca_certs={ca}", "does not let this user"),
        ("rediss://localhost:{tls}", AUTHORITY),
        ("rediss://localhost:{tls}?ssl_ca_certs={other}", AUTHORITY),
        ("rediss://127.0.0.2:{tls}?ssl_ca_certs={ca}", "has a certificate that is not of the host"),
        ("redis://localhost:{tls}", IS_TLS),
        ("redis://:{password}@localhost:{tls}/3", IS_TLS),
        ("rediss://localhost:{plain}?ssl_ca_certs={ca}", NO_TLS),
        (
            "rediss://localhost:{tls}?ssl_ca_certs=/no/ca.pem",
            "has an option ssl_ca_certs that names /no/ca.pem, which cannot be read: No such file",
        ),
    ],
)
def test_each_mistake_with_tls_has_its_sentence(
    tls_place: Place, run: Loop, form: str, reason: str
) -> None:
    """What is wrong is the certificate, its authority or host, a file, or the port."""
    assert run(why(tls_place.url(form))).startswith(reason)


def test_a_server_that_asks_for_our_certificate_says_so(tls_place: Place, run: Loop) -> None:
    """And is ready for a client that has one of its authority."""
    certificate, key = tls_place.authority.issue("client")
    url = tls_place.url("rediss://localhost:{tls}?ssl_ca_certs={ca}")
    tls_place.ask("CONFIG", "SET", "tls-auth-clients", "yes")
    try:
        assert run(why(url)).startswith("asks for a certificate of ours")
        assert run(why(f"{url}&ssl_certfile={certificate}&ssl_keyfile={key}")) == "ready"
    finally:
        tls_place.ask("CONFIG", "SET", "tls-auth-clients", "no")


@pytest.mark.parametrize(
    "form",
    [
        "redis://localhost:{plain}",
        "redis://localhost:{plain}/9999",
        "redis://:{password}@localhost:{plain}",
        "unix://{socket}",
    ],
)
def test_too_many_clients_are_too_many_clients(place: Place, run: Loop, form: str) -> None:
    """The server says so and closes, often before our first command reaches it."""
    with Redis.from_url(place.server.url) as client:
        client.config_set("maxclients", 1)
        try:
            assert run(why(place.url(form))).startswith(MAXCLIENTS)
        finally:
            client.config_set("maxclients", 10_000)


def test_too_many_clients_over_tls_may_be_the_reason(tls_place: Place, run: Loop) -> None:
    """The server ends the connection without a word, so the sentence asks."""
    with Redis.from_url(tls_place.server.url) as client:
        client.config_set("maxclients", 1)
        try:
            assert "as its maxclients allows" in run(
                why(tls_place.url("rediss://localhost:{tls}?ssl_ca_certs={ca}"))
            )
        finally:
            client.config_set("maxclients", 10_000)


def test_another_service_is_none(run: Loop) -> None:
    """A web server, say, at the port of Redis."""

    async def asked(scheme: str) -> str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await why(f"{scheme}://127.0.0.1:{port}")

    assert run(asked("redis")).startswith(NO_REDIS)
    assert run(asked("rediss")).startswith("does not speak TLS at this port")


def test_a_silent_server_is_told_as_silent(run: Loop) -> None:
    """One that takes connections and says nothing is no server without TLS."""

    async def asked(scheme: str) -> str:
        async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(keep, "127.0.0.1", 0)
        async with server:
            url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            pipeline = Pipeline(url, 0.3)
            with pytest.raises(UnavailableError) as caught:
                await pipeline.command("PING")
            await pipeline.close()
            return caught.value.detail

    for scheme in ("redis", "rediss"):
        assert run(asked(scheme)) == "did not answer in time while connecting"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "x"), "has a socket that this user may not open"),
        (ssl.SSLError(1, "[SSL: X] x"), "cannot agree on TLS (no reason given)"),
        (OSError("s3cret"), None),
    ],
)
def test_what_is_hard_to_bring_about(error: Exception, reason: str | None) -> None:
    """A cause that is not known is left to the general sentence."""
    assert connect_reason(error) == reason
