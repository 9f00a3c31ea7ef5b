"""Graphs end to end: HTTP, flow, scripts, a real Redis and SQLite."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reservesvc.domain.graphs import GRAPHS, Graph, State
from reservesvc.domain.wish import Limits
from reservesvc.flow.due import carry_out, due_bookings
from reservesvc.ports import Stores
from tests.api.client import ADA, BOOK, RESERVE, SLOT, Answer, Http
from tests.builders import DAY

OWNER = {
    "graph": "group_owner",
    "settings": {"max_seats": 2},
    **{name: value for name, value in BOOK.items() if name != "customer"},
}
SOON = {"time": 1, "unit": "second"}


async def book(service: Http, **fields: object) -> Any:
    """Book directly, insist on it, and return the booking."""
    answer = await service("POST", "/v2/bookings", BOOK | fields)
    assert answer.status == 201, answer.body
    return answer.data


async def act(service: Http, booking: Any, action: str, body: object = None) -> Answer:
    """Take an action of the booking."""
    return await service("PUT", f"/v2/bookings/{booking['id']}/{action}", body)


async def state_of(service: Http, booking: Any) -> str:
    """Return the state that the booking is in now."""
    return str((await service("GET", f"/v2/bookings/{booking['id']}")).data["state"])


async def is_free(service: Http) -> bool:
    """Tell whether the slot can be had, and leave it as it was."""
    answer = await service("POST", "/v2/bookings/reserve", RESERVE)
    if answer.status == 201:
        await service("DELETE", f"/v2/bookings/reserve/{answer.data['id']}")
    return answer.status == 201


async def reserved(service: Http, **fields: object) -> Any:
    """Reserve, hand off, insist on it, and return the booking."""
    held = (await service("POST", "/v2/bookings/reserve", RESERVE)).data["id"]
    body = {"reservation_id": held, "customer": ADA, **fields}
    answer = await service("POST", "/v2/bookings", body)
    assert answer.status == 201, answer.body
    return answer.data


async def seat(service: Http, owner: Any, **fields: object) -> Answer:
    """Ask for a seat of the group."""
    body = {
        "graph": "group_customer",
        "related": {"owner_booking_id": owner["id"]},
        "customer": ADA,
    }
    return await service("POST", "/v2/bookings", body | fields)


async def run_timers(stores: Stores) -> list[str]:
    """Make every move that is due, and return how each ended."""
    due = [booking async for booking in due_bookings(stores)]
    return [await carry_out(stores, Limits(), booking) for booking in due]


# What Timekit's documentation says of each graph: state → action → state.
TIMEKIT = {
    "instant": {
        "confirmed": {
            "cancel": "cancelled",
            "cancel_by_customer": "cancelled_by_customer",
            "complete": "completed",
            "reschedule_by_customer": "rescheduled_by_customer",
        }
    },
    "confirm_decline": {
        "tentative": {"confirm": "confirmed", "decline": "declined"},
        "confirmed": {
            "cancel": "cancelled",
            "cancel_by_customer": "cancelled_by_customer",
            "complete": "completed",
            "reschedule_by_customer": "rescheduled_by_customer",
        },
    },
    "instant_payment": {
        "tentative": {"pay": "paid", "timeout": "unpaid"},
        "paid": {"cancel": "cancelled", "complete": "completed"},
    },
    "group_owner": {"tentative": {"cancel": "cancelled", "complete": "completed"}},
    "group_customer": {
        "confirmed": {
            "cancel_by_customer": "cancelled_by_customer",
            "cancel_by_owner": "cancelled_by_owner",
            "complete": "completed",
        }
    },
    "group_customer_payment": {
        "tentative": {"pay": "paid", "timeout": "unpaid"},
        "paid": {
            "cancel_by_owner": "cancelled_by_owner",
            "cancel_by_customer": "cancelled_by_customer",
            "complete": "completed",
        },
    },
}


def _ways(graph: str) -> list[list[tuple[str, str]]]:
    """Return every way through a graph: actions and the states they lead to."""
    ways: list[list[tuple[str, str]]] = []

    def go(state: str, way: list[tuple[str, str]]) -> None:
        actions = TIMEKIT[graph].get(state, {})
        ways.extend([] if actions else [way])
        for action, after in actions.items():
            go(after, [*way, (action, after)])

    go(GRAPHS[graph].first_state, [])
    return ways


WAYS = [(graph, way) for graph in TIMEKIT for way in _ways(graph)]


@pytest.mark.parametrize(
    ("graph", "way"), WAYS, ids=["-".join([g, *(a for a, _ in way)]) for g, way in WAYS]
)
async def test_every_way_through_a_graph(
    service: Http, graph: str, way: list[tuple[str, str]]
) -> None:
    """Each action leads where Timekit says, at each state exactly its actions are open."""
    if GRAPHS[graph].uses == "seat":
        owner = (await service("POST", "/v2/bookings", OWNER)).data
        booking = (await seat(service, owner, graph=graph)).data
    else:
        booking = await book(service, graph=graph, settings={"max_seats": 2})
    assert booking["state"] == GRAPHS[graph].first_state
    for action, after in way:
        assert booking["possible_actions"] == list(TIMEKIT[graph][booking["state"]])
        refused = await act(service, booking, "explode")
        assert (refused.status, refused.code) == (422, "action_not_allowed")
        assert refused.json["possible_actions"] == booking["possible_actions"]
        answer = await act(service, booking, action)
        assert (answer.status, answer.data["state"]) == (200, after)
        booking = answer.data
    assert (booking["completed"], booking["possible_actions"]) == (True, [])


async def test_the_last_action_again_answers_the_booking(service: Http) -> None:
    """With the same input it is a plain 200; with another one, or in a later state, a 422."""
    booking = await book(service, graph="instant_payment")
    paid = await act(service, booking, "pay", {"pay": {"payment_id": "p-1"}})
    again = await act(service, booking, "pay", {"pay": {"payment_id": "p-1"}, "other": 1})
    assert (paid.status, again.status, again.data) == (200, 200, paid.data)
    assert "Idempotent-Replayed" not in again.headers
    bodies: tuple[object, ...] = (
        None,
        {"pay": {}},
        {"pay": {"payment_id": "p-2"}},
        {"pay": {"message": 5}},
    )
    for body in bodies:
        other = await act(service, booking, "pay", body)
        assert (other.status, other.code) == (422, "action_not_allowed")
    await act(service, booking, "complete")
    late = await act(service, booking, "pay", {"pay": {"payment_id": "p-1"}})
    assert (late.status, late.code, late.json["state"]) == (422, "action_not_allowed", "completed")


async def test_a_key_of_an_action_is_remembered(service: Http) -> None:
    """Its repeat answers the booking as it is now; sent for anything else the key is refused."""
    booking, another = [
        await book(service, graph="instant_payment", resource_id=room) for room in ("a", "b")
    ]
    paid = await keyed(service, booking, "pay", {"pay": {"by": "card"}})
    assert (paid.status, "Idempotent-Replayed" in paid.headers) == (200, False)
    done = await act(service, booking, "complete")
    again = await keyed(service, booking, "pay", {"pay": {"by": "card"}})
    assert (again.status, again.data) == (200, done.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    for target, action, body in (
        (booking, "pay", {"pay": {"by": "cash"}}),
        (booking, "complete", {"pay": {"by": "card"}}),
        (another, "pay", {"pay": {"by": "card"}}),
    ):
        refused = await keyed(service, target, action, body)
        assert (refused.status, refused.code) == (422, "idempotency_key_reused")
    assert await state_of(service, another) == "tentative"


async def keyed(service: Http, booking: Any, action: str, body: object) -> Answer:
    """Take an action with the tests' key."""
    path = f"/v2/bookings/{booking['id']}/{action}"
    return await service("PUT", path, body, Idempotency_Key="k")


