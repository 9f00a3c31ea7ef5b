"""Pages of other sites: what their browsers ask before, and what they may see after."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from reservesvc.api.call import Route
from reservesvc.api.routes import ROUTES
from reservesvc.apikeys import ApiKey, digest_of
from tests.api import ordinary
from tests.api.client import RESERVE, Answer, Http
from tests.api.conftest import Start
from tests.api.stubs import PROJECT_ID, Stubs

SHOP = "https://shop.example"
OTHER = "https://other.example"
KEYS = (ApiKey("site", "widget", digest_of("s")),)
RESERVE_PATH = "/v2/bookings/reserve"
WIDGETS = [route for route in ROUTES if route.scope == "widget"]
OTHERS = [route for route in ROUTES if route.scope != "widget"]


def shared(answer: Answer) -> dict[str, str]:
    """Return what a reply tells the browser, beside what it is."""
    names = [name for name in answer.headers if name.startswith("Access-Control-")]
    return {name: answer.headers[name] for name in (*names, "Vary") if name in answer.headers}


async def preflight(http: Http, path: str, method: str = "POST", origin: str = SHOP) -> Answer:
    """Ask what the widget's browser asks before a call."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,timekit-context",
    }
    return await http("OPTIONS", path, **headers)


@pytest.mark.parametrize("route", WIDGETS, ids=lambda route: route.name)
async def test_a_page_may_make_a_widgets_calls(start: Start, route: Route) -> None:
    """The preflight needs no key; the reply names the origin and the headers to be seen."""
    http = await start(keys=KEYS, origins=(SHOP,))
    method, path, body = ordinary.to(route)
    asked = await preflight(http, path.partition("?")[0], method)
    assert (asked.status, asked.body) == (204, b"")
    assert shared(asked) == {
        "Access-Control-Allow-Origin": SHOP,
        "Access-Control-Allow-Methods": method,
        "Access-Control-Allow-Headers": (
            "authorization,content-type,timekit-context,timekit-timezone,idempotency-key"
        ),
        "Access-Control-Max-Age": "3600",
        "Access-Control-Expose-Headers": (
            "Timekit-TestMode,Timekit-Request-Id,Retry-After,Idempotent-Replayed"
        ),
        "Vary": "Origin",
    }
    answer = await http(method, path, body, Origin=SHOP, Authorization="Bearer s")
    assert answer.status < 300
    assert shared(answer) == {
        name: shared(asked)[name]
        for name in ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Vary")
    }


@pytest.mark.parametrize("route", OTHERS, ids=lambda route: route.name)
async def test_a_page_may_make_no_other_call(start: Start, route: Route) -> None:
    """No preflight, and no reply that its browser would let it read, whatever the key."""
    keys = (ApiKey("ops", "admin", digest_of("s")),)
    http = await start(keys=keys, origins=(SHOP, "*"))
    method, path, body = ordinary.to(route)
    asked = await preflight(http, path.partition("?")[0], method)
    assert (asked.status, asked.code) == (405, "method_not_allowed")
    answer = await http(method, path, body, Origin=SHOP, Authorization="Bearer s")
    assert answer.status < 300
    assert shared(asked) == shared(answer) == {}


@pytest.mark.parametrize("origin", [OTHER, "https://shop.example.evil.example", "null", ""])
async def test_a_preflight_of_another_origin_is_refused(start: Start, origin: str) -> None:
    """With a sentence for whoever looks; caches are told that it depends on the origin."""
    http = await start(keys=KEYS, origins=(SHOP,))
    asked = await preflight(http, RESERVE_PATH, origin=origin)
    assert (asked.status, asked.code) == (403, "origin_not_allowed")
    assert "RESERVESVC_CORS_ORIGINS" in asked.json["detail"]
    assert shared(asked) == {"Vary": "Origin"}
    answer = await http("POST", RESERVE_PATH, RESERVE, Origin=origin, Authorization="Bearer s")
    assert (answer.status, shared(answer)) == (201, {"Vary": "Origin"})


