"""Decoding: a readable message for every bad field at once, and never a failure."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reservesvc.api import schemas
from reservesvc.api.call import Route
from reservesvc.api.problems import RefusedError
from reservesvc.api.routes import ROUTES
from reservesvc.domain import times
from reservesvc.domain.graphs import GRAPHS
from tests.api import ordinary
from tests.api.client import ADA, BOOK, RESERVE, Http
from tests.api.stubs import RESERVATION_ID, Stubs
from tests.builders import DAY, at

NUL = "must not contain the character U+0000"
TIME = times.TIME_RULE
WITH_BODY = [route for route in ROUTES if route.method in {"POST", "PUT"}]


async def errors_of(http: Http, path: str, body: object) -> dict[str, list[str]]:
    """Send a body that must be refused for its fields, and return what is said of them."""
    answer = await http("POST", path, body)
    assert (answer.status, answer.code) == (422, "invalid_fields"), answer.body
    errors: dict[str, list[str]] = answer.json["errors"]
    for message in (message for messages in errors.values() for message in messages):
        assert message in answer.json["detail"]
    return errors


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"duration": "30"}, {"duration": "must be a whole number, not a string"}),
        ({"duration": 1.5}, {"duration": "must be a whole number, not a number with a fraction"}),
        ({"duration": True}, {"duration": "must be a whole number, not a boolean"}),
        ({"duration": 0}, {"duration": "must be from 1 to 86400 seconds"}),
        ({"duration": 10**30}, {"duration": "must be from 1 to 86400 seconds"}),
        ({"reservation_time": []}, {"reservation_time": "must be a whole number, not a list"}),
        ({"start": 5}, {"start": "must be a string, not a whole number"}),
        ({"start": f"{DAY}T10:00:00"}, {"start": TIME}),
        ({"end": "tomorrow"}, {"end": TIME}),
        ({"end": RESERVE["start"]}, {"end": "must be after start"}),
        ({"end": times.render(at(800))}, {"end": "must be at most 2678400 seconds after start"}),
        ({"what": {}}, {"what": "must be a string, not an object"}),
        ({"what": "a\0"}, {"what": NUL}),
        ({"customer": []}, {"customer": "must be an object, not a list"}),
        ({"customer": {"email": 1}}, {"customer.email": "must be a string"}),
        ({"customer": {"more": {"a": ["\0"]}}}, {"customer.more.a.0": NUL}),
        ({"customer": {"a\0b": 1}}, {"customer.a\\u0000b": NUL}),
        ({"graph": "circle"}, {"graph": f"must be one of: {', '.join(GRAPHS)}"}),
        ({"quantity": 0}, {"quantity": "must be from 1 to the resource's capacity, 1"}),
        (
            {"duration": "x", "start": 1, "where": False, "customer": {"name": [], "phone": 5}},
            {
                "duration": "must be a whole number, not a string",
                "start": "must be a string, not a whole number",
                "where": "must be a string, not a boolean",
                "customer.name": "must be a string",
                "customer.phone": "must be a string",
            },
        ),
    ],
)
async def test_every_bad_field_of_a_reservation_is_named(
    http: Http, fields: dict[str, object], errors: dict[str, str]
) -> None:
    """Wrong types, wrong values and characters that cannot be kept, all in one reply."""
    expected = {name: [f"{name} {rule}"] for name, rule in errors.items()}
    assert await errors_of(http, "/v2/bookings/reserve", RESERVE | fields) == expected


async def test_what_is_missing_is_named(http: Http) -> None:
    """An empty body lacks everything that is required; null is as good as absent."""
    expected = {"resource_id", "start", "end", "what", "where", "description"}
    assert set(await errors_of(http, "/v2/bookings/reserve", {})) == expected
    nulls = dict.fromkeys(RESERVE)
    assert set(await errors_of(http, "/v2/bookings/reserve", nulls)) == expected


async def test_the_nested_event_is_checked_as_the_fields_it_stands_for(http: Http) -> None:
    """A bad field inside is called bad, not missing."""
    event = {"start": 5, "end": "tomorrow", "what": [], "where": "W", "description": "D"}
    body = {"resource_id": "room-1", "customer": ADA, "event": event}
    assert await errors_of(http, "/v2/bookings", body) == {
        "start": ["event.start must be a string, not a whole number"],
        "end": [f"end {TIME}"],
        "what": ["event.what must be a string, not a list"],
    }
    wrong = await errors_of(http, "/v2/bookings", BOOK | {"event": "now"})
    assert wrong == {"event": ["event must be an object, not a string"]}


@pytest.mark.parametrize("path", ["/v2/bookings", "/v2/bookings/reserve"])
async def test_both_forms_at_once_have_to_agree(http: Http, path: str) -> None:
    """A slot said twice is taken where both say the same, in whatever offset."""
    agreeing = {"what": "Haircut", "start": f"{DAY}T11:00:00+01:00"}
    assert (await http("POST", path, BOOK | {"event": agreeing})).status == 201
    wrong = await errors_of(http, path, BOOK | {"event": {"what": "Shave", "end": BOOK["start"]}})
    assert wrong == {
        "event.end": ["event.end disagrees with end; send one of them"],
        "event.what": ["event.what disagrees with what; send one of them"],
    }


@pytest.mark.parametrize("path", ["/v2/bookings", "/v2/bookings/reserve"])
async def test_the_nested_form_is_enough(http: Http, path: str) -> None:
    """Old integrations nest slot and texts in `event`, and name the action that makes them."""
    names = ("start", "end", "what", "where", "description")
    event = {name: BOOK[name] for name in names}
    body = {"resource_id": BOOK["resource_id"], "customer": BOOK["customer"], "event": event}
    for action in ("create", "confirm"):
        assert (await http("POST", path, body | {"action": action})).status == 201
    wrong = await errors_of(http, path, body | {"action": "cancel"})
    assert wrong == {"action": ["action must be one of: create, confirm"]}


async def test_what_comes_with_a_booking_is_checked_and_shown(http: Http) -> None:
    """Participants are text; settings that mean something have their kind, others are kept."""
    owner = {"owner_booking_id": "5bcdbd70-774d-425f-9b63-14e3b725a3f6"}
    sent = {"participants": ["ada@example.com"], "settings": {"colour": 7}, "related": owner}
    answer = await http("POST", "/v2/bookings", BOOK | sent)
    assert {name: answer.data[name] for name in sent} == sent
    wrong = {"participants": ["a", 5], "settings": {"allow_double_bookings": "yes"}}
    assert await errors_of(http, "/v2/bookings", BOOK | wrong) == {
        "participants.1": ["participants.1 must be a string, such as an email address"],
        "settings.allow_double_bookings": ["settings.allow_double_bookings must be true or false"],
    }


async def test_a_whole_number_may_be_written_with_a_fraction(http: Http) -> None:
    """JSON has one kind of number: 30.0 is 30 (JSON Schema 2020-12, section 6.1.1)."""
    body = json.dumps(RESERVE)[:-1] + ', "duration": 30.0, "quantity": 1e0}'
    answer = await http("POST", "/v2/bookings/reserve", body.encode())
    assert (answer.data["duration"], answer.data["quantity"]) == (30, 1)


async def test_a_reservation_id_of_a_wrong_type_is_a_field_error(http: Http) -> None:
    """It is not taken for a direct booking."""
    errors = await errors_of(http, "/v2/bookings", {"reservation_id": 5})
    assert errors == {"reservation_id": ["reservation_id must be a string, not a whole number"]}


async def test_duration_goes_before_its_alias(http: Http) -> None:
    """`reservation_time` is Timekit's name; alone it counts."""
    both = await http(
        "POST", "/v2/bookings/reserve", RESERVE | {"duration": 5, "reservation_time": 9}
    )
    alias = await http("POST", "/v2/bookings/reserve", RESERVE | {"reservation_time": 9})
    assert (both.data["duration"], alias.data["duration"]) == (5, 9)


