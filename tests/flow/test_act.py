"""act: asked for again, the last action changes nothing and is answered as before."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reservesvc.domain.booking import Booking, Inputs
from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.moves import is_repeat
from reservesvc.domain.outcomes import Booked, Changed, Invalid, KeyReused, NotOpen, Reserved
from reservesvc.domain.wish import Limits
from reservesvc.flow.act import act
from reservesvc.flow.book import book
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Idempotency, Stores
from tests.builders import a_booking, a_wish

LIMITS = Limits()
KEY = Idempotency("digest", "body")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)
INPUT = st.dictionaries(st.text(max_size=3), JSON, max_size=3)


def _moves() -> Iterator[tuple[str, str, str]]:
    for name, graph in GRAPHS.items():
        for state in graph.states.values():
            for action, after in state.actions.items():
                yield name, action, after


async def booked(stores: Stores, graph: str = "instant") -> Booking:
    """Book directly."""
    outcome = await book(stores, LIMITS, a_wish(graph=graph), None)
    assert isinstance(outcome, Booked), outcome
    return outcome.booking


async def changed(stores: Stores, booking: Booking, action: str, **named: Any) -> Changed:
    """Take the action and insist on it."""
    outcome = await act(stores, booking.id, action, **named)
    assert isinstance(outcome, Changed), outcome
    return outcome


MOVES = sorted(set(_moves()))
"""graph, action, the state it leads to"""


@settings(max_examples=80, deadline=None)
@given(move=st.sampled_from(MOVES), sent=INPUT, other=INPUT)
def test_a_repeat_is_the_same_action_with_the_same_input(
    move: tuple[str, str, str], sent: dict[str, Any], other: dict[str, Any]
) -> None:
    """No other action and no other input repeats it, in any state of any graph."""
    graph, action, after = move
    booking = a_booking(graph=graph, state=after, inputs={action: sent} if sent else {})
    assert is_repeat(booking, action, {action: sent})
    assert is_repeat(booking, action, {action: dict(reversed(sent.items()))})
    assert is_repeat(booking, action, None) == (not sent)
    assert is_repeat(booking, action, {action: other}) == (repr_of(other) == repr_of(sent))
    assert not is_repeat(booking, "explode", None)
    others = {name for _, name, _ in MOVES} - {action}
    assert not any(is_repeat(booking, name, {name: sent}) for name in others)


def repr_of(value: Any) -> str:
    """Return a value's text, the same whatever the order of its keys."""
    if isinstance(value, dict):
        return repr(sorted((key, repr_of(each)) for key, each in value.items()))
    return repr([repr_of(each) for each in value] if isinstance(value, list) else value)


@pytest.mark.parametrize(("kept", "sent"), [(1, True), (1, 1.0), (0, False), ("1", 1)])
def test_what_python_calls_equal_is_another_input(kept: object, sent: object) -> None:
    """A number is not the truth value, nor a whole number one with a decimal point."""
    inputs: Inputs = {"cancel": {"a": kept}}
    booking = a_booking(state="cancelled", inputs=inputs)
    assert is_repeat(booking, "cancel", inputs)
    assert not is_repeat(booking, "cancel", {"cancel": {"a": sent}})


async def test_the_last_action_again_changes_nothing(servers_of_each_engine: list[Stores]) -> None:
    """The booking is the answer, as it was left; another input or another action is refused."""
    one, other = servers_of_each_engine
    booking, inputs = await booked(one), {"cancel": {"message": "Ill"}}
    first = await changed(one, booking, "cancel", inputs=inputs)
    assert not first.repeated
    assert await act(other, booking.id, "cancel", inputs) == Changed(
        booking=first.booking, repeated=True
    )
    for action, sent in (("cancel", None), ("cancel", {"cancel": {"message": "No"}})):
        assert isinstance(await act(one, booking.id, action, sent), NotOpen)
    assert isinstance(await act(one, booking.id, "cancel_by_customer"), NotOpen)
    assert await one.bookings.booking(booking.id) == first.booking


async def test_an_action_is_too_late_to_repeat_in_a_later_state(stores: Stores) -> None:
    """Who paid cannot pay again once the booking is completed."""
    booking = await booked(stores, "instant_payment")
    await changed(stores, booking, "pay")
    await changed(stores, booking, "complete")
    assert isinstance(await act(stores, booking.id, "pay"), NotOpen)


