"""HTTP as bytes: servers over stubs, what is sent to them piece by piece, and what they send."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from aiohttp import web

from reservesvc.api.application import runner
from reservesvc.errors import UnavailableError
from tests.api.client import application
from tests.api.stubs import Stubs

WAIT_S = 5
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"


class Answer(NamedTuple):
    """One reply as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The code of the problem, None where there is none."""
        if self.headers.get("Content-Type") != "application/problem+json":
            return None
        return str(json.loads(self.body)["code"])


def answers(received: bytes) -> list[Answer]:
    """Split what a server sent into replies; whatever is not one makes this fail."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        protocol, status, _ = first.split(" ", 2)
        assert protocol == "HTTP/1.1"
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers["Content-Length"])
        body, received = received[:length], received[length:]
        assert len(body) == length
        found.append(Answer(int(status), headers, body))
    return found


async def exchange(port: int, *pieces: bytes, ends: bool = False) -> list[Answer]:
    """Send each piece by itself, and read until the server closes the connection."""
    async with asyncio.timeout(WAIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        received = asyncio.create_task(reader.read())
        with suppress(ConnectionError):  # refused before it was sent
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if ends:
                writer.write_eof()
        try:
            return answers(await received)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def listening(stubs: Stubs, keepalive_s: float = 75) -> AsyncIterator[web.ServerRunner]:
    """Run a server over the stubs."""
    server = runner(application(stubs.stores), keepalive_s=keepalive_s, shutdown_s=WAIT_S)
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0).start()
    try:
        yield server
    finally:
        await server.cleanup()


class Gate:
    """Keeps the store's answer back, and tells when it was asked for."""

    def __init__(self, stubs: Stubs, verb: str = "reserve") -> None:
        self.entered, self.opened = asyncio.Event(), asyncio.Event()
        stubs.reservations.will(verb, self._wait)

    async def _wait(self) -> object:
        self.entered.set()
        await self.opened.wait()
        raise UnavailableError("redis", "Redis does not answer.")