async def test_a_tentative_booking_keeps_a_reserved_slot(service: Http) -> None:
    """confirm_decline from a reservation blocks from the start, until it is declined."""
    booking = await reserved(service, graph="confirm_decline")
    assert not await is_free(service)
    await act(service, booking, "decline")
    assert await is_free(service)


async def test_a_tentative_booking_leaves_its_slot_to_others(service: Http) -> None:
    """Booked directly, confirm_decline blocks once it is confirmed; the other has come too late."""
    first = await book(service, graph="confirm_decline")
    second = await book(service, graph="confirm_decline")
    assert await is_free(service)
    confirmed = await act(service, second, "confirm")
    assert (confirmed.status, confirmed.data["state"]) == (200, "confirmed")
    assert not await is_free(service)
    late = await act(service, first, "confirm")
    assert (late.status, late.code) == (409, "slot_unavailable")
    assert await state_of(service, first) == "tentative"
    await act(service, second, "cancel")
    assert await is_free(service)
    assert (await act(service, first, "confirm")).status == 200


async def test_a_reserved_slot_cannot_be_confirmed(service: Http) -> None:
    """Somebody holds it for now: the answer says when trying again may help."""
    booking = await book(service, graph="confirm_decline")
    await service("POST", "/v2/bookings/reserve", RESERVE)
    answer = await act(service, booking, "confirm")
    assert (answer.status, answer.code) == (409, "slot_unavailable")
    assert answer.json["retry_after_ms"] > 0


