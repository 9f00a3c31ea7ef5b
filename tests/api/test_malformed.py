"""Requests that break HTTP: each gets one problem, is counted and logged, and is not repeated."""

import asyncio
import json

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from reservesvc.api import application as application_module
from reservesvc.api.connection import Connection
from reservesvc.api.problems import PROBLEMS
from reservesvc.api.refusing import RefusingConnection
from reservesvc.api.replies import Reply
from reservesvc.metrics import Metrics
from tests.api.client import RESERVE, Http, application
from tests.api.conftest import Serve, Start
from tests.api.malformed import CORPUS, MARK
from tests.api.stubs import Stubs
from tests.api.wire import LIVEZ, WAIT_S, answers, exchange

NONSENSE = b"nonsense\r\n\r\n"
CHUNKED = (
    b"POST /v2/bookings/reserve HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}\r\n"
)


@pytest.fixture(params=[Connection, RefusingConnection], ids=["our aiohttp", "another aiohttp"])
def _each_aiohttp(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the connections for the release we know, and those for any other."""
    monkeypatch.setattr(application_module, "CONNECTION", request.param)


def test_the_corpus_is_large() -> None:
    """What breaks HTTP does so in many ways."""
    assert len(CORPUS) >= 90


@pytest.mark.usefixtures("_each_aiohttp")
@pytest.mark.parametrize("name", CORPUS)
async def test_a_malformed_request_gets_a_problem(
    start: Start, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """One reply, a closed connection, one log line, one count, and nothing of the request."""
    request, code = CORPUS[name]
    metrics = Metrics()
    with capture_logs() as lines:
        http = await start(metrics=metrics)
        (answer,) = await exchange(http.port, request)
    kind = PROBLEMS[code]
    body = json.loads(answer.body)
    assert (answer.code, answer.status, body["status"]) == (code, kind.status, kind.status)
    assert answer.headers["Server"] == "reservesvc"
    assert answer.headers["Connection"] == "close"
    assert answer.headers["Date"]
    assert MARK not in answer.body
    assert "bytearray" not in body["detail"]
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["outcome"], line["status"], line["log_level"]) == (code, kind.status, "info")
    assert line["request_id"] == answer.headers["Timekit-Request-Id"]
    assert MARK.decode() not in str(lines)
    assert counted(metrics) == {(code, kind.status): 1}
    assert not caplog.records


def counted(metrics: Metrics) -> dict[tuple[str, int], int]:
    """Return how often each code and status was counted."""
    return {
        (key.labels["outcome"], int(key.labels["status"])): int(key.value)
        for family in metrics.collect()
        if family.name == "reservesvc_requests"
        for key in family.samples
        if key.name.endswith("_total")
    }


@pytest.mark.usefixtures("_each_aiohttp")
async def test_headers_are_those_of_every_reply(http: Http) -> None:
    """A refusal has the headers that an ordinary error has, and no other."""
    (malformed,) = await exchange(http.port, NONSENSE)
    (ordinary_one,) = await exchange(
        http.port, b"GET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    assert malformed.headers.keys() == ordinary_one.headers.keys()
    assert malformed.headers["Server"] == ordinary_one.headers["Server"]


@pytest.mark.parametrize("name", ["no host", "two lengths", "chunk longer than its size"])
@pytest.mark.usefixtures("_each_aiohttp")
async def test_it_does_not_matter_where_it_is_cut(http: Http, name: str) -> None:
    """Sent in two pieces, cut at every byte, it gets the same single problem."""
    request, code = CORPUS[name]
    cuts = range(1, len(request))
    found = await asyncio.gather(
        *(exchange(http.port, request[:cut], request[cut:]) for cut in cuts)
    )
    assert {(len(each), each[0].code) for each in found} == {(1, code)}


async def test_byte_by_byte(http: Http) -> None:
    """A reserve with a chunked body and a malformed request behind it, each byte by itself."""
    body = json.dumps(RESERVE).encode()
    request = (
        b"POST /v2/bookings/reserve HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )
    sent = request + NONSENSE
    found = await exchange(http.port, *(sent[n : n + 1] for n in range(len(sent))))
    assert [answer.status for answer in found] == [201, 400]


async def test_requests_before_a_malformed_one_are_answered(http: Http) -> None:
    """In one piece with it, or cut at any byte, each has its reply, and the problem is last."""
    sent = LIVEZ + b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n" + LIVEZ + NONSENSE
    found = await asyncio.gather(
        exchange(http.port, sent),
        *(exchange(http.port, sent[:cut], sent[cut:]) for cut in range(1, len(sent))),
    )
    assert {tuple(answer.status for answer in each) for each in found} == {(200, 404, 200, 400)}


async def test_requests_behind_a_malformed_one_are_not_looked_at(http: Http, stubs: Stubs) -> None:
    """After it, it is unknown where a request begins."""
    body = json.dumps(RESERVE).encode()
    reserve = b"POST /v2/bookings/reserve HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b"
    (answer,) = await exchange(http.port, NONSENSE, reserve % (len(body), body))
    assert answer.code == "malformed_request"
    assert stubs.reservations.calls == []


@pytest.mark.parametrize(
    "rest", [b"zz\r\n", b"1\r\n{}\r\n", b"fffffffffffffffff\r\n", b"0\r\nX y\r\n\r\n"]
)
async def test_a_body_that_breaks_while_it_is_read(http: Http, rest: bytes) -> None:
    """The handler's own reply is the problem: one, at once, and no 500 or 408."""
    async with asyncio.timeout(WAIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
        writer.write(CHUNKED)
        await asyncio.sleep(0.05)
        began_s = asyncio.get_running_loop().time()
        writer.write(rest)
        (answer,) = answers(await reader.read())
        writer.close()
    assert answer.code == "malformed_request"
    assert asyncio.get_running_loop().time() - began_s < 0.9  # a body has a second


async def test_a_refusal_arrives_though_the_client_goes_on_sending(http: Http) -> None:
    """Closed at once, the connection would be reset and the reply lost."""
    for _ in range(20):
        (answer,) = await exchange(http.port, NONSENSE, *[b"x" * 65_536] * 20)
        assert answer.code == "malformed_request"


async def test_a_body_that_is_too_large_is_refused_though_it_keeps_coming(http: Http) -> None:
    """The reply arrives before the megabytes have, and the rest of them is ignored."""
    head = b"POST /v2/bookings/reserve HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    pieces = [b" " * 65_536] * 100
    for _ in range(5):
        (answer,) = await exchange(http.port, head % (65_536 * len(pieces)), *pieces)
        assert answer.code == "payload_too_large"


@pytest.mark.usefixtures("_each_aiohttp")
async def test_an_absolute_target_is_valid(http: Http) -> None:
    """RFC 9112 section 3.2.2: servers take it, though only proxies need it."""
    found = await exchange(
        http.port, b"GET http://h/livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    assert [answer.status for answer in found] == [200]


@pytest.mark.usefixtures("_each_aiohttp")
@pytest.mark.parametrize("pieces", [(LIVEZ,), (LIVEZ[:9], LIVEZ[9:])], ids=["whole", "in pieces"])
async def test_a_handler_that_raises(
    serve: Serve, stubs: Stubs, caplog: pytest.LogCaptureFixture, pieces: tuple[bytes, ...]
) -> None:
    """What leaves the front door is a bug: logged with its traceback, answered as other bugs."""

    async def fail(request: web.BaseRequest) -> Reply:
        raise RuntimeError(MARK, request)

    http = await serve(application(stubs.stores)._replace(answer=fail))
    (answer,) = await exchange(http.port, *pieces)
    (record,) = caplog.records
    assert answer.code == "internal_error"
    assert MARK not in answer.body
    assert record.exc_info