async def test_further_customer_fields_are_kept(http: Http) -> None:
    """Only known fields have a type; a null one is absent."""
    customer = {**ADA, "phone": None, "vip": True, "cars": [{"plate": "B-1"}]}
    answer = await http("POST", "/v2/bookings/reserve", RESERVE | {"customer": customer})
    assert answer.data["customer"] == {**ADA, "vip": True, "cars": [{"plate": "B-1"}]}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"reservation_id": "is required", "duration": "is required"}),
        (
            {"reservation_id": RESERVATION_ID, "duration": 0},
            {"duration": "must be from 1 to 86400 seconds"},
        ),
        (
            {"reservation_id": RESERVATION_ID, "duration": 86_401},
            {"duration": "must be from 1 to 86400 seconds"},
        ),
        (
            {"reservation_id": [], "duration": "1"},
            {
                "reservation_id": "must be a string, not a list",
                "duration": "must be a whole number, not a string",
            },
        ),
    ],
)
async def test_every_bad_field_of_an_extension_is_named(
    http: Http, stubs: Stubs, body: object, errors: dict[str, str]
) -> None:
    """Nothing is asked of Redis before the request makes sense."""
    answer = await http("PUT", "/v2/bookings/reserve/extend", body)
    assert answer.status == 422
    assert answer.json["errors"] == {name: [f"{name} {rule}"] for name, rule in errors.items()}
    assert stubs.reservations.calls == []


