"""Connections that end, because the client closes its sending side or because the server stops.

On asyncio's loop and on uvloop's, for each has transports of its own.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import uvloop
from aiohttp import web

from reservesvc.api import refusing
from tests.api.client import RESERVE
from tests.api.stubs import RESERVATION_ID, Stubs
from tests.api.wire import LIVEZ, WAIT_S, Answer, Gate, answers, exchange, listening

BODY = json.dumps(RESERVE).encode()
HEAD = b"POST /v2/bookings/reserve HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(BODY)
WHOLE = HEAD + BODY
CHUNKED = (
    b"POST /v2/bookings/reserve HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%x\r\n%b\r\n" % (len(BODY), BODY)
)
RELEASE = (
    f"DELETE /v2/bookings/reserve/{RESERVATION_ID} HTTP/1.1\r\nHost: h\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
).encode()
MANY = 100
Talk = Callable[[web.ServerRunner, int, Stubs], Awaitable[None]]
On = Callable[[Talk], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def on(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> On:
    """Return what runs a talk with a server, and sees that no connection is left behind.

    The server waits for clients that keep their side open for longer than a talk may take.
    """
    monkeypatch.setattr(refusing, "LINGERING_S", 10 * WAIT_S)

    async def held(talk: Talk) -> None:
        stubs = Stubs()
        async with listening(stubs) as server, asyncio.timeout(WAIT_S):
            await talk(server, server.addresses[0][1], stubs)
            while server.server is not None and server.server.connections:
                await asyncio.sleep(0.01)

    def run(talk: Talk) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(held(talk))
        assert not caplog.records

    return run


async def begun(server: web.ServerRunner) -> None:
    """Wait until a request is being answered; its body may still be to come."""
    assert server.server is not None
    while not any(getattr(each, "current", None) for each in server.server.connections):
        await asyncio.sleep(0)


def statuses(found: list[Answer]) -> list[int]:
    """Return the statuses of replies."""
    return [answer.status for answer in found]


ASKED: dict[str, tuple[tuple[bytes, ...], list[int]]] = {
    "a whole request": ((WHOLE,), [201]),
    "a head in two pieces": ((WHOLE[:9], WHOLE[9:]), [201]),
    "a body behind its head": ((HEAD, BODY), [201]),
    "chunks": ((CHUNKED, b"0\r\n\r\n"), [201]),
    "three in one piece": ((WHOLE + LIVEZ + WHOLE,), [201, 200, 201]),
    "three in three pieces": ((WHOLE, LIVEZ, WHOLE), [201, 200, 201]),
    "more than are queued": ((LIVEZ * MANY,), [200] * MANY),
    "one and a malformed one": ((LIVEZ + b"nonsense\r\n\r\n",), [200, 400]),
    "one and half a head": ((LIVEZ + LIVEZ[:-2],), [200]),
    "half a head": ((LIVEZ[:-2],), []),
    "nothing": ((), []),
    "half a body": ((HEAD + BODY[:9],), [400]),
    "no body": ((HEAD,), [400]),
    "one, and one without its body": ((WHOLE + HEAD,), [201, 400]),
    "chunks without the last": ((CHUNKED,), [400]),
}


@pytest.mark.parametrize("name", ASKED)
def test_everything_that_was_asked_is_answered(on: On, name: str) -> None:
    """In order; a body that is not whole is refused, half a head is not answered."""
    pieces, expected = ASKED[name]

    async def talk(_: web.ServerRunner, port: int, stubs: Stubs) -> None:
        found = await exchange(port, *pieces, ends=True)
        assert statuses(found) == expected
        reserved = [name for name, _ in stubs.reservations.calls if name == "reserve"]
        assert len(reserved) == expected.count(201)

    on(talk)


@pytest.mark.parametrize(
    "name", ["a whole request", "a body behind its head", "three in one piece"]
)
def test_an_answer_that_takes_its_time(on: On, name: str) -> None:
    """The end of the client's requests comes while a handler works."""
    pieces, expected = ASKED[name]

    async def talk(_: web.ServerRunner, port: int, stubs: Stubs) -> None:
        gate = Gate(stubs)
        asking = asyncio.create_task(exchange(port, *pieces, ends=True))
        await gate.entered.wait()
        await asyncio.sleep(0.05)
        assert not asking.done()
        gate.opened.set()
        assert statuses(await asking) == [503 if each == 201 else each for each in expected]

    on(talk)


