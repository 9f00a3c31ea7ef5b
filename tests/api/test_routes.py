"""The URL table, walked: every route with every key, with a trailing slash, with a wrong method."""

import hashlib
from base64 import b64encode
from itertools import pairwise

import pytest

from reservesvc.api.call import Route
from reservesvc.api.routes import ROUTES
from reservesvc.apikeys import SCOPES, ApiKey
from tests.api import ordinary
from tests.api.client import Http
from tests.api.conftest import Start
from tests.api.stubs import Stubs

WIDGET = {
    ("POST", "/v2/bookings/reserve"),
    ("GET", "/v2/bookings/reserve/{reservation_id}"),
    ("PUT", "/v2/bookings/reserve/extend"),
    ("DELETE", "/v2/bookings/reserve/{reservation_id}"),
    ("POST", "/v2/bookings"),
    ("POST", "/v2/availability"),
    ("GET", "/v2/projects/embed/{project_id}"),
    ("GET", "/v2/projects/hosted/{slug}"),
}
"""what everybody can do who looks at a page with a widget"""
CONFIGURATION = ("/v2/projects", "/v2/resources")
KEYS = tuple(
    ApiKey(scope, scope, hashlib.sha256(f"{scope}-secret".encode()).digest()) for scope in SCOPES
)
every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)


def test_route_names_are_unique() -> None:
    """A name names one route: Idempotency-Keys are kept under it."""
    assert len({route.name for route in ROUTES}) == len(ROUTES)


@every_route
def test_every_route_asks_for_the_scope_of_its_kind(route: Route) -> None:
    """Widgets reserve and book, operators configure, services do the rest under /v2."""
    expected = "service"
    if (route.method, route.path) in WIDGET:
        expected = "widget"
    elif route.path.startswith(CONFIGURATION) and route.method != "GET":
        expected = "admin"
    elif not route.path.startswith("/v2/"):
        expected = "public"
    assert route.scope == expected


@every_route
async def test_a_trailing_slash_is_tolerated(http: Http, route: Route) -> None:
    """With and without it the reply is the same, and no redirect."""
    method, path, body = ordinary.to(route)
    slashed = "/?".join(path.split("?")) if "?" in path else f"{path}/"
    plain, with_slash = await http(method, path, body), await http(method, slashed, body)
    assert plain.status == with_slash.status
    assert plain.status < 300


@every_route
async def test_no_key_or_an_unknown_one_is_refused(
    start: Start, stubs: Stubs, route: Route
) -> None:
    """Without a known key only public routes answer; nothing is read or changed."""
    http = await start(keys=KEYS)
    method, path, body = ordinary.to(route)
    bare = await http(method, path, body)
    unknown = await http(method, path, body, Authorization="Bearer widget-secreT")
    if route.scope == "public":
        assert (bare.status, unknown.status) == (200, 200)
        return
    for answer in (bare, unknown):
        assert (answer.status, answer.code) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"]
    assert stubs.reservations.calls == stubs.bookings.calls == stubs.settings.calls == []


@every_route
async def test_no_way_leads_around_the_key(start: Start, stubs: Stubs, route: Route) -> None:
    """A slash at the end, an include, an encoded letter, a HEAD: still the same row."""
    http = await start(keys=KEYS)
    method, path, body = ordinary.to(route)
    plain, mark, query = path.partition("?")
    encoded = f"{plain[:-1]}%{ord(plain[-1]):02X}"
    ways = [f"{plain}/{mark}{query}", f"{encoded}{mark}{query}", f"{plain}?include=a&{query}"]
    answers = [await http(method, way, body) for way in ways]
    if method == "GET":
        answers.append(await http("HEAD", path))
    expected = 200 if route.scope == "public" else 401
    assert [answer.status for answer in answers] == [expected] * len(answers)
    assert stubs.reservations.calls == stubs.bookings.calls == stubs.settings.calls == []


@every_route
async def test_an_include_is_accepted_everywhere(http: Http, route: Route) -> None:
    """Whatever it names: what could be included always is."""
    method, path, body = ordinary.to(route)
    included = f"{path}{'&' if '?' in path else '?'}include=attributes,event,nonsense"
    plain, with_include = await http(method, path, body), await http(method, included, body)
    assert plain.status == with_include.status < 300


