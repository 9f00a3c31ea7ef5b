"""Connections: whole requests take the short way, all others aiohttp's, and nobody can tell."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader

from reservesvc.api.connection import CONNECTION, Connection, connection_of
from reservesvc.api.refusing import RefusingConnection
from tests.api.client import SLOT, Http
from tests.api.conftest import Start
from tests.api.stubs import RESERVATION_ID, Stubs
from tests.api.wire import LIVEZ, WAIT_S, Gate, listening

BODY = json.dumps(SLOT | {"what": "W", "where": "X", "description": "D"}).encode()
RESERVE = b"POST /v2/bookings/reserve HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%b\r\n%b"


LARGE_BYTES = 10_000_000


def reserve(more: bytes = b"") -> bytes:
    """Return a whole request, with more header lines."""
    return RESERVE % (len(BODY), more, BODY)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection that closes in the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(WAIT_S):
            yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def status(reader: asyncio.StreamReader) -> int:
    """Read one whole reply and return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    await reader.readexactly(int(length.split()[1]))
    return int(head.split()[1])


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note which requests take the short way."""
    taken: list[str] = []
    begin = Connection._begin

    def noted(
        self: Connection,
        message: RawRequestMessage,
        payload: StreamReader,
        waiter: "asyncio.Future[None]",
    ) -> None:
        taken.append(message.path)
        begin(self, message, payload, waiter)

    monkeypatch.setattr(Connection, "_begin", noted)
    return taken


async def test_whole_requests_take_the_short_way(http: Http, short: list[str]) -> None:
    """One behind the other on one connection, with a body and without."""
    async with connected(http.port) as (reader, writer):
        for request, expected in ((reserve(), 201), (LIVEZ, 200), (reserve(), 201)):
            writer.write(request)
            assert await status(reader) == expected
    assert short == ["/v2/bookings/reserve", "/livez", "/v2/bookings/reserve"]


async def test_a_request_in_pieces_goes_the_long_way(http: Http, short: list[str]) -> None:
    """Cut anywhere it is answered once; the next whole one takes the short way again."""
    async with connected(http.port) as (reader, writer):
        for cut in (1, 30, len(reserve()) - len(BODY), len(reserve()) - 1):
            writer.write(reserve()[:cut])
            await asyncio.sleep(0.01)
            writer.write(reserve()[cut:])
            assert await status(reader) == 201
        writer.write(LIVEZ)
        assert await status(reader) == 200
    assert short[-1] == "/livez"


async def test_reading_pauses_and_goes_on(
    start: Start, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than fits came while nobody took it; once somebody does, the rest is read."""
    paused, pause = asyncio.Event(), Connection.pause_reading

    def noted(self: Connection) -> None:
        paused.set()
        pause(self)

    monkeypatch.setattr(Connection, "pause_reading", noted)
    http, gate = await start(), Gate(stubs, "release")
    head = f"DELETE /v2/bookings/reserve/{RESERVATION_ID} HTTP/1.1\r\nHost: h\r\n"
    async with connected(http.port) as (reader, writer):
        writer.write(f"{head}Content-Length: {LARGE_BYTES}\r\n\r\n".encode())
        await gate.entered.wait()
        writer.write(b" " * LARGE_BYTES + LIVEZ)
        await paused.wait()
        gate.opened.set()
        assert [await status(reader), await status(reader)] == [503, 200]


async def test_requests_behind_one_another_are_answered_in_order(http: Http) -> None:
    """A hundred in one piece, the tenth of them another: its reply is the tenth."""
    requests = [LIVEZ if number == 9 else reserve() for number in range(100)]
    async with connected(http.port) as (reader, writer):
        writer.write(b"".join(requests))
        found = [await status(reader) for _ in requests]
    assert found == [200 if number == 9 else 201 for number in range(100)]


async def test_what_comes_while_a_request_is_answered_waits_its_turn(
    start: Start, stubs: Stubs, short: list[str]
) -> None:
    """Later requests are answered after the first, though they could be at once."""
    http, gate = await start(), Gate(stubs)
    async with connected(http.port) as (reader, writer):
        writer.write(reserve())
        await gate.entered.wait()
        for byte in LIVEZ + LIVEZ:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        gate.opened.set()
        assert [await status(reader) for _ in range(3)] == [503, 200, 200]
    assert short == ["/v2/bookings/reserve"]


@pytest.mark.parametrize("more", [b"Connection: close\r\n", b"Content-Encoding: gzip\r\n"])
async def test_a_last_request_ends_the_connection(http: Http, more: bytes) -> None:
    """Asked for by the client, or by a refusal after which nothing can follow."""
    async with connected(http.port) as (reader, writer):
        writer.write(reserve(more))
        reply = await reader.read()
    assert b"Connection: close\r\n" in reply


async def test_what_is_no_http_is_refused(http: Http) -> None:
    """Also behind a good request."""
    for before in (b"", LIVEZ):
        async with connected(http.port) as (reader, writer):
            writer.write(before)
            if before:
                assert await status(reader) == 200
            writer.write(b"nonsense\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")


async def test_an_idle_connection_is_reaped_and_one_in_use_is_not(stubs: Stubs) -> None:
    """Idle time counts from the last reply; a request that takes longer than it is answered."""
    gate, loop = Gate(stubs), asyncio.get_running_loop()
    async with (
        listening(stubs, keepalive_s=0.2) as server,
        connected(server.addresses[0][1]) as (reader, writer),
    ):
        writer.write(reserve())
        await gate.entered.wait()
        await asyncio.sleep(0.5)
        gate.opened.set()
        assert await status(reader) == 503
        begun_s = loop.time()
        assert await reader.read() == b""
        assert 0.1 < loop.time() - begun_s < 2


async def test_stopping_waits_for_what_is_being_answered(stubs: Stubs) -> None:
    """A request in flight gets its reply, and idle connections do not hold the end up."""
    gate, loop = Gate(stubs), asyncio.get_running_loop()
    async with listening(stubs) as server:
        port = server.addresses[0][1]
        async with connected(port) as (reader, writer), connected(port) as (idle, other):
            other.write(LIVEZ)
            assert await status(idle) == 200
            writer.write(reserve())
            await gate.entered.wait()
            loop.call_later(0.1, gate.opened.set)
            stopping = loop.create_task(server.cleanup())
            assert await status(reader) == 503
            assert await reader.read() == await idle.read() == b""
            writer.close()
            begun_s = loop.time()
            await stopping
            assert loop.time() - begun_s < 1


async def test_a_client_that_has_gone_is_no_failure(
    start: Start, stubs: Stubs, caplog: pytest.LogCaptureFixture
) -> None:
    """Its request is carried out, nobody is answered, and nothing is logged about it."""
    http, gate = await start(), Gate(stubs)
    async with connected(http.port) as (_, writer):
        writer.write(reserve())
        await gate.entered.wait()
        writer.transport.abort()
    await asyncio.sleep(0.05)
    gate.opened.set()
    async with connected(http.port) as (reader, writer):
        writer.write(LIVEZ)
        assert await status(reader) == 200
    assert not caplog.records


def test_another_aiohttp_gets_its_own_connections() -> None:
    """What leans on private attributes is for the releases it was tested with only."""
    assert connection_of("3.14.9") is CONNECTION is Connection
    assert connection_of("3.15.0") is connection_of("4.0.0a1") is RefusingConnection
