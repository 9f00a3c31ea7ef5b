"""Batches end to end: HTTP, flow, scripts, a real Redis and SQLite."""

from typing import Any

import pytest

from reservesvc.domain import times
from tests.api.client import RESERVE, Http
from tests.builders import at

PATH = "/v2/bookings/reserve/batch"


def items(*rooms: str, **fields: object) -> list[dict[str, Any]]:
    """Return an item for each of the rooms."""
    return [RESERVE | {"resource_id": room} | fields for room in rooms]


async def test_independent_items_answer_in_their_places(service: Http) -> None:
    """A reservation, a conflict with it, and a wrong field, each as if sent alone."""
    wrong = RESERVE | {"end": "yesterday", "duration": "long"}
    sent = [*items("room-1", "room-1"), wrong]
    answer = await service("POST", PATH, {"mode": "independent", "reservations": sent})
    assert answer.status == 200
    granted, taken, invalid = answer.data
    assert (granted["status"], granted["data"]["resource_id"]) == (201, "room-1")
    assert (taken["status"], taken["problem"]["code"]) == (409, "slot_unavailable")
    assert taken["problem"]["retry_after_ms"] > 0
    assert (invalid["status"], set(invalid["problem"]["errors"])) == (422, {"end", "duration"})
    alone = await service("GET", f"/v2/bookings/reserve/{granted['data']['id']}")
    assert alone.status == 200


async def test_all_or_nothing_answers_with_every_reservation(service: Http) -> None:
    """201, the items in their order."""
    sent = items("room-2", "room-1")
    answer = await service("POST", PATH, {"mode": "all_or_nothing", "reservations": sent})
    assert answer.status == 201
    assert [item["resource_id"] for item in answer.data] == ["room-2", "room-1"]


async def test_all_or_nothing_names_what_kept_it(service: Http) -> None:
    """409 with the item's number and the hint, and nothing is held."""
    await service("POST", "/v2/bookings/reserve", items("room-2")[0])
    sent = items("room-1", "room-2")
    answer = await service("POST", PATH, {"mode": "all_or_nothing", "reservations": sent})
    assert (answer.status, answer.code, answer.json["item"]) == (409, "slot_unavailable", 1)
    assert "Retry-After" in answer.headers
    free = await service("POST", "/v2/bookings/reserve", items("room-1")[0])
    assert free.status == 201


async def test_a_repeated_cart_is_marked(service: Http) -> None:
    """Same key and body: the same answer, said to be a repeat."""
    body = {"mode": "all_or_nothing", "reservations": items("room-1", "room-2")}
    first = await service("POST", PATH, body, Idempotency_Key="k")
    second = await service("POST", PATH, body, Idempotency_Key="k")
    assert first.status == second.status == 201
    assert second.headers["Idempotent-Replayed"] == "true"
    assert [item["id"] for item in first.data] == [item["id"] for item in second.data]
    other = body | {"mode": "all_or_nothing", "reservations": items("room-1")}
    refused = await service("POST", PATH, other, Idempotency_Key="k")
    assert (refused.status, refused.code) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reservations": [RESERVE]}, "mode"),
        ({"mode": "both", "reservations": [RESERVE]}, "mode"),
        ({"mode": "independent"}, "reservations"),
        ({"mode": "independent", "reservations": []}, "reservations"),
        ({"mode": "independent", "reservations": [RESERVE] * 1001}, "reservations"),
        ({"mode": "independent", "reservations": "all"}, "reservations"),
        ({"mode": 7, "reservations": [RESERVE]}, "reservations"),
    ],
)
async def test_what_is_no_batch_is_refused(service: Http, body: object, field: str) -> None:
    """422, and the field is named."""
    answer = await service("POST", PATH, body)
    assert (answer.status, answer.code) == (422, "invalid_fields")
    assert field in answer.json["errors"]


@pytest.mark.parametrize("item", [7, None, "x", [RESERVE]])
async def test_an_item_that_is_no_object_is_its_own_problem(service: Http, item: object) -> None:
    """The others are reserved."""
    sent = [item, RESERVE]
    answer = await service("POST", PATH, {"mode": "independent", "reservations": sent})
    assert [each["status"] for each in answer.data] == [422, 201]
    assert "item" in answer.data[0]["problem"]["errors"]


async def test_a_large_batch_fits(service: Http) -> None:
    """A thousand items are more than an ordinary body may have, and less than a batch's."""
    sent = [
        RESERVE
        | {
            "start": times.render(at(hour)),
            "end": times.render(at(hour + 0.5)),
            "resource_id": f"room-{room}",
        }
        for hour in range(100)
        for room in range(10)
    ]
    answer = await service("POST", PATH, {"mode": "independent", "reservations": sent})
    assert [each["status"] for each in answer.data] == [201] * 1000


async def test_a_body_beyond_the_limit_is_refused(service: Http) -> None:
    """413, as everywhere."""
    answer = await service("POST", PATH, {"mode": "x" * 1_048_577})
    assert (answer.status, answer.code) == (413, "payload_too_large")