@every_route
@pytest.mark.parametrize("scope", SCOPES)
async def test_a_key_opens_what_its_scope_covers(
    start: Start, stubs: Stubs, route: Route, scope: str
) -> None:
    """Scopes nest; a key of too small a one reads and changes nothing."""
    http = await start(keys=KEYS)
    method, path, body = ordinary.to(route)
    answer = await http(method, path, body, Authorization=f"Bearer {scope}-secret")
    nested = ("public", *SCOPES)
    if nested.index(scope) >= nested.index(route.scope):
        assert answer.status < 300
        return
    assert (answer.status, answer.code) == (403, "forbidden")
    assert route.scope in answer.json["detail"]
    assert stubs.reservations.calls == stubs.bookings.calls == stubs.settings.calls == []


@pytest.mark.parametrize("user", ["", "anybody"])
async def test_basic_takes_the_key_as_the_password(start: Start, user: str) -> None:
    """Timekit's clients send an empty user; any is as good."""
    http = await start(keys=KEYS)
    sent = b64encode(f"{user}:admin-secret".encode()).decode()
    method, path, body = ordinary.named("create_project")
    answer = await http(method, path, body, Authorization=f"Basic {sent}")
    assert answer.status == 201


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic %%%",
        "Basic " + b64encode(b"admin-secret").decode(),
        "Basic " + b64encode(b"admin-secret:").decode(),
        "Digest admin-secret",
        "admin-secret",
        "Bearer admin-secret, Bearer admin-secret",
        "Basic é",
    ],
)
async def test_what_is_no_key_is_refused(start: Start, header: str) -> None:
    """An Authorization header that holds no known key is a 401, whatever it looks like."""
    http = await start(keys=KEYS)
    method, path, body = ordinary.named("find_projects")
    answer = await http(method, path, body, Authorization=header)
    assert (answer.status, answer.code) == (401, "unauthorized")


async def test_without_keys_everybody_may_do_everything(http: Http) -> None:
    """No key configured: the caller is not asked, not even about a key they send."""
    method, path, body = ordinary.named("create_project")
    assert (await http(method, path, body, Authorization="Bearer whatever")).status == 201


@pytest.mark.parametrize(
    "path", ["/", "/v2", "/v3/bookings", "/v2/nothing", "/v2/bookings/a/b/c", "/v2//bookings"]
)
async def test_an_unknown_url_is_a_problem(http: Http, path: str) -> None:
    """Also where no route is, errors look the same."""
    answer = await http("GET", path)
    assert (answer.status, answer.code) == (404, "not_found")
    assert answer.headers["Timekit-Request-Id"]


async def test_a_wrong_method_names_the_right_ones(http: Http) -> None:
    """405 lists in `Allow` what the URL takes."""
    answer = await http("PATCH", "/v2/bookings")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v2/bookings/reserve", "GET, HEAD, POST"),
        ("DELETE", "/v2/bookings/reserve/", "GET, HEAD, POST"),
        ("PUT", "/v2/bookings/reserve/room-1.x", "DELETE, GET, HEAD"),
        ("DELETE", "/v2/bookings/reserve/extend", "PUT"),
        ("GET", "/v2/bookings/reserve/batch", "POST"),
        ("POST", "/v2/bookings/reserve/reschedule", "DELETE, GET, HEAD"),
        ("PUT", "/v2/bookings/b-1/reschedule", "POST"),
        ("POST", "/v2/projects/embed/resources", "GET, HEAD"),
    ],
)
async def test_a_word_of_a_path_is_no_id(
    http: Http, stubs: Stubs, method: str, path: str, allowed: str
) -> None:
    """What the table writes out is never taken for the name of a booking, an action, a project."""
    answer = await http(method, path, "{}")
    assert (answer.status, answer.headers.get("Allow")) == (405, allowed)
    assert stubs.reservations.calls == stubs.bookings.calls == stubs.settings.calls == []


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"])
async def test_head_answers_as_get_without_a_body(http: Http, route: Route) -> None:
    """Whatever can be read has a head."""
    answer = await http("HEAD", ordinary.to(route).path)
    assert (answer.status, answer.body) == (200, b"")


def test_the_table_reads_in_order() -> None:
    """Rows of one path stand together, so that the table can be read."""
    paths = [route.path for route in ROUTES]
    changes = sum(before != after for before, after in pairwise(paths))
    assert changes + 1 == len(set(paths))