def test_an_idle_connection_closes_at_once(on: On) -> None:
    """Behind the last answer there is nothing to wait for."""

    async def talk(_: web.ServerRunner, port: int, stubs: Stubs) -> None:
        del stubs
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(LIVEZ)
        await reader.readuntil(b"live")
        writer.write_eof()
        assert (await reader.read()).endswith(b"}")
        writer.close()

    on(talk)


@pytest.mark.parametrize("ends", [True, False], ids=["ended", "broken"])
def test_a_body_that_nobody_reads(on: On, ends: bool) -> None:  # noqa: FBT001 - a parameter
    """Ended early or broken, it changes nothing about the answer, and no bug is logged."""

    async def talk(_: web.ServerRunner, port: int, stubs: Stubs) -> None:
        gate = Gate(stubs, "release")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(RELEASE)
        await gate.entered.wait()
        writer.write_eof() if ends else writer.write(b"zz\r\n")
        await asyncio.sleep(0.05)
        gate.opened.set()
        assert statuses(answers(await reader.read())) == [503]
        writer.close()

    on(talk)


def test_a_body_that_ends_after_its_answer(on: On) -> None:
    """A request that is refused at its head, and whose client then closes its sending side."""

    async def talk(_: web.ServerRunner, port: int, stubs: Stubs) -> None:
        del stubs
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD.replace(b"reserve", b"reserve/none/none"))
        received = await reader.read(1)
        writer.write_eof()
        assert statuses(answers(received + await reader.read())) == [404]
        writer.close()

    on(talk)


def test_clients_that_vanish_leave_nothing_behind(on: On) -> None:
    """Closed or reset while their requests are answered; the next client is served."""

    async def talk(_: web.ServerRunner, port: int, stubs: Stubs) -> None:
        gate = Gate(stubs)
        for number in range(1, 20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(WHOLE if number % 3 else HEAD)
            await gate.entered.wait()
            assert not reader.at_eof()
            if number % 2:
                writer.transport.abort()
            else:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()
        gate.opened.set()
        assert statuses(await exchange(port, LIVEZ, ends=True)) == [200]

    on(talk)


ARRIVING = {
    "the whole body is to come": (HEAD, BODY),
    "half the body is to come": (HEAD + BODY[:9], BODY[9:]),
    "the last chunk is to come": (CHUNKED, b"0\r\n\r\n"),
    "another request follows the body": (HEAD, BODY + WHOLE),
    "nonsense follows the body": (HEAD, BODY + b"nonsense\r\n\r\n"),
}


@pytest.mark.parametrize("name", ARRIVING)
def test_a_body_that_arrives_while_the_server_stops(on: On, name: str) -> None:
    """It is read to its end and answered, and the reply says that it is the last one."""
    before, after = ARRIVING[name]

    async def talk(server: web.ServerRunner, port: int, stubs: Stubs) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(before)
        await begun(server)
        stopping = asyncio.create_task(server.cleanup())
        await asyncio.sleep(0.1)
        assert not stopping.done()
        for byte in after:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        (answer,) = answers(await reader.read())
        writer.close()
        await stopping
        assert answer.status == 201
        assert answer.headers["Connection"] == "close"
        assert len(stubs.reservations.calls) == 1

    on(talk)


def test_a_body_that_breaks_while_the_server_stops(on: On) -> None:
    """Its request is refused, at once."""

    async def talk(server: web.ServerRunner, port: int, stubs: Stubs) -> None:
        del stubs
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CHUNKED)
        await begun(server)
        stopping = asyncio.create_task(server.cleanup())
        await asyncio.sleep(0.1)
        writer.write(b"zz\r\n")
        (answer,) = answers(await reader.read())
        writer.close()
        await stopping
        assert answer.code == "malformed_request"

    on(talk)


def test_the_last_reply_of_a_server_that_stops_says_so(on: On) -> None:
    """Clients then send their next request elsewhere, and not into a closed connection."""

    async def talk(server: web.ServerRunner, port: int, stubs: Stubs) -> None:
        gate = Gate(stubs)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE)
        await gate.entered.wait()
        stopping = asyncio.create_task(server.cleanup())
        await asyncio.sleep(0.05)
        gate.opened.set()
        with suppress(ConnectionError):
            for _ in range(20):  # whatever the client sends meanwhile, the reply arrives
                writer.write(b"x" * 65_536)
                await writer.drain()
        (answer,) = answers(await reader.read())
        writer.close()
        await stopping
        assert answer.headers["Connection"] == "close"

    on(talk)
