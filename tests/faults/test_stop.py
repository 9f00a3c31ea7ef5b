"""Rows of the fault matrix about how a server ends."""

import asyncio
import json
import shutil
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from reservesvc.domain import times
from reservesvc.embedded_files import socket_path
from tests.builders import at
from tests.faults.client import Client
from tests.faults.conftest import Holds
from tests.faults.history import History, Slot, Terms
from tests.faults.process import ServerProcess, in_background
from tests.faults.trial import Trial, slot_of, trial

IN_FLIGHT = 30
WITHIN_S = 10.0
PATIENT_MS = 20_000
"""requests are kept waiting for as long as the test needs"""


async def test_sigterm_under_load(holds: Holds) -> None:
    """Requests in flight are finished and answered well, and the exit status is 0."""
    async with trial(deadline_ms=PATIENT_MS, grace_ms=2 * PATIENT_MS) as made:
        choice = [slot_of(f"room-{number}") for number in range(IN_FLIGHT)]
        for slot in choice:  # warm indexes, and settings that were read
            await made.client.release(await made.client.reserve(slot, 1))
        await _stop_with_requests_in_flight(made, choice)
        await made.cluster.restart(made.cluster.servers[0])
        await holds(made, choice)


async def _stop_with_requests_in_flight(made: Trial, choice: list[Slot]) -> None:
    server, line = made.cluster.servers[0], made.cluster.proxies[0]
    line.stall()
    # Each on a line of its own, as it is when they come from many clients.
    requests = [asyncio.create_task(made.client.reserve(slot, 60)) for slot in choice]
    await _until("Redis has heard of all", lambda: _reserved(made, len(choice)))
    window = made.begin("stopped", freezes=True)
    server.terminate()
    await _until("it takes no more", lambda: _is_closed(server))
    assert not any(request.done() for request in requests)
    line.heal()
    answers = await asyncio.gather(*requests)
    assert await server.ended() == 0
    assert [op.status for op in answers] == [201] * len(choice)
    assert await made.client.request(0, "GET", "/livez") == 0
    made.end(window)


async def test_sigterm_while_a_body_arrives() -> None:
    """What is still sent of it is read, and the answer is the one that it would have been."""
    body = json.dumps(
        {
            "resource_id": "room-1",
            "start": times.render(at(10)),
            "end": times.render(at(11)),
            "what": "Haircut",
            "where": "Main street 1",
            "description": "",
        }
    ).encode()
    head = f"POST /v2/bookings/reserve HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
    async with trial(deadline_ms=PATIENT_MS, grace_ms=2 * PATIENT_MS) as made:
        server = made.cluster.servers[0]
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head.encode() + body[:20])
        await asyncio.sleep(0.1)
        server.terminate()
        await _until("it takes no more", lambda: _is_closed(server))
        writer.write(body[20:])
        reply = (await reader.read()).decode()
        writer.close()
        assert reply.startswith("HTTP/1.1 201 ")
        assert "Connection: close\r\n" in reply
        assert await server.ended() == 0


async def _until(what: str, holds: Callable[[], Awaitable[bool]]) -> None:
    until_s = time.monotonic() + WITHIN_S
    while not await holds():
        assert time.monotonic() < until_s, what
        await asyncio.sleep(0.01)


async def _reserved(made: Trial, number: int) -> bool:
    async with made.cluster.redis_client() as redis:
        return len([key async for key in redis.scan_iter("reservation:*")]) == number


async def _is_closed(server: ServerProcess) -> bool:
    return not await asyncio.to_thread(server.is_live)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return a directory whose path is short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="rsv-"))
    yield path / "data"
    # A Redis that ends with its server may still be removing its own files.
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("how", ["terminate", "kill"])
async def test_the_embedded_redis_goes_with_its_parent(data_dir: Path, how: str) -> None:
    """Stopped or killed, it leaves no orphan, and the next start has what was acknowledged."""
    server = ServerProcess("embedded", data_dir.parent, {"DATA_DIR": data_dir})
    client = Client([server.url], History(terms=Terms(deadline_s=2, grace_s=10)))
    try:
        await in_background(server.start)
        await server.started()
        held = await client.reserve(slot_of("room-1"), 60)
        booked = await client.hand_off(await client.reserve(slot_of("room-1", 12), 60))
        assert _answers(data_dir)
        getattr(server, how)()
        assert await server.ended() == (0 if how == "terminate" else -9)
        await _until("the embedded Redis ends with its parent", lambda: _is_gone(data_dir))
        await in_background(server.start)
        await server.started()
        assert await client.request(0, "GET", f"/v2/bookings/{booked.booking_id}") == 200
        assert (await client.hand_off(held)).status == 201
        assert server.errors() == []
    finally:
        await client.close()
        server.close()


async def _is_gone(data_dir: Path) -> bool:
    return not _answers(data_dir)


def _answers(data_dir: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(socket_path(data_dir / "redis")))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