async def test_of_many_confirmed_at_once_one_stands(service: Http) -> None:
    """Ten tentative bookings of one slot, each confirmed twice: one is, and is told so twice."""
    bookings = [await book(service, graph="confirm_decline") for _ in range(10)]
    answers = await asyncio.gather(*(act(service, each, "confirm") for each in bookings * 2))
    confirmed = [answer.data for answer in answers if answer.status == 200]
    assert len(confirmed) == 2
    assert confirmed[0] == confirmed[1]
    states = [await state_of(service, booking) for booking in bookings]
    assert sorted(states) == ["confirmed"] + ["tentative"] * 9


async def test_an_unpaid_booking_gives_its_slot_back(service: Http, stores: Stores) -> None:
    """The timeout that was asked for happens by itself, once, and not before it is due."""
    booking = await book(service, graph="instant_payment", timeout=SOON)
    assert (booking["settings"]["timeout"], booking["due_at"] > booking["created_at"]) == (
        SOON,
        True,
    )
    assert await run_timers(stores) == []
    assert not await is_free(service)
    await asyncio.sleep(1.1)
    assert await run_timers(stores) == ["moved"]
    assert await run_timers(stores) == []
    assert await state_of(service, booking) == "unpaid"
    assert await is_free(service)
    repeat = await act(service, booking, "timeout")
    assert (repeat.status, repeat.data["state"]) == (200, "unpaid")


async def test_who_pays_too_late_has_not_paid(service: Http) -> None:
    """The timeout wins, whether or not anybody carried it out before."""
    booking = await book(service, graph="instant_payment", timeout=SOON)
    await asyncio.sleep(1.1)
    answer = await act(service, booking, "pay", {"pay": {"payment_id": "p1"}})
    assert (answer.status, answer.code) == (422, "action_not_allowed")
    assert answer.json["state"] == "unpaid"
    assert await is_free(service)


async def test_who_paid_in_time_stays(service: Http, stores: Stores) -> None:
    """Paying ends the timeout, and keeps what was sent along."""
    booking = await book(service, graph="instant_payment", timeout=SOON)
    paid = await act(service, booking, "pay", {"pay": {"payment_id": "p1"}})
    assert paid.data["attributes"]["pay"] == {"payment_id": "p1"}
    await asyncio.sleep(1.1)
    assert await run_timers(stores) == []
    assert await state_of(service, booking) == "paid"


