"""/openapi.json and /docs: whole, true to the service, and readable without anything else."""

import json
import re
import shlex
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest

from reservesvc.api.call import Route
from reservesvc.api.openapi import html
from reservesvc.api.openapi.document import document
from reservesvc.api.openapi.examples import EXAMPLES, Example
from reservesvc.api.openapi.names import operation_id
from reservesvc.api.openapi.operations import OPERATIONS
from reservesvc.api.problems import PROBLEMS
from reservesvc.api.routes import ROUTES
from reservesvc.domain import zones
from reservesvc.domain.wish import Limits
from reservesvc.ports import Stores
from tests.api.client import Http, application
from tests.api.conftest import Serve

MOVING = {"created_at", "updated_at", "expires_at", "server_time", "remaining_ms", "lifetime_ms"}
"""fields of replies that are another each time"""
ROUTE_OF = {route.name: route for route in ROUTES}
DOCUMENT: dict[str, Any] = json.loads(json.dumps(document(ROUTES, Limits())))
PAGE = html.page(DOCUMENT)


class Story:
    """The examples as they go at a real service, which gives ids of its own."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def told(self, value: Any) -> Any:
        """Return `value` with the ids that the service gave."""
        text = json.dumps(value)
        for ours, theirs in self._names.items():
            text = text.replace(ours, theirs)
        return json.loads(text)

    def differences(self, expected: Any, actual: Any, path: str = "") -> Iterator[str]:
        """Yield where a reply is not the documented one; learn the ids on the way."""
        name = path.rpartition(".")[2]
        if isinstance(expected, dict) and isinstance(actual, dict):
            if expected.keys() != actual.keys():
                yield f"{path}: {sorted(expected.keys() ^ actual.keys())}"
            for key in expected.keys() & actual.keys():
                yield from self.differences(expected[key], actual[key], f"{path}.{key}")
        elif isinstance(expected, list) and isinstance(actual, list):
            if len(expected) != len(actual):
                yield f"{path}: {len(actual)} items"
            for place, pair in enumerate(zip(expected, actual, strict=False)):
                yield from self.differences(*pair, f"{path}.{place}")
        elif name in {"id", "reservation_id"} and isinstance(actual, str):
            if self._names.setdefault(expected, actual) != actual:
                yield f"{path}: {actual}"
        elif name not in MOVING and expected != actual:
            yield f"{path}: {actual}"


async def ready() -> None:
    """Be a dependency that can do its part."""


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_call_is_described(route: Route) -> None:
    """A row of the URL table has a row of what it takes and answers, and an example."""
    assert route.name in OPERATIONS
    assert route.name in EXAMPLES
    described = DOCUMENT["paths"][route.path][route.method.lower()]
    assert described["summary"]
    scopes = [scope for each in described["security"] for names in each.values() for scope in names]
    assert set(scopes) == {route.scope} - {"public"}


def test_nothing_is_described_that_is_not_there() -> None:
    """No row is left of a call that is gone."""
    assert OPERATIONS.keys() | EXAMPLES.keys() <= ROUTE_OF.keys()


async def test_every_example_is_true(serve: Serve, stores: Stores) -> None:
    """Sent in their order to a real service, all examples are answered as documented."""
    http = await serve(application(stores, checks={"redis": ready, "store": ready}))
    story = Story()
    for name, example in EXAMPLES.items():
        method, path, body = request(name, example, story)
        answer = await http(method, path, body)
        assert answer.status == example.status, (name, answer.body)
        media = answer.headers.get("Content-Type", "").partition(";")[0]
        assert media == media_of(name, example.status), name
        if example.reply is not None:
            differences = story.differences(json.loads(json.dumps(example.reply)), answer.json)
            assert list(differences) == [], name


def request(name: str, example: Example, story: Story) -> tuple[str, str, object]:
    """Return the request of an example."""
    route = ROUTE_OF[name]
    query = f"?{urlencode(story.told(example.query), doseq=True)}" if example.query else ""
    path = route.path.format_map(story.told(example.parts)) + query
    return route.method, path, story.told(example.body)


def media_of(name: str, status: int) -> str:
    """Return the documented type of a reply's body."""
    route = ROUTE_OF[name]
    answers = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
    return next(iter(answers[str(status)].get("content", {})), "")


