"""Idempotency-Key: what it is kept under, and what can be none."""

import pytest

from reservesvc.api.call import Route
from reservesvc.api.routes import ROUTES
from reservesvc.apikeys import ApiKey, digest_of
from reservesvc.ports import Idempotency
from tests.api import ordinary
from tests.api.client import RESERVE, Http
from tests.api.conftest import Start
from tests.api.stubs import Stubs

KEYS = (
    ApiKey("one", "admin", digest_of("1")),
    ApiKey("two", "admin", digest_of("2")),
)
RESERVE_PATH = "/v2/bookings/reserve"


async def kept(http: Http, stubs: Stubs, body: object, **headers: str) -> Idempotency | None:
    """Reserve and return what the store is told of the key."""
    answer = await http("POST", RESERVE_PATH, body, **headers)
    assert answer.status == 201
    _, _, idempotency = stubs.reservations.called("reserve")
    assert idempotency is None or isinstance(idempotency, Idempotency)
    return idempotency


async def test_a_key_is_its_callers_own(start: Start, stubs: Stubs) -> None:
    """Two callers may use the same key; one caller's key means the same every time."""
    http = await start(keys=KEYS)
    first = await kept(http, stubs, RESERVE, Authorization="Bearer 1", Idempotency_Key="k")
    again = await kept(http, stubs, RESERVE, Authorization="Bearer 1", Idempotency_Key="k")
    other = await kept(http, stubs, RESERVE, Authorization="Bearer 2", Idempotency_Key="k")
    assert first is not None
    assert other is not None
    assert first == again
    assert first.digest != other.digest
    assert first.fingerprint == other.fingerprint


async def test_the_fingerprint_is_the_bodys(http: Http, stubs: Stubs) -> None:
    """Another body has another one under the same key."""
    first = await kept(http, stubs, RESERVE, Idempotency_Key="k")
    other = await kept(http, stubs, RESERVE | {"what": "Shave"}, Idempotency_Key="k")
    assert first is not None
    assert other is not None
    assert first.digest == other.digest
    assert first.fingerprint != other.fingerprint


async def test_without_a_key_nothing_is_kept(http: Http, stubs: Stubs) -> None:
    """Requests that bear no key are never taken for repeats."""
    assert await kept(http, stubs, RESERVE) is None


async def test_a_key_counts_for_one_call(http: Http, stubs: Stubs) -> None:
    """The same key on another route is another key."""
    await http("POST", "/v2/projects", {"name": "N"}, Idempotency_Key="k")
    await http("POST", "/v2/resources", {"name": "N"}, Idempotency_Key="k")
    _, project = stubs.bookings.called("create_project")
    _, resource = stubs.bookings.called("create_resource")
    assert project.digest != resource.digest
    assert project.fingerprint == resource.fingerprint


@pytest.mark.parametrize("key", ["k", "k" * 255, "with spaces: and – dashes", "é" * 255])
async def test_printable_keys_are_taken(http: Http, stubs: Stubs, key: str) -> None:
    """Any printable string up to 255 characters is a key."""
    assert await kept(http, stubs, RESERVE, Idempotency_Key=key) is not None


@pytest.mark.parametrize("key", ["", "k" * 256, "tab\tinside", "\u202e", "\u200b"])
@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.takes_key], ids=lambda route: route.name
)
async def test_other_keys_are_refused(http: Http, stubs: Stubs, route: Route, key: str) -> None:
    """On every call that takes one, and nothing happens."""
    answer = await http(*ordinary.to(route), Idempotency_Key=key)
    assert (answer.status, answer.code) == (400, "idempotency_key_invalid")
    assert stubs.reservations.calls == stubs.bookings.calls == []