_LAST_MONTH = (datetime.now(UTC) - timedelta(days=30)).date()  # the index reaches back a year
PAST = {"start": f"{_LAST_MONTH}T10:00:00Z", "end": f"{_LAST_MONTH}T11:00:00Z"}


async def test_a_booking_completes_an_hour_after_its_end(service: Http, stores: Stores) -> None:
    """By itself, and its slot stays taken."""
    booking = await book(service, **PAST)
    assert booking["due_at"] == f"{_LAST_MONTH}T12:00:00.000Z"
    assert await run_timers(stores) == ["moved"]
    assert await state_of(service, booking) == "completed"


async def test_who_opts_out_completes_by_hand(service: Http, stores: Stores) -> None:
    """With auto-complete disabled nothing happens by itself."""
    name = "auto_complete_one_hour_after_booking_ends"
    booking = await book(service, **PAST, **{name: {"enabled": False}})
    assert booking["due_at"] is None
    assert await run_timers(stores) == []
    assert (await act(service, booking, "complete")).data["state"] == "completed"


async def test_seats_are_taken_and_given_back(service: Http) -> None:
    """As many as there are; one that is cancelled is taken again."""
    owner = (await service("POST", "/v2/bookings", OWNER)).data
    assert not await is_free(service)
    first = await seat(service, owner)
    assert (first.status, first.data["related"]) == (201, {"owner_booking_id": owner["id"]})
    assert first.data["event"] == owner["event"]
    assert first.data["resource_id"] == SLOT["resource_id"]
    assert (await seat(service, owner)).status == 201
    full = await seat(service, owner)
    assert (full.status, full.code, full.json["seats_left"]) == (409, "seat_unavailable", 0)
    await act(service, first.data, "cancel_by_customer")
    assert (await seat(service, owner)).status == 201


async def test_several_seats_count_as_several(service: Http) -> None:
    """Quantity is how many seats a booking has."""
    owner = (await service("POST", "/v2/bookings", OWNER)).data
    assert (await seat(service, owner, quantity=3)).json["seats_left"] == 2
    assert (await seat(service, owner, quantity=2)).status == 201
    assert (await seat(service, owner)).status == 409


async def test_a_seat_is_replayed_by_its_key(service: Http) -> None:
    """The same key and body take one seat."""
    owner = (await service("POST", "/v2/bookings", OWNER)).data
    body = {
        "graph": "group_customer",
        "related": {"owner_booking_id": owner["id"]},
        "customer": ADA,
    }
    answers = await asyncio.gather(
        *(service("POST", "/v2/bookings", body, Idempotency_Key="k") for _ in range(5))
    )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.data["id"] for answer in answers}) == 1
    assert (await seat(service, owner)).status == 201


async def test_cancelling_the_owner_moves_its_customers_on(service: Http) -> None:
    """Who has a seat is cancelled by the owner, who has not paid yet need not; others stay."""
    owner = (await service("POST", "/v2/bookings", OWNER | {"settings": {"max_seats": 4}})).data
    sitting = (await seat(service, owner)).data
    unpaid = (await seat(service, owner, graph="group_customer_payment")).data
    paid = (await seat(service, owner, graph="group_customer_payment")).data
    await act(service, paid, "pay")
    gone = (await seat(service, owner)).data
    await act(service, gone, "cancel_by_customer")
    assert (await act(service, owner, "cancel")).data["state"] == "cancelled"
    states = [await state_of(service, each) for each in (sitting, unpaid, paid, gone)]
    assert states == ["cancelled_by_owner", "unpaid", "cancelled_by_owner", "cancelled_by_customer"]
    assert await is_free(service)
    closed = await seat(service, owner)
    assert (closed.status, closed.code, closed.json["state"]) == (
        409,
        "seat_unavailable",
        "cancelled",
    )


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"related": None}, "related.owner_booking_id"),
        ({"related": {"owner_booking_id": "0" * 8}}, "related.owner_booking_id"),
        ({"customer": {"name": "Ada"}}, "customer.email"),
        ({"resource_id": "room-2"}, "resource_id"),
        ({"start": f"{DAY}T09:00:00Z"}, "start"),
        ({"quantity": 0}, "quantity"),
        ({"timeout": {"time": 1, "unit": "moons"}}, "timeout"),
        ({"project_id": "p"}, "project_id"),
    ],
)
async def test_a_seat_that_cannot_be_is_refused(
    service: Http, fields: dict[str, object], named: str
) -> None:
    """Every field that is wrong is named, and no seat is gone."""
    owner = (await service("POST", "/v2/bookings", OWNER)).data
    answer = await seat(service, owner, **fields)
    assert (answer.status, list(answer.json["errors"])) == (422, [named])
    assert (await seat(service, owner, quantity=2)).status == 201