@pytest.mark.parametrize("name", [name for name, each in EXAMPLES.items() if each.reply])
def test_every_field_of_a_reply_is_described(name: str) -> None:
    """What is rendered and what is described are one, field for field."""
    route = ROUTE_OF[name]
    example = EXAMPLES[name]
    answers = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
    schema = answers[str(example.status)]["content"]["application/json"]["schema"]
    reply = json.loads(json.dumps(example.reply))
    assert list(strange(schema, reply, "")) == []


def strange(schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    """Yield the fields that are in only one of `value` and the structs of `schema`."""
    whole = resolved(schema)
    if isinstance(value, list):
        for item in value:
            yield from strange(whole.get("items", {}), item, f"{path}[]")
    if not isinstance(value, dict):
        return
    known = whole.get("properties", {})
    if "$ref" in schema:
        missing = set(whole.get("required", ())) - value.keys()
        further = set() if "additionalProperties" in whole else value.keys() - known.keys()
        yield from (f"{path}.{name}" for name in missing | further)
    for name in value.keys() & known.keys():
        yield from strange(known[name], value[name], f"{path}.{name}")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema that a reference leads to."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][name] if name else schema
    return found


def test_every_reference_leads_somewhere() -> None:
    """And nothing stands apart that nobody refers to."""
    text = json.dumps(DOCUMENT)
    for kind in ("schemas", "responses"):
        referred = set(re.findall(rf'"#/components/{kind}/([^"]+)"', text))
        assert referred == DOCUMENT["components"][kind].keys()


def schemas_in(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object of the document that has a type, and where it is."""
    if isinstance(value, dict):
        if "type" in value and isinstance(value["type"], str | list):
            yield place, value
        for name, member in value.items():
            if name not in {"example", "examples"}:
                yield from schemas_in(member, f"{place}/{name}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from schemas_in(member, f"{place}/{index}")


def test_every_object_says_what_it_takes() -> None:
    """Generators make of an object without properties or additionalProperties one that is empty."""
    silent = [
        place
        for place, schema in schemas_in(DOCUMENT)
        if "object" in schema["type"] and not {"properties", "additionalProperties"} & schema.keys()
    ]
    assert silent == []


def test_every_enum_has_a_type() -> None:
    """And its values are different names in a generated client."""
    text = json.dumps(DOCUMENT)
    enums = [schema["enum"] for _, schema in schemas_in(DOCUMENT) if "enum" in schema]
    assert len(enums) == text.count('"enum":')
    for values in enums:
        assert len({re.sub(r"\W", "_", each).lower() for each in values}) == len(values)


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_time_is_one(name: str) -> None:
    """What is called a time has the format of one."""
    for field, schema in DOCUMENT["components"]["schemas"][name].get("properties", {}).items():
        if re.fullmatch(r"\w+_at|server_time|start|end", field):
            inside = next(iter(schema.get("anyOf", [schema])))
            assert inside["format"] == "date-time", field


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_problem_has_the_codes_that_the_call_can_answer(route: Route) -> None:
    """The codes of each status are a closed list, and all have that status."""
    responses = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
    codes = {status: codes_of(answer) for status, answer in responses.items() if "$ref" in answer}
    assert all(
        PROBLEMS[code].status == int(status) for status, each in codes.items() for code in each
    )
    listed = {code for each in codes.values() for code in each}
    assert {"internal_error", *OPERATIONS[route.name].codes} <= listed
    assert ("unauthorized" in listed) == (route.scope != "public")


def codes_of(answer: dict[str, Any]) -> list[str]:
    """Return the codes of a problem's schema."""
    response = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    schema = resolved(response["content"]["application/problem+json"]["schema"])
    codes: list[str] = schema["allOf"][1]["properties"]["code"]["enum"]
    return codes


def test_names_are_of_one_style() -> None:
    """A call is a verb with its object; a schema is a noun; neither has an underscore."""
    calls = [operation_id(route.name) for route in ROUTES]
    assert [name for name in calls if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name)] == []
    assert len(set(calls)) == len(calls)
    schemas = DOCUMENT["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch(r"([A-Z][a-z]+|\d{3})+", name)] == []
    assert {"BookingResponse", "ReservationPage", "Reservation", "Booking", "Problem"} <= set(
        schemas
    )


def test_every_time_zone_fits_the_pattern() -> None:
    """A client that checks the pattern sends any of them."""
    pattern = DOCUMENT["components"]["schemas"]["TimeZone"]["pattern"]
    assert [name for name in zones.names() if not re.search(pattern, name)] == []


def test_limits_are_the_configured_ones() -> None:
    """Who allows shorter reservations reads so in the document."""
    schemas = document(ROUTES, Limits(duration_s_max=77))["components"]["schemas"]
    number = schemas["ExtendBody"]["properties"]["duration"]
    assert (number["minimum"], number["maximum"]) == (1, 77)


async def test_the_document_is_served(http: Http) -> None:
    """As JSON, to be kept for a while."""
    answer = await http("GET", "/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.json == DOCUMENT


async def test_the_page_needs_nothing_else(http: Http) -> None:
    """Whole under a policy that lets nothing run and nothing be fetched."""
    answer = await http("GET", "/docs")
    page = answer.body.decode()
    assert page == PAGE
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"<script|<link|<img|<iframe| src=| style=| on\w+=|@import|url\(", page)
    assert {link for link in re.findall(r'href="([^"]*)"', page) if link[0] != "#"} == {
        "openapi.json"
    }


def test_the_page_shows_every_call() -> None:
    """Each call and each schema has a place, and every link on the page leads to one."""
    places = re.findall(r' id="([^"]*)"', PAGE)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]*)"', PAGE)) <= set(places)
    calls = {operation_id(route.name) for route in ROUTES}
    schemas = DOCUMENT["components"]["schemas"]
    # The schemas of problems differ in their codes only, which the calls list.
    shown = {name for name, schema in schemas.items() if "allOf" not in schema}
    assert calls | shown | {"menu", "calls", "schemas"} == set(places)


