"""Parameters of a query: every call refuses those that it does not know, or that come twice."""

import pytest

from reservesvc.api.call import Route
from reservesvc.api.openapi.document import document
from reservesvc.api.query import REPEATABLE
from reservesvc.api.routes import ROUTES
from reservesvc.apikeys import ApiKey, digest_of
from reservesvc.domain.wish import Limits
from tests.api import ordinary
from tests.api.client import Http
from tests.api.conftest import Start
from tests.api.stubs import Stubs
from tests.builders import DAY

every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
TWICE = {
    "limit": "1",
    "page": "1",
    "resource_id": "room-1",
    "start": f"{DAY}T00:00:00Z",
    "end": f"{DAY}T00:00:00Z",
    "orderBy": "start",
    "sortedBy": "asc",
}
"""a right value of each parameter that may come once"""


def asking(path: str, query: str) -> str:
    """Return the path with more behind its `?`."""
    return f"{path}{'&' if '?' in path else '?'}{query}"


every_strict_route = pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if route.query is not None],
    ids=lambda route: route.name,
)


@every_strict_route
async def test_an_unknown_parameter_is_refused(http: Http, stubs: Stubs, route: Route) -> None:
    """It is named, and so are the ones that the call takes; nothing is read or changed."""
    method, path, body = ordinary.to(route)
    answer = await http(method, asking(path, "colour=red&Limit=1&include=event"), body)
    assert (answer.status, answer.code) == (422, "invalid_fields")
    assert set(answer.json["errors"]) == {"colour", "Limit"}
    [said] = answer.json["errors"]["colour"]
    assert all(name in said for name in route.query or ("none",))
    assert stubs.reservations.calls == stubs.bookings.calls == []


@every_route
async def test_a_parameter_comes_once(http: Http, route: Route) -> None:
    """Also where it has the same value twice; of these only one would count."""
    for name in set(route.query or ()) - set(REPEATABLE):
        method, path, body = ordinary.to(route)
        given = asking(path.partition("?")[0], f"{name}={TWICE[name]}&{name}={TWICE[name]}")
        answer = await http(method, given, body)
        assert (answer.status, answer.code) == (422, "invalid_fields")
        assert answer.json["errors"][name] == [f"{name} may be given only once"]


@every_route
def test_the_document_has_the_parameters_of_the_table(route: Route) -> None:
    """What a call takes behind its `?` is described, and nothing else is."""
    described = document(ROUTES, Limits())["paths"][route.path][route.method.lower()]
    names = [each["name"] for each in described["parameters"] if each["in"] == "query"]
    assert names == list(route.query or ())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs"])
async def test_a_probe_may_have_any_parameters(http: Http, path: str) -> None:
    """What a prober adds against caches does not make a server unhealthy."""
    assert (await http("GET", f"{path}?t=1&t=2")).status == 200


async def test_the_key_is_asked_for_first(start: Start) -> None:
    """Whoever may not call learns nothing of what the call takes."""
    http = await start(keys=(ApiKey("one", "admin", digest_of("1")),))
    assert (await http("GET", "/v2/bookings?colour=red")).code == "unauthorized"
    right = await http("GET", "/v2/bookings?colour=red", Authorization="Bearer 1")
    assert right.code == "invalid_fields"


async def test_what_is_not_there_is_not_there_whatever_is_asked(http: Http) -> None:
    """An unknown path is a 404 and a wrong method a 405, with any parameters."""
    assert (await http("GET", "/v2/colours?colour=red")).status == 404
    assert (await http("PATCH", "/v2/bookings?colour=red")).status == 405


async def test_a_preflight_is_answered_with_any_parameters(start: Start) -> None:
    """The browser asks with the URL of the request that is to follow."""
    http = await start(origins=("https://shop.example",))
    answer = await http(
        "OPTIONS",
        "/v2/bookings?include=event&x=1",
        Origin="https://shop.example",
        Access_Control_Request_Method="POST",
    )
    assert answer.status == 204


@pytest.mark.parametrize("query", ["?", "?include=", "?include=a&include=b&"])
async def test_an_empty_query_and_includes_are_taken(http: Http, query: str) -> None:
    """What Timekit's clients add to any call changes nothing."""
    method, path, body = ordinary.named("reserve")
    assert (await http(method, f"{path}{query}", body)).status == 201


async def test_an_authorization_comes_once(start: Start, http: Http) -> None:
    """Sent twice it is a 400, also where no key is needed."""
    keyed = await start(keys=(ApiKey("one", "admin", digest_of("1")),))
    for server, path in ((keyed, "/v2/bookings"), (keyed, "/livez"), (http, "/v2/bookings")):
        url = f"http://127.0.0.1:{server.port}{path}"
        headers = [("Authorization", "Bearer 1"), ("Authorization", "Bearer 1")]
        async with server.session.get(url, headers=headers) as reply:
            assert (reply.status, (await reply.json(content_type=None))["code"]) == (
                400,
                "repeated_header",
            )


@pytest.mark.parametrize("second", ["k", "other"])
async def test_an_idempotency_key_comes_once(http: Http, stubs: Stubs, second: str) -> None:
    """Which of two counts would be a guess, and nothing is done by a guess."""
    method, path, body = ordinary.named("reserve")
    headers = [("Idempotency-Key", "k"), ("Idempotency-Key", second)]
    url = f"http://127.0.0.1:{http.port}{path}"
    async with http.session.request(method, url, json=body, headers=headers) as reply:
        assert (reply.status, (await reply.json(content_type=None))["code"]) == (
            400,
            "idempotency_key_invalid",
        )
    assert stubs.reservations.calls == []