async def test_a_booking_without_seats_is_no_group(service: Http) -> None:
    """Only a group's owner has seats to take."""
    answer = await seat(service, await book(service))
    assert list(answer.json["errors"]) == ["related.owner_booking_id"]


@pytest.mark.parametrize("seats", [None, 0, 1001, "2", True])
async def test_a_group_has_seats(service: Http, seats: object) -> None:
    """max_seats is required of a group and is a number above 0."""
    answer = await service("POST", "/v2/bookings", OWNER | {"settings": {"max_seats": seats}})
    assert (answer.status, list(answer.json["errors"])) == (422, ["settings.max_seats"])


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"cancel": "ill"}, "cancel"),
        ({"cancel": {"message": 7}}, "cancel.message"),
        ({"cancel": {"message": "\0"}}, "cancel.message"),
    ],
)
async def test_inputs_are_checked(service: Http, sent: object, named: str) -> None:
    """What cannot be an input is named, and nothing is changed."""
    booking = await book(service)
    answer = await act(service, booking, "cancel", sent)
    assert (answer.status, list(answer.json["errors"])) == (422, [named])
    assert await state_of(service, booking) == "confirmed"


async def test_inputs_are_kept(service: Http) -> None:
    """Under the action's own name; what is sent under another is not looked at."""
    booking = await book(service, graph="confirm_decline")
    await act(service, booking, "confirm", {"confirm": {"by": ["Bo"]}, "decline": {"message": "x"}})
    await act(service, booking, "cancel", {"cancel": {"message": "ill"}})
    found = (await service("GET", f"/v2/bookings/{booking['id']}")).data["attributes"]
    assert found == {
        "confirm": {"by": ["Bo"]},
        "cancel": {"message": "ill"},
        "event_info": booking["event"],
    }


async def test_a_graph_is_added_by_adding_rows(
    service: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but its rows is needed: it is reserved under, booked, acted on and found."""
    queue = Graph(
        first_state="waiting",
        states={
            "waiting": State(actions={"admit": "inside", "leave": "left"}, holds="never"),
            "inside": State(actions={"leave": "left"}),
            "left": State(holds="never"),
        },
    )
    monkeypatch.setitem(GRAPHS, "queue", queue)
    first, second = await book(service, graph="queue"), await reserved(service, graph="queue")
    assert (first["state"], first["possible_actions"]) == ("waiting", ["admit", "leave"])
    assert await is_free(service)
    inside = await act(service, second, "admit", {"admit": {"message": "door 2"}})
    assert (inside.data["state"], inside.data["attributes"]["admit"]) == (
        "inside",
        {"message": "door 2"},
    )
    assert (await act(service, first, "admit")).code == "slot_unavailable"
    assert (await act(service, second, "leave")).data["completed"]
    assert (await act(service, first, "admit")).status == 200
    listed = await service("GET", "/v2/bookings?search=graph:queue;state:inside")
    assert [each["id"] for each in listed.data] == [first["id"]]
