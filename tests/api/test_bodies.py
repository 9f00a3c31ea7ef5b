"""Bodies: bounded in size and time, never unpacked, JSON whatever they call themselves."""

import asyncio

import pytest
from structlog.testing import capture_logs

from reservesvc.metrics import Metrics
from tests.api.client import BODY_BYTES_MAX, RESERVE, SLOT, Http
from tests.api.conftest import Start
from tests.api.stubs import Stubs

PATH = "/v2/bookings/reserve"


async def raw(http: Http, request: bytes) -> bytes:
    """Send bytes as they are and return everything that comes back until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
    writer.write(request)
    reply = await reader.readuntil(b"}")
    writer.close()
    await writer.wait_closed()
    return reply


async def test_a_dripping_body_times_out(start: Start) -> None:
    """A body that does not arrive within half of the deadline is a 408, and ends the connection."""
    http = await start(deadline_ms=100)
    head = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n".encode()
    reply = await raw(http, head + b"{")
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in reply
    assert b"Connection: close" in reply


async def test_a_client_that_goes_away_is_no_failure(start: Start) -> None:
    """A body that breaks off is the client's doing; the log says so without a traceback."""
    metrics = Metrics()
    http = await start(metrics=metrics)
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection("127.0.0.1", http.port)
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n".encode())
        async with asyncio.timeout(5):
            while not metrics.in_flight:
                await asyncio.sleep(0)
            writer.transport.abort()
            while metrics.in_flight:
                await asyncio.sleep(0)
    assert [(entry["event"], entry["outcome"]) for entry in logs] == [("request", "malformed_json")]


async def test_a_body_in_pieces_is_read_whole(http: Http, stubs: Stubs) -> None:
    """A chunked body is as good as one of known length."""

    async def pieces() -> object:
        yield b'{"resource_id": "room-1", "what": "W", "where": "X", "description": "D",'
        await asyncio.sleep(0)
        yield f'"start": "{SLOT["start"]}", "end": "{SLOT["end"]}"}}'.encode()

    async with http.session.post(f"http://127.0.0.1:{http.port}{PATH}", data=pieces()) as reply:
        assert reply.status == 201
    assert stubs.reservations.calls


@pytest.mark.parametrize("length", [BODY_BYTES_MAX, BODY_BYTES_MAX + 1])
async def test_the_largest_body(http: Http, length: int) -> None:
    """As many bytes as the limit are fine, one more is a 413."""
    answer = await http("POST", PATH, b" " * length)
    expected = (400, "malformed_json") if length == BODY_BYTES_MAX else (413, "payload_too_large")
    assert (answer.status, answer.code) == expected


async def test_a_body_that_says_it_is_too_large_is_not_waited_for(http: Http) -> None:
    """Content-Length alone is enough to refuse."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: {BODY_BYTES_MAX + 1}\r\n\r\n"
    reply = await raw(http, head.encode())
    assert reply.startswith(b"HTTP/1.1 413 ")


async def test_an_endless_body_is_cut_off(http: Http) -> None:
    """A chunked body without an end is refused as soon as it is too large."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    size = BODY_BYTES_MAX + 1
    reply = await raw(http, head + f"{size:x}\r\n".encode() + b" " * size)
    assert reply.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("encoding", "status"),
    [("gzip", 415), ("deflate", 415), ("br", 415), ("zstd", 415), ("identity", 201)],
)
async def test_compressed_bodies_are_refused(http: Http, encoding: str, status: int) -> None:
    """A small body could unpack to a very large one."""
    answer = await http("POST", PATH, RESERVE, Content_Encoding=encoding)
    assert answer.status == status


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_any_content_type_is_taken(http: Http, kind: str) -> None:
    """What parses as JSON is JSON; curl -d says it is a form."""
    assert (await http("POST", PATH, RESERVE, Content_Type=kind)).status == 201


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "truncated"),
        (b"[]", "list"),
        (b"null", "null"),
        (b'"text"', "string"),
        (b"{}{}", "trailing"),
        (b'{"duration": NaN}', "invalid character"),
        (b'{"duration": Infinity}', "invalid character"),
        (b'{"duration": 1' + b"0" * 5000 + b"}", "out of range"),
        (b'{"customer": {"age": 1e999}}', "out of range"),
        (b'{"what": "\xff"}', "not UTF-8"),
        (b'{"unknown": "\xff"}', "not UTF-8"),
        (b'{"what": "\\ud800"}', ""),
        (b'{"what": "a\x00b"}', "invalid character"),
        (b'{"customer":' + b"[" * 30_000, "nested too deeply"),
        (b'{"unknown":' + b'{"a":' * 10_000, "nested too deeply"),
        (b'{"customer": {"a": ' + b"[" * 100 + b"]" * 100 + b"}}", "nested too deeply"),
        (b'{"customer": {"\\u0000": ' + b"[" * 900 + b"]" * 900 + b"}}", "nested too deeply"),
        (b"\xef\xbb\xbf{}", "invalid character"),
        (b"a=b&c=d", "invalid character"),
    ],
)
async def test_what_is_no_json_object_is_a_400(http: Http, body: bytes, reason: str) -> None:
    """The answer says what is wrong with the body."""
    answer = await http("POST", PATH, body)
    assert (answer.status, answer.code) == (400, "malformed_json")
    assert reason in answer.json["detail"]


async def test_brackets_in_text_are_no_nesting(http: Http) -> None:
    """Only lists and objects count, not the characters."""
    assert (await http("POST", PATH, RESERVE | {"what": "[{" * 100})).status == 201


async def test_the_deadline_counts_for_the_work(start: Start, stubs: Stubs) -> None:
    """A change that does not end in time is unknown; a reading one is just unavailable."""
    http = await start(deadline_ms=50)
    stubs.reservations.will("reserve", asyncio.Event().wait)
    stubs.reservations.will("read", asyncio.Event().wait)
    changed = await http("POST", PATH, RESERVE)
    read = await http("GET", f"{PATH}/room-1.01JD0000000000000000000000")
    assert (changed.status, changed.json["outcome"]) == (503, "unknown")
    assert (read.status, read.json.get("outcome")) == (503, None)
    assert changed.headers["Retry-After"] == read.headers["Retry-After"] == "1"
