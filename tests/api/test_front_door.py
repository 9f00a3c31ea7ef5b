"""What every request passes: an id, a trace, one log line, counting, and no leaks."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from reservesvc.apikeys import ApiKey, digest_of
from reservesvc.domain.outcomes import Taken
from reservesvc.metrics import Metrics
from tests.api import ordinary
from tests.api.client import ADA, BOOK, RESERVE, Http
from tests.api.conftest import Start
from tests.api.stubs import BOOKING_ID, RESERVATION_ID, Stubs

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


def line(logs: list[Any]) -> dict[str, Any]:
    """Return the one line there must be about the request."""
    lines: list[dict[str, Any]] = [entry for entry in logs if entry["event"] == "request"]
    assert len(lines) == 1
    return lines[0]


async def test_every_reply_has_an_id_of_its_own(http: Http) -> None:
    """Good replies, problems and unknown URLs alike; no two share one."""
    paths = ("/livez", "/v2/bookings", "/nowhere", "/v2/bookings/none")
    ids = [(await http("GET", path)).headers["Timekit-Request-Id"] for path in paths]
    assert len(set(ids)) == len(paths)
    assert all(len(each) == len("01JD0000000000000000000000") for each in ids)


async def test_a_valid_traceparent_is_passed_on_and_logged(http: Http) -> None:
    """The reply carries it and the log line its trace id."""
    with capture_logs() as logs:
        answer = await http("GET", "/v2/bookings", traceparent=TRACEPARENT)
    assert answer.headers["traceparent"] == TRACEPARENT
    assert line(logs)["trace_id"] == TRACE_ID


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        TRACEPARENT.upper(),
        TRACEPARENT.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"{TRACEPARENT}-more",
    ],
)
async def test_an_invalid_traceparent_is_dropped(http: Http, header: str) -> None:
    """What W3C Trace Context calls invalid is treated as absent."""
    with capture_logs() as logs:
        answer = await http("GET", "/v2/bookings", traceparent=header)
    assert "traceparent" not in answer.headers
    assert "trace_id" not in line(logs)


async def test_one_line_tells_what_happened(start: Start) -> None:
    """Route, status, outcome, caller, duration and ids; each line bears the reply's id."""
    http = await start(keys=(ApiKey("site", "widget", digest_of("s")),))
    with capture_logs() as logs:
        answer = await http("POST", "/v2/bookings/reserve", RESERVE, Authorization="Bearer s")
    logged = line(logs)
    assert logged.pop("duration_ms") > 0
    assert logged == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "route": "/v2/bookings/reserve",
        "status": 201,
        "outcome": "reserved",
        "caller": "site",
        "request_id": answer.headers["Timekit-Request-Id"],
        "resource_id": "room-1",
        "reservation_id": answer.data["id"],
    }


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("read", {"reservation_id": RESERVATION_ID, "resource_id": "room-1"}),
        ("release", {"reservation_id": RESERVATION_ID, "resource_id": "room-1"}),
        ("extend", {"reservation_id": RESERVATION_ID, "resource_id": "room-1"}),
        ("live", {"resource_id": "room-1"}),
        ("read_booking", {"booking_id": BOOKING_ID, "resource_id": "room-1"}),
        ("act", {"booking_id": BOOKING_ID, "resource_id": "room-1"}),
        ("read_resource", {"resource_id": "room-1"}),
    ],
)
async def test_a_line_names_what_the_request_was_about(
    http: Http, name: str, facts: dict[str, str]
) -> None:
    """Ids are fields of their own; the route is the table's, with names for its parts."""
    with capture_logs() as logs:
        await http(*ordinary.named(name))
    logged = line(logs)
    assert facts.items() <= logged.items()
    assert not any(each in logged["route"] for each in facts.values())


async def test_a_refusal_is_logged_with_its_code(http: Http, stubs: Stubs) -> None:
    """The outcome of a refused request is the problem's code."""
    stubs.reservations.will("reserve", Taken(by="booked"))
    with capture_logs() as logs:
        await http(*ordinary.named("reserve"))
    assert (line(logs)["outcome"], line(logs)["resource_id"]) == ("slot_unavailable", "room-1")


async def test_no_customer_is_ever_logged(http: Http) -> None:
    """Neither what a customer is called nor where they live reaches the log."""
    with capture_logs() as logs:
        await http("POST", "/v2/bookings", BOOK | {"customer": ADA | {"phone": "0123456789"}})
        await http("POST", "/v2/bookings", BOOK | {"customer": {"name": 1, "email": "ada@"}})
        await http("GET", "/v2/bookings?search=customer.email:ada@example.com")
    assert len(logs) == 3
    assert not any(text in str(logs) for text in ("ada@", "Ada", "0123456789"))


