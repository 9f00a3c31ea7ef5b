"""Every field that is a time, of every request: which offsets it takes, and which times."""

import json
from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from reservesvc.api import constraints
from reservesvc.api.openapi.document import document
from reservesvc.api.routes import ROUTES
from reservesvc.domain import times
from reservesvc.domain.wish import Limits
from tests.api import ordinary
from tests.api.client import Http
from tests.builders import at

DOCUMENT: dict[str, Any] = json.loads(json.dumps(document(ROUTES, Limits())))
IN_ENGLISH = ("from", "to")
"""fields of a search that take a time or plain English"""
DATE = times.render(at(0))[:10]
WRONG_TIMES = [
    f"{DATE}T10:00:00{offset}"
    for offset in ("+00:60", "+01:60", "-00:99", "+0160", "+24:00", "+2400", "+1:00", "+01")
] + [f"{DATE}T{clock}Z" for clock in ("10:60:00", "24:00:00", "10:00:60", "23:59:60")]
OUT_OF_RANGE = [
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:59:59+01:00",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-00:01",
]


def _times_in(schema: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of the times in what a schema describes."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    is_moment = schema.get("pattern") == f"^{constraints.MOMENT.pattern}$"
    if schema.get("format") == "date-time" or is_moment or path.rpartition(".")[2] in IN_ENGLISH:
        yield path
    for each in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _times_in(each, path)
    for name, each in schema.get("properties", {}).items():
        yield from _times_in(each, f"{path}.{name}".strip("."))
    if "items" in schema:
        yield from _times_in(schema["items"], f"{path}.0".strip("."))


def _in_bodies() -> Iterator[tuple[str, str]]:
    """Yield every call with a body, and each path of a time in it."""
    for route in ROUTES:
        described = DOCUMENT["paths"].get(route.path, {}).get(route.method.lower(), {})
        if "requestBody" in described:
            schema = described["requestBody"]["content"]["application/json"]["schema"]
            yield from ((route.name, path) for path in dict.fromkeys(_times_in(schema)))


FIELDS = list(_in_bodies())


def _body(name: str, path: str, text: str) -> Any:
    """Return the ordinary body of a call, with one time of its own."""
    body: Any = deepcopy(ordinary.named(name).body)
    if name == "reserve_batch":
        body["mode"] = "all_or_nothing"
    within = body
    names = path.split(".")
    for part, following in pairwise(names):
        if part == "event":
            for moment in ("start", "end"):
                within.pop(moment, None)
        if isinstance(within, list):
            within[:] = within or [{}]
            within = within[0]
        else:
            within = within.setdefault(part, [] if following == "0" else {})
    within[names[-1]] = text
    return body


async def _errors(http: Http, name: str, path: str, text: str) -> list[str]:
    """Send a time that cannot be taken; return what is said of it."""
    method, url, _ = ordinary.named(name)
    answer = await http(method, url, _body(name, path, text))
    assert (answer.status, answer.code) == (422, "invalid_fields"), (name, path, text)
    errors: dict[str, list[str]] = answer.json["errors"]
    return errors[path.replace("event.", "")]


def test_the_sweep_knows_the_times_of_every_kind_of_body() -> None:
    """Slots, also nested and in a batch; searches, of requests and of projects; constraints."""
    assert set(FIELDS) >= {
        ("reserve", "start"),
        ("reserve", "event.end"),
        ("reserve_batch", "reservations.0.start"),
        ("book", "end"),
        ("book", "event.start"),
        ("reschedule", "start"),
        ("availability", "from"),
        ("availability", "to"),
        ("availability", "constraints.0.block_period.end"),
        ("create_project", "availability.from"),
        ("update_project", "availability_constraints.0.allow_period.start"),
        ("create_resource", "availability_constraints.0.block_period.start"),
    }


@pytest.mark.parametrize(("name", "path"), FIELDS)
async def test_an_offset_has_hours_to_23_and_minutes_to_59(
    http: Http, name: str, path: str
) -> None:
    """RFC 3339 section 5.6, also for the time itself; no such time is taken for another one."""
    for text in WRONG_TIMES:
        (message,) = await _errors(http, name, path, text)
        assert "must be a" in message, text


@pytest.mark.parametrize(
    ("name", "path"), [field for field in FIELDS if "constraints" not in field[1]]
)
async def test_a_time_out_of_range_is_told_the_range(http: Http, name: str, path: str) -> None:
    """It is RFC 3339 all the same, so the answer says more than that."""
    for text in OUT_OF_RANGE:
        (message,) = await _errors(http, name, path, text)
        assert "in the years 1970 to 9999" in message, text


@pytest.mark.parametrize("parameter", ["start", "end"])
async def test_a_parameter_is_a_time_as_in_a_body(http: Http, parameter: str) -> None:
    """`start` and `end` of a list; a right one is taken, with its plus sign escaped or not."""
    for text in WRONG_TIMES + OUT_OF_RANGE:
        answer = await http("GET", f"/v2/bookings?{parameter}={quote(text, safe='')}")
        assert (answer.status, list(answer.json["errors"])) == (422, [parameter]), text
    for text in (f"{DATE}T10:00:00%2B01:59", f"{DATE}T10:00:00+0159"):
        assert (await http("GET", f"/v2/bookings?{parameter}={text}")).status == 200
