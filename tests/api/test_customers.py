"""The customer's name and e-mail, in every way to a booking; reserving asks for neither."""

from typing import Any

import pytest

from tests.api.client import ADA, BOOK, RESERVE, Answer, Http

NAME, EMAIL = (
    "must have a visible character",
    "must have one @ between two parts that are not blank",
)
WRONG = [({"name": " "}, "name", NAME), ({"email": "nope"}, "email", EMAIL)]


def is_refused(answer: Answer, field: str, rule: str) -> bool:
    """Tell whether the answer names the field and the rule, and nothing else."""
    name = f"customer.{field}"
    refusal = (answer.status, answer.code, answer.json.get("errors"))
    return refusal == (422, "invalid_fields", {name: [f"{name} {rule}"]})


@pytest.mark.parametrize(("fields", "name", "rule"), WRONG)
@pytest.mark.parametrize("graph", ["instant", "confirm_decline", "instant_payment", "group_owner"])
async def test_a_direct_booking_needs_a_customer_who_can_be_reached(
    service: Http, graph: str, fields: dict[str, str], name: str, rule: str
) -> None:
    """422, also where the graph needs no customer and one is sent; nothing is booked."""
    settings = {"max_seats": 3} if graph == "group_owner" else {}
    body = BOOK | {"graph": graph, "settings": settings, "customer": ADA | fields}
    assert is_refused(await service("POST", "/v2/bookings", body), name, rule)
    assert (await service("GET", "/v2/bookings")).data == []


@pytest.mark.parametrize(("fields", "name", "rule"), WRONG)
async def test_a_hand_off_judges_the_customer_that_comes_of_both(
    service: Http, fields: dict[str, str], name: str, rule: str
) -> None:
    """Reserving takes what is sent; the hand-off refuses it until it is put right."""
    held = (await service("POST", "/v2/bookings/reserve", RESERVE | {"customer": fields})).data
    body: dict[str, Any] = {"reservation_id": held["id"]}
    rest = {key: value for key, value in ADA.items() if key != name}
    refused = await service("POST", "/v2/bookings", body | {"customer": rest})
    assert is_refused(refused, name, rule)
    booked = await service("POST", "/v2/bookings", body | {"customer": ADA})
    assert booked.status == 201


@pytest.mark.parametrize(("fields", "name", "rule"), WRONG)
async def test_a_hand_off_does_not_lay_a_wrong_customer_over_a_right_one(
    service: Http, fields: dict[str, str], name: str, rule: str
) -> None:
    """422, and the reservation stays."""
    held = (await service("POST", "/v2/bookings/reserve", RESERVE | {"customer": ADA})).data
    body = {"reservation_id": held["id"], "customer": fields}
    assert is_refused(await service("POST", "/v2/bookings", body), name, rule)
    assert (await service("GET", f"/v2/bookings/reserve/{held['id']}")).status == 200


@pytest.mark.parametrize(("fields", "name", "rule"), WRONG)
@pytest.mark.parametrize("graph", ["group_customer", "group_customer_payment"])
async def test_a_seat_needs_a_customer_who_can_be_reached(
    service: Http, graph: str, fields: dict[str, str], name: str, rule: str
) -> None:
    """422, and the group has as many seats left as before."""
    owner = BOOK | {"graph": "group_owner", "settings": {"max_seats": 1}, "customer": None}
    made = (await service("POST", "/v2/bookings", owner)).data
    seat = {"graph": graph, "related": {"owner_booking_id": made["id"]}}
    refused = await service("POST", "/v2/bookings", seat | {"customer": ADA | fields})
    assert is_refused(refused, name, rule)
    assert (await service("POST", "/v2/bookings", seat | {"customer": ADA})).status == 201


@pytest.mark.parametrize("path", ["/v2/projects", "/v2/resources"])
@pytest.mark.parametrize("name", ["", " ", "\u200b", "\u3164"])
async def test_the_name_of_a_project_or_resource_shows_something(
    service: Http, path: str, name: str
) -> None:
    """The same rule as for customers."""
    answer = await service("POST", path, {"name": name})
    assert (answer.status, answer.json["errors"]) == (422, {"name": [f"name {NAME}"]})
