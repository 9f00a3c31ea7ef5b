"""Row of the fault matrix: slow clients, large bodies, hostile ids, against a running server."""

import asyncio
import json
import time
from typing import Any
from urllib.parse import quote

import pytest

from tests.builders import DAY
from tests.faults.conftest import Holds
from tests.faults.trial import Trial, slot_of, trial

SLOT = slot_of("room-1")
DRIPPING, SILENT = 40, 40
LARGE = 10_000_000
CHUNK = 65_536
HUNG_UP_S = 5
GOOD: dict[str, Any] = {
    "resource_id": "room-1",
    "start": f"{DAY}T20:00:00Z",
    "end": f"{DAY}T21:00:00Z",
    "what": "",
    "where": "",
    "description": "",
    "customer": {"name": "Ada", "email": "ada@example.com"},
}
IDS = ["{room}", "{}", "a:b", ":", "a\nb", "a\r\nb", "a\x00b", "é", "a b", "*", "a" * 129, "", "-"]
BODIES = {
    "nothing": b"",
    "a colon": b":",
    "a newline": b"\n",
    "an empty object": b"{}",
    "a list": b"[]",
    "a string": b'"x"',
    "half an object": b'{"resource_id": "ro',
    "NaN": json.dumps(GOOD | {"quantity": float("nan")}).encode(),
    "a huge number": json.dumps(GOOD).encode()[:-1] + b', "quantity": 1e400}',
    "a large integer": json.dumps(GOOD | {"quantity": 2**70}).encode(),
    "a negative quantity": json.dumps(GOOD | {"quantity": -1}).encode(),
    "deep lists": b'{"meta": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "bad UTF-8": json.dumps(GOOD).encode().replace(b"room-1", b"\xff\xfe"),
    "a lone surrogate": json.dumps(GOOD | {"what": "\ud800"}).encode(),
    "NUL in a text": json.dumps(GOOD | {"what": "a\x00b"}).encode(),
    "another encoding": json.dumps(GOOD).encode("utf-16"),
    "a slot that ends first": json.dumps(GOOD | {"end": GOOD["start"]}).encode(),
    "a year that is none": json.dumps(GOOD | {"end": "99999-12-01T20:00:00Z"}).encode(),
} | {f"id {name!r}": json.dumps(GOOD | {"resource_id": name}).encode() for name in IDS}
PATHS = [f"/v2/bookings/reserve/{quote(name, safe='')}.{'0' * 26}" for name in IDS if name]


async def exchange(port: int, head: str, body: bytes = b"") -> int:
    """Send a request as it stands; return the status, 0 where the line was cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{head}\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        async with asyncio.timeout(5):
            line = await reader.readline()
        return int(line.split()[1]) if line else 0
    except ConnectionError:
        return 0
    finally:
        writer.close()


async def state(made: Trial) -> tuple[int, int]:
    """Return how many keys and bookings there are."""
    async with made.cluster.redis_client() as redis:
        return await redis.dbsize(), len(await made.cluster.bookings.rows())


async def test_hostile_requests_change_nothing(holds: Holds) -> None:
    """Each is a 4xx that leaves no trace, and the server goes on."""
    async with trial(servers=1) as made:
        port = made.cluster.servers[0].port
        before = await state(made)
        for path in ("/v2/bookings/reserve", "/v2/bookings"):
            for name, body in BODIES.items():
                status = await exchange(port, f"POST {path} HTTP/1.1", body)
                assert 400 <= status < 500, (path, name, status)
        for path in PATHS:
            for method in ("GET", "DELETE"):
                status = await exchange(port, f"{method} {path} HTTP/1.1")
                assert 400 <= status < 500, (method, path, status)
        assert await state(made) == before
        await holds(made, [SLOT])


@pytest.mark.parametrize(
    ("length", "chunk"),
    [
        (f"Content-Length: {LARGE}", b"x" * CHUNK),
        ("Transfer-Encoding: chunked", f"{CHUNK:x}\r\n".encode() + b"x" * CHUNK + b"\r\n"),
    ],
)
async def test_a_large_body_is_cut_off(length: str, chunk: bytes, holds: Holds) -> None:
    """Ten megabytes are refused when the first are there; who goes on is hung up on."""
    async with trial(servers=1) as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.cluster.servers[0].port)
        head = f"POST /v2/bookings/reserve HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n"
        writer.write(head.encode() + 2 * chunk)
        assert int((await reader.readline()).split()[1]) == 413
        async with asyncio.timeout(HUNG_UP_S):
            with pytest.raises(ConnectionError):
                await _go_on(writer, chunk)
        writer.close()
        await holds(made, [SLOT])


async def _go_on(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    """Send and send."""
    while True:
        writer.write(chunk)
        await writer.drain()
        await asyncio.sleep(0.01)


async def test_slow_clients_disturb_nobody(holds: Holds) -> None:
    """Some drip their bodies, some say nothing at all; the others are served as ever."""
    async with trial(servers=1) as made:
        port = made.cluster.servers[0].port
        dripping = [asyncio.create_task(_drip(port)) for _ in range(DRIPPING)]
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(SILENT)]
        began_s = time.monotonic()
        while time.monotonic() - began_s < 2 * made.cluster.terms.deadline_s:
            claim = await made.client.reserve(SLOT, 1)
            assert claim.done_s - claim.sent_s < made.cluster.terms.deadline_s / 2
            await asyncio.sleep(0.05)
        statuses = await asyncio.gather(*dripping)
        assert set(statuses) == {408}
        for _, writer in silent:
            writer.close()
        await holds(made, [SLOT])


async def _drip(port: int) -> int:
    """Send a body a byte at a time until there is an answer; return its status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v2/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    answer = asyncio.create_task(reader.readline())
    try:
        while not answer.done():
            writer.write(b" ")
            await asyncio.sleep(0.05)
        return int((await answer).split()[1])
    finally:
        writer.close()