def section(route: Route) -> str:
    """Return what the page says of a call."""
    start = PAGE.index(f'<section class="call" id="{operation_id(route.name)}">')
    return PAGE[start : PAGE.index("</section>", start)]


def text_of(markup: str) -> str:
    """Return what a browser shows of some HTML."""
    return unescape(re.sub(r"<[^>]*>", "", markup))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_the_page_has_a_command_for_every_call(route: Route) -> None:
    """A shell reads it as the request of the example; the place of the key is marked."""
    said = section(route)
    assert text_of(said[: said.index("</h3>")]).split() == [route.method, route.path]
    command = said[said.index("<pre>") : said.index("</pre>")]
    words = shlex.split(text_of(command).replace("\\\n", ""))
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    path = request(route.name, EXAMPLES[route.name], Story())[1]
    assert (method, f"http://127.0.0.1:8080{path}") == (
        route.method,
        next(word for word in words if "://" in word),
    )
    sent = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
    assert sent == json.loads(json.dumps(EXAMPLES[route.name].body))
    assert ("<mark>YOUR-KEY</mark>" in command) == (route.scope != "public")
    assert ("Authorization: Bearer YOUR-KEY" in words) == (route.scope != "public")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_the_page_shows_replies_and_folds_errors(route: Route) -> None:
    """The example reply is open; every code that the call can answer is inside <details>."""
    said = section(route)
    folded = said[said.index("<details") : said.index("</details>")]
    example = EXAMPLES[route.name]
    shown = [text_of(each) for each in re.findall(r"<pre>(.*?)</pre>", said, re.DOTALL)[1:]]
    reply = json.loads(json.dumps(example.reply))
    assert [json.loads(each) for each in shown] == ([] if reply is None else [reply])
    assert "<pre>" not in folded
    responses = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
    codes = {code for answer in responses.values() if "$ref" in answer for code in codes_of(answer)}
    assert codes <= set(re.findall(r"<code>(\w+)</code>", folded))