@pytest.mark.parametrize(
    "text",
    ["", "room-1", "room-1.", ".01JD0000000000000000000000", f"{RESERVATION_ID.lower()}", "a\nb"],
)
async def test_what_can_be_no_reservations_id_is_a_404(http: Http, text: str) -> None:
    """In a body as in a path."""
    for method, path, body in (
        ("POST", "/v2/bookings", BOOK | {"reservation_id": text}),
        ("PUT", "/v2/bookings/reserve/extend", {"reservation_id": text, "duration": 5}),
    ):
        answer = await http(method, path, body)
        assert (answer.status, answer.code) == (404, "reservation_not_found")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v2/projects", {}, "name"),
        ("/v2/projects", {"name": " "}, "name"),
        ("/v2/projects", {"name": "S", "slug": "No Good"}, "slug"),
        ("/v2/projects", {"name": "S", "slug": "-s"}, "slug"),
        ("/v2/projects", {"name": "S", "reservation_time": 0}, "reservation_time"),
        ("/v2/projects", {"name": "S", "reservation_time": 86_401}, "reservation_time"),
        ("/v2/projects", {"name": "S", "booking": {"graph": "circle"}}, "booking.graph"),
        ("/v2/projects", {"name": "S", "booking": {"what": 1}}, "booking.what"),
        ("/v2/projects", {"name": "S", "meta": {"a": "\0"}}, "meta.a"),
        ("/v2/resources", {}, "name"),
        ("/v2/resources", {"name": ""}, "name"),
        ("/v2/resources", {"name": "R", "id": "a b"}, "id"),
        ("/v2/resources", {"name": "R", "id": "a{b}"}, "id"),
        ("/v2/resources", {"name": "R", "timezone": "Mars/Phobos"}, "timezone"),
        ("/v2/resources", {"name": "R", "timezone": "../../etc/passwd"}, "timezone"),
        ("/v2/resources", {"name": "R", "capacity": 0}, "capacity"),
        ("/v2/resources", {"name": "R", "capacity": 1_001}, "capacity"),
        ("/v2/resources", {"name": "R", "meta": []}, "meta"),
    ],
)
async def test_bad_fields_of_projects_and_resources(
    http: Http, stubs: Stubs, path: str, body: dict[str, object], field: str
) -> None:
    """Each is named, and nothing is stored."""
    errors = await errors_of(http, path, body)
    assert list(errors) == [field]
    assert errors[field][0].startswith(field)
    assert stubs.bookings.calls == []


def test_the_slow_path_agrees_with_the_fast_one() -> None:
    """What the compiled decoder takes, going field by field reads the same."""
    good = BOOK | {"event": {"what": "W"}, "meta": {"a": [1]}, "quantity": 1}
    fast, errors = schemas.BOOK.decode(json.dumps(good).encode())
    slow, _ = schemas.BOOK.decode(json.dumps(good | {"graph": 5}).encode())
    assert errors == {}
    assert msgspec.to_builtins(slow) == msgspec.to_builtins(fast)


def test_unknown_fields_must_be_utf_8_too() -> None:
    """The compiled decoder skips over what it does not know; that must not let bytes through."""
    with pytest.raises(RefusedError, match="not UTF-8"):
        schemas.RESERVE.decode(b'{"unknown": "\xff"}')


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def names_of(decoder: Any) -> set[str]:
    """Return the fields of the decoder's schema."""
    return {field.encode_name for field in msgspec.structs.fields(decoder.schema)}


names = sorted(names_of(schemas.RESERVE) | names_of(schemas.BOOK) | names_of(schemas.PROJECT))
bodies = st.dictionaries(st.sampled_from(names) | st.text(), anything, max_size=6).map(json.dumps)


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.name)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(sent=json.dumps({"customer": {"\ud800": "\udfff"}}))
@example(sent=json.dumps({"what": "\u2028", "meta": {"": {"": -(2**63)}}}))
@given(sent=bodies)
async def test_no_json_makes_the_service_fail(http: Http, route: Route, sent: str) -> None:
    """Random fields of random JSON, alone and over a good body: never a 5xx."""
    method, path, good = ordinary.to(route)
    alone = await http(method, path, sent.encode())
    assert alone.status < 500, alone.body
    if isinstance(good, dict):
        over = json.dumps(good).removesuffix("}") + "," + sent.removeprefix("{")
        mixed = await http(method, path, over.encode())
        assert mixed.status < 500, mixed.body


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sent=st.binary(max_size=64) | st.binary(max_size=32).map(lambda data: b'{"a":"' + data + b'"}')
)
async def test_no_bytes_make_the_service_fail(http: Http, sent: bytes) -> None:
    """Random bytes are refused, or are JSON by chance."""
    answer = await http("POST", "/v2/bookings/reserve", sent)
    assert answer.status in {400, 422}


def test_null_is_absent_for_every_schema() -> None:
    """No field of any body has to be there."""
    decoders: tuple[Any, ...] = (
        schemas.RESERVE, schemas.BOOK, schemas.EXTEND, schemas.ASSIGNMENT,
    )  # fmt: skip
    for decoder in decoders:
        nulls = json.dumps(dict.fromkeys(names_of(decoder))).encode()
        assert decoder.decode(nulls) == decoder.decode(b"{}")


def test_null_is_taken_where_it_takes_a_value_away() -> None:
    """For projects and resources null and absent are told apart, and neither is wrong."""
    decoders: tuple[Any, ...] = (schemas.PROJECT, schemas.RESOURCE)
    for decoder in decoders:
        nulls = json.dumps(dict.fromkeys(names_of(decoder))).encode()
        assert decoder.decode(nulls)[1] == decoder.decode(b"{}")[1] == {}
        assert decoder.decode(nulls) != decoder.decode(b"{}")
