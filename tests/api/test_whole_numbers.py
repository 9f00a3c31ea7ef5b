"""5.0 and 5e0 are the whole number 5, in every field that is one; 5.5, "5" and true are not."""

import json
import re
from typing import Any, get_args

import msgspec
import pytest

from reservesvc.api import schemas
from reservesvc.api.decoding import Decoder
from tests.api.client import ADA, BOOK, RESERVE, Http

FORMS = ("5", "5.0", "5e0", "50e-1", "0.5e1")
OTHERS = ("5.5", '"5"', "true", "[5]", "{}")
DECODERS = {name: each for name, each in vars(schemas).items() if isinstance(each, Decoder)}
INTEGERS = [
    (name, field.encode_name)
    for name, decoder in DECODERS.items()
    for field in msgspec.structs.fields(decoder.schema)
    if int in get_args(field.type)
]
HOURS = "availability_constraints.0.allow_hours"
FREE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "max_seats": ("/v2/bookings", "settings.max_seats", BOOK | {"graph": "group_owner"}),
    "timeout.time": ("/v2/bookings", "timeout", BOOK | {"graph": "instant_payment"}),
    "settings.timeout.time": ("/v2/bookings", "timeout", BOOK | {"graph": "instant_payment"}),
    "resource hours": ("/v2/resources", f"{HOURS}.start", {"name": "A"}),
    "project hours": ("/v2/projects", f"{HOURS}.start", {"name": "A"}),
    "search hours": (
        "/v2/availability",
        "constraints.0.allow_hours.start",
        {"resources": ["room-1"]},
    ),
}
"""in objects whose fields are free: where to send a number, and its name where it is wrong"""
SENT = {
    "max_seats": '"settings": {"max_seats": %s}',
    "timeout.time": '"timeout": {"time": %s, "unit": "minutes"}',
    "settings.timeout.time": '"settings": {"timeout": {"time": %s, "unit": "minutes"}}',
    "resource hours": '"availability_constraints": [{"allow_hours": {"start": %s, "end": 17.0}}]',
    "project hours": '"availability_constraints": [{"allow_hours": {"start": %s, "end": 17.0}}]',
    "search hours": '"constraints": [{"allow_hours": {"start": %s, "end": 17.0}}]',
}


def test_the_sweep_has_every_typed_number() -> None:
    """A field that is added comes by itself."""
    assert len(INTEGERS) >= 7
    assert {("RESERVE", "duration"), ("RESOURCE", "capacity")} <= set(INTEGERS)


@pytest.mark.parametrize(("schema", "field"), INTEGERS)
def test_a_typed_whole_number_comes_in_any_form(schema: str, field: str) -> None:
    """As an int, whatever it was written as; what is none is refused by name."""
    for form in FORMS:
        value, errors = DECODERS[schema].decode(b'{"%b": %b}' % (field.encode(), form.encode()))
        assert (getattr(value, field), type(getattr(value, field)), errors) == (5, int, {})
    for other in OTHERS:
        _, errors = DECODERS[schema].decode(b'{"%b": %b}' % (field.encode(), other.encode()))
        [message] = errors[field]
        assert message.startswith(f"{field} must be a whole number, not ")


@pytest.mark.parametrize("place", FREE)
@pytest.mark.parametrize("form", FORMS)
async def test_a_whole_number_in_a_free_object_comes_in_any_form(
    service: Http, place: str, form: str
) -> None:
    """It is taken, kept as the whole number it is, and answered as such."""
    path, _, body = FREE[place]
    answer = await service("POST", path, _with(body, SENT[place] % form))
    assert answer.status in {200, 201}, answer.body
    # With the name before it: the seconds of a time may be 55.012 or 17.034.
    assert not re.search(rb'":(5|17)\.0', answer.body)


@pytest.mark.parametrize("place", FREE)
@pytest.mark.parametrize("other", [other for other in OTHERS if other != '"5"'])
async def test_what_is_no_whole_number_in_a_free_object_is_refused(
    service: Http, place: str, other: str
) -> None:
    """By the name of its field."""
    path, name, body = FREE[place]
    answer = await service("POST", path, _with(body, SENT[place] % other))
    assert (answer.status, answer.code) == (422, "invalid_fields")
    assert name in answer.json["errors"]


async def test_a_group_counts_its_seats_in_whole_numbers(service: Http) -> None:
    """Also where `max_seats` came as 2.0: what is left is 1, not 1.0."""
    owner = BOOK | {"graph": "group_owner", "settings": {"max_seats": 2.0}}
    made = (await service("POST", "/v2/bookings", owner)).data
    assert str(made["settings"]["max_seats"]) == "2"
    related = {"related": {"owner_booking_id": made["id"]}, "customer": ADA}
    seat = related | {"graph": "group_customer"}
    await service("POST", "/v2/bookings", seat)
    refused = await service("POST", "/v2/bookings", seat | {"quantity": 2.0})
    assert (refused.code, str(refused.json["seats_left"])) == ("seat_unavailable", "1")


@pytest.mark.parametrize(
    "query", ["limit=5.0", "page=1.0", "limit=5e0", "limit=+5", "limit=%D9%A5"]
)
async def test_numbers_in_a_query_are_digits(service: Http, query: str) -> None:
    """A query is text, and no JSON."""
    answer = await service("GET", f"/v2/bookings?{query}")
    assert (answer.status, answer.code) == (422, "invalid_fields")


async def test_a_reservation_asked_for_with_30_0_seconds_says_30(service: Http) -> None:
    """What is kept and shown is the whole number."""
    body = RESERVE | {"duration": 30.0, "quantity": 1.0}
    answer = await service("POST", "/v2/bookings/reserve", body)
    assert (str(answer.data["duration"]), str(answer.data["quantity"])) == ("30", "1")


def _with(body: dict[str, Any], member: str) -> bytes:
    return (json.dumps(body)[:-1] + f", {member}}}").encode()