async def test_what_machines_ask_is_logged_at_debug(http: Http) -> None:
    """Probes every few seconds must not drown the log."""
    with capture_logs() as logs:
        for path in ("/livez", "/readyz", "/metrics"):
            await http("GET", path)
    assert {entry["log_level"] for entry in logs} == {"debug"}


async def test_a_failure_is_logged_whole_and_answered_without_a_word_of_it(
    http: Http, stubs: Stubs
) -> None:
    """The traceback is for the log; the caller gets an id to report."""
    error = RuntimeError("SELECT secret FROM table")
    stubs.reservations.will("reserve", error)
    with capture_logs() as logs:
        answer = await http(*ordinary.named("reserve"))
    [failure] = [entry for entry in logs if entry["event"] == "request_failed"]
    assert (answer.status, answer.code) == (500, "internal_error")
    assert b"SELECT" not in answer.body
    assert failure["exc_info"] is error
    assert failure["request_id"] == answer.headers["Timekit-Request-Id"] == line(logs)["request_id"]


async def test_the_server_does_not_name_its_parts(http: Http) -> None:
    """Neither aiohttp's nor Python's version is anybody's business."""
    for path in ("/livez", "/nowhere"):
        assert (await http("GET", path)).headers["Server"] == "reservesvc"


async def test_requests_are_counted_by_route_status_and_outcome(start: Start) -> None:
    """Unknown URLs share one name, so that nobody can make up new ones."""
    metrics = Metrics()
    http = await start(metrics=metrics)
    await http("POST", "/v2/bookings/reserve", RESERVE)
    await http("POST", "/v2/bookings/reserve", {})
    await http("GET", "/made-up/1")
    await http("PATCH", "/made-up/2")
    text = (await http("GET", "/metrics")).body.decode()
    name = "reservesvc_requests_total"
    route = 'method="POST",outcome="{}",route="/v2/bookings/reserve",status="{}"'
    assert f"{name}{{{route.format('reserved', 201)}}} 1.0" in text
    assert f"{name}{{{route.format('invalid_fields', 422)}}} 1.0" in text
    assert f'{name}{{method="*",outcome="not_found",route="(none)",status="404"}} 2.0' in text
    assert 'reservesvc_reservations_total{outcome="reserved",verb="reserve"} 1.0' in text
    assert "made-up" not in text


async def test_requests_in_flight_are_gauged(start: Start, stubs: Stubs) -> None:
    """A request counts as in flight until it is answered, however that ends."""
    metrics, entered, leave = Metrics(), asyncio.Event(), asyncio.Event()
    http = await start(metrics=metrics)

    async def hang() -> None:
        entered.set()
        await leave.wait()
        raise RuntimeError

    stubs.reservations.will("reserve", hang)
    request = asyncio.create_task(http(*ordinary.named("reserve")))
    await entered.wait()
    during = metrics.in_flight
    leave.set()
    await request
    assert (during, metrics.in_flight) == (1, 0)


LINES_WITH_A_GAP = (
    "GET /v2/%s",
    "GET /v2/projects/%s",
    "GET /v2/bookings/%s",
    "GET /v2/resources/%s",
    "GET /v2/bookings/reserve/%s",
    "GET /v2/bookings/reserve?resource_id=%s",
    "DELETE /v2/bookings/reserve/%s",
    f"PUT /v2/bookings/{BOOKING_ID}/%s",
    "GET /v2/bookings?search=state:%s",
    "GET /v2/bookings?%s=1",
    "GET /v2/bookings?page=%s",
)
ODD = (b"\xff", b"%FF", b"%00", b"%ED%A0%80", b"%2F..%2F", b"\x7f", b"{}")


@pytest.mark.parametrize("part", ODD)
@pytest.mark.parametrize("with_a_gap", LINES_WITH_A_GAP)
async def test_odd_bytes_in_a_url_are_no_failure(
    http: Http, stubs: Stubs, with_a_gap: str, part: bytes
) -> None:
    """Whatever bytes a URL holds: a reply below 500."""
    stubs.bookings.will("project", None)
    request = with_a_gap.encode().replace(b"%s", part) + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
    writer.write(request)
    reply = await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert reply.split()[1] < b"500"