async def test_every_origin_can_be_allowed(start: Start) -> None:
    """A star allows whoever asks, and is what they are told; nobody's origin is sent back."""
    http = await start(keys=KEYS, origins=("*",))
    asked = await preflight(http, RESERVE_PATH, origin=OTHER)
    answer = await http("POST", RESERVE_PATH, RESERVE, Origin="null", Authorization="Bearer s")
    assert (asked.status, answer.status) == (204, 201)
    for each in (asked, answer):
        assert each.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in each.headers


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (RESERVE, {}, 401),
        (RESERVE, {"Authorization": "Bearer x"}, 401),
        (b"{", {"Authorization": "Bearer s"}, 400),
        ({}, {"Authorization": "Bearer s"}, 422),
        (b" " * 70_000, {"Authorization": "Bearer s"}, 413),
    ],
)
async def test_a_page_can_read_errors(
    start: Start, body: object, headers: dict[str, str], status: int
) -> None:
    """Otherwise its browser would show it nothing but that something failed."""
    http = await start(keys=KEYS, origins=(SHOP,))
    answer = await http("POST", RESERVE_PATH, body, Origin=SHOP, **headers)
    assert answer.status == status
    assert shared(answer)["Access-Control-Allow-Origin"] == SHOP
    assert answer.json["error"]


async def test_a_page_can_read_that_something_broke(start: Start, stubs: Stubs) -> None:
    """A bug and a timeout are answered as everything else is."""
    http = await start(origins=(SHOP,))
    for failure, status in ((RuntimeError("a bug"), 500), (TimeoutError(), 503)):
        stubs.reservations.will("reserve", failure)
        answer = await http("POST", RESERVE_PATH, RESERVE, Origin=SHOP)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, SHOP)


async def test_nothing_is_shared_unless_an_origin_is_allowed(http: Http) -> None:
    """By default: no preflight is answered, and no reply differs."""
    asked = await preflight(http, RESERVE_PATH)
    answer = await http("POST", RESERVE_PATH, RESERVE, Origin=SHOP)
    assert (asked.status, answer.status) == (405, 201)
    assert shared(asked) == shared(answer) == {}


async def test_a_request_of_no_page_is_answered_as_ever(start: Start) -> None:
    """Without an Origin there is nothing to say; OPTIONS by itself is no preflight."""
    http = await start(origins=(SHOP,))
    answer = await http("POST", RESERVE_PATH, RESERVE)
    options = await http("OPTIONS", RESERVE_PATH, Origin=SHOP)
    wanted = {"Access-Control-Request-Method": "POST"}
    assert (answer.status, shared(answer)) == (201, {})
    assert (options.status, shared(options)) == (405, {})
    assert (await http("OPTIONS", RESERVE_PATH, **wanted)).status == 405


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (RESERVE_PATH, "DELETE"),
        (RESERVE_PATH, "post"),
        ("/v2/projects", "POST"),
        (f"/v2/projects/{PROJECT_ID}", "GET"),
    ],
)
async def test_a_preflight_is_for_one_method(start: Start, path: str, method: str) -> None:
    """A URL that pages may call with one method may not be called with any other."""
    http = await start(origins=(SHOP,))
    asked = await preflight(http, path, method)
    assert (asked.status, shared(asked)) == (405, {})


async def test_a_preflight_has_a_line_and_an_id(start: Start) -> None:
    """As every request."""
    http = await start(origins=(SHOP,))
    with capture_logs() as logs:
        asked = await preflight(http, f"{RESERVE_PATH}/")
    lines: list[Any] = [line for line in logs if line["event"] == "request"]
    assert [(line["route"], line["status"]) for line in lines] == [("(preflight)", 204)]
    assert lines[0]["request_id"] == asked.headers["Timekit-Request-Id"]