@pytest.mark.parametrize("idempotency", [None, KEY])
async def test_the_same_action_at_once_has_one_effect(
    servers_of_each_engine: list[Stores], idempotency: Idempotency | None
) -> None:
    """Two servers confirm a booking four times: it claims its slot once, and all are told."""
    servers = servers_of_each_engine
    booking = await booked(servers[0], "confirm_decline")
    answers = await asyncio.gather(
        *(
            changed(servers[number % 2], booking, "confirm", idempotency=idempotency)
            for number in range(4)
        )
    )
    assert sorted(answer.repeated for answer in answers) == [False, True, True, True]
    assert len({answer.booking.updated_ms for answer in answers}) == 1
    assert len((await servers[0].bookings.blocking(booking.resource_id, 0)).bookings) == 1


async def test_a_key_is_remembered_when_the_booking_has_moved_on(
    servers_of_each_engine: list[Stores],
) -> None:
    """Its repeat answers with the booking as it is now; sent for anything else it is refused."""
    one, other = servers_of_each_engine
    booking = await booked(one, "instant_payment")
    await changed(one, booking, "pay", idempotency=KEY)
    done = await changed(other, booking, "complete")
    repeat = await act(other, booking.id, "pay", idempotency=KEY)
    assert repeat == Changed(booking=done.booking, repeated=True)
    reused = Idempotency(KEY.digest, "another body")
    assert await act(one, booking.id, "pay", idempotency=reused) == KeyReused()
    assert await one.bookings.booking(booking.id) == done.booking


async def test_the_store_itself_knows_the_key(servers_of_each_engine: list[Stores]) -> None:
    """A request that looked for the key too early changes nothing all the same."""
    store = servers_of_each_engine[0].bookings
    booking = await booked(servers_of_each_engine[0], "instant_payment")
    paid = await changed(servers_of_each_engine[0], booking, "pay", idempotency=KEY)
    repeat = await store.change_state(paid.booking, "completed", None, None, idempotency=KEY)
    assert repeat == Changed(booking=paid.booking, repeated=True)
    reused = Idempotency(KEY.digest, "another body")
    refused = await store.change_state(paid.booking, "completed", None, None, idempotency=reused)
    assert refused == KeyReused()
    assert await store.booking(booking.id) == paid.booking


async def test_one_key_sent_for_two_bookings_at_once_changes_one(
    servers_of_each_engine: list[Stores],
) -> None:
    """The other request is told that the key was sent for something else, and changes nothing."""
    servers = servers_of_each_engine
    bookings = [
        await booked_in(servers[0], room) for room in ("room-1", "room-2", "room-3", "room-4")
    ]
    answers = await asyncio.gather(
        *(
            act(servers[number % 2], each.id, "pay", idempotency=Idempotency("digest", each.id))
            for number, each in enumerate(bookings)
        )
    )
    assert sum(isinstance(answer, Changed) for answer in answers) == 1
    assert answers.count(KeyReused()) == 3
    states = [await servers[0].bookings.booking(each.id) for each in bookings]
    assert sum(each is not None and each.state == "paid" for each in states) == 1


async def booked_in(stores: Stores, resource_id: str) -> Booking:
    """Book one to be paid."""
    wish = a_wish(resource_id=resource_id, graph="instant_payment")
    outcome = await book(stores, LIMITS, wish, None)
    assert isinstance(outcome, Booked), outcome
    return outcome.booking


async def test_a_refused_action_pins_no_key(stores: Stores) -> None:
    """After a refusal the same key can be sent for something else."""
    booking = await booked(stores)
    assert isinstance(await act(stores, booking.id, "pay", idempotency=KEY), NotOpen)
    assert await stores.bookings.changed_by_key(KEY.digest) is None
    other = Idempotency(KEY.digest, "another body")
    assert not (await changed(stores, booking, "cancel", idempotency=other)).repeated


async def test_what_is_not_open_is_told_before_what_is_wrong_with_the_input(
    stores: Stores,
) -> None:
    """A wrong input is named where the action is open, and is no repeat where it is not."""
    booking, errors = await booked(stores), {"cancel": ["cancel must be an object"]}
    wrong = await act(stores, booking.id, "cancel", errors=errors)
    assert wrong == Invalid(errors=errors)
    await changed(stores, booking, "cancel")
    assert isinstance(await act(stores, booking.id, "cancel", errors=errors), NotOpen)
    assert isinstance(await reserve(stores, LIMITS, a_wish(), None), Reserved)
