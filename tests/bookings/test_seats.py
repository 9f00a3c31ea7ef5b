"""What every engine of the booking store must do with groups: their seats and their customers."""

import asyncio

import pytest
from msgspec.structs import replace

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    KeyReused,
    NoSeat,
    NotFound,
    NotOpen,
    Rescheduled,
)
from reservesvc.domain.rescheduling import Fences
from reservesvc.ports import Idempotency
from tests.bookings.builders import NOON_MS, booking
from tests.bookings.conftest import OpenStore

PAST_MS = 1_500_000_000_000


def group(seats: int, **fields: object) -> Booking:
    """Return the booking of a group's owner."""
    settings = {"max_seats": seats}
    return booking(graph="group_owner", state="tentative", settings=settings, **fields)


def customer(owner: Booking, **fields: object) -> Booking:
    """Return a draft of a booking with a seat of the group."""
    values = {"graph": "group_customer", "owner_booking_id": owner.id, "due_ms": None, **fields}
    return booking(**values)


async def seated(store: OpenStore, owner: Booking, **fields: object) -> Booking:
    """Take a seat, and insist on it."""
    outcome = await store.take_seat(customer(owner, **fields), None)
    assert isinstance(outcome, Booked), outcome
    return outcome.booking


async def test_a_seat_is_where_and_when_the_group_is(store: OpenStore) -> None:
    """Whatever the draft says; its times are the store's, and it blocks nobody's slot."""
    owner = group(3, resource_id="room-9")
    await store.book(owner, 0, None)
    made = await seated(store, owner, start_ms=1, end_ms=2, created_ms=0, updated_ms=0)
    assert (made.resource_id, made.start_ms, made.end_ms) == (
        "room-9",
        owner.start_ms,
        owner.end_ms,
    )
    assert PAST_MS < made.created_ms == made.updated_ms
    assert made.due_ms == owner.due_ms
    assert await store.booking(made.id) == made
    assert [one.booking_id for one in (await store.snapshot("room-9", 0)).bookings] == [owner.id]


async def test_a_hundred_at_once_take_the_seats_there_are(
    store: OpenStore, other_store: OpenStore
) -> None:
    """Twelve of a hundred get one, from two servers; the others are told that none is left."""
    owner = group(12)
    await store.book(owner, 0, None)
    answers = await asyncio.gather(
        *(
            (store, other_store)[number % 2].take_seat(customer(owner), None)
            for number in range(100)
        )
    )
    assert sum(isinstance(answer, Booked) for answer in answers) == 12
    full = NoSeat(owner=owner, seats_left=0, is_closed=False)
    assert [answer for answer in answers if not isinstance(answer, Booked)] == [full] * 88


async def test_seats_given_back_at_once_are_taken_again(
    store: OpenStore, other_store: OpenStore
) -> None:
    """Some leave while many come: never more than there are, and in the end all are taken."""
    owner = group(5)
    await store.book(owner, 0, None)
    sitting = [await seated(store, owner) for _ in range(5)]

    async def leave(one: Booking) -> None:
        answer = await other_store.change_state(one, "cancelled_by_customer", None, None)
        assert isinstance(answer, Changed)

    async def come() -> bool:
        return isinstance(await store.take_seat(customer(owner), None), Booked)

    came = await asyncio.gather(*(come() for _ in range(20)), *(leave(one) for one in sitting))
    came += await asyncio.gather(*(come() for _ in range(10)))
    assert came.count(True) == 5


async def test_quantity_is_seats(store: OpenStore) -> None:
    """Two seats of three leave one."""
    owner = group(3)
    await store.book(owner, 0, None)
    await seated(store, owner, quantity=2)
    refused = await store.take_seat(customer(owner, quantity=2), None)
    assert refused == NoSeat(owner=owner, seats_left=1, is_closed=False)
    await seated(store, owner)


async def test_a_seat_of_nothing_is_not_found(store: OpenStore) -> None:
    """The owner has to be there."""
    gone = group(1)
    answer = await store.take_seat(customer(gone), None)
    assert answer == NotFound(model="Booking", id=gone.id)


@pytest.mark.parametrize("state", ["cancelled", "completed"])
async def test_a_group_that_is_over_takes_nobody(store: OpenStore, state: str) -> None:
    """Neither a cancelled one nor a completed one."""
    owner = group(1)
    await store.book(owner, 0, None)
    closed = await store.change_state(owner, state, 0, None)
    assert isinstance(closed, Changed)
    answer = await store.take_seat(customer(owner), None)
    assert answer == NoSeat(owner=closed.booking, seats_left=0, is_closed=True)


async def test_a_group_that_is_due_to_complete_takes_nobody(store: OpenStore) -> None:
    """Even before anybody carried that out."""
    owner = group(1, start_ms=PAST_MS, end_ms=PAST_MS + 1)
    await store.book(owner, 0, None)
    answer = await store.take_seat(customer(owner), None)
    assert answer == NoSeat(owner=owner, seats_left=0, is_closed=True)


async def test_a_seat_is_taken_once_by_a_key(store: OpenStore, other_store: OpenStore) -> None:
    """The same key and body at once on two servers: one seat; another body is refused."""
    owner = group(5)
    await store.book(owner, 0, None)
    key = Idempotency("digest", "body")
    answers = await asyncio.gather(
        *((store, other_store)[n % 2].take_seat(customer(owner), key) for n in range(6))
    )
    booked = [answer for answer in answers if isinstance(answer, Booked)]
    assert len({answer.booking.id for answer in booked}) == 1
    assert sorted(answer.repeated for answer in booked) == [False] + [True] * 5
    other = await store.take_seat(customer(owner), Idempotency("digest", "other"))
    assert other == KeyReused()


async def test_a_key_is_one_booking_of_whatever_kind(store: OpenStore) -> None:
    """A key that booked a slot takes no seat, and the other way round."""
    owner, key = group(5), Idempotency("digest", "body")
    await store.book(owner, 0, key)
    assert await store.take_seat(customer(owner), key) == Booked(booking=owner, repeated=True)


async def test_customers_follow_their_owner(store: OpenStore) -> None:
    """A cancelled group moves on who has a seat, in the same transaction, and nobody else."""
    owner, other = group(9), group(9, resource_id="room-2")
    await store.book(owner, 0, None)
    await store.book(other, 0, None)
    sitting = await seated(store, owner)
    waiting = await seated(store, owner, graph="group_customer_payment", state="tentative")
    paid = await seated(store, owner, graph="group_customer_payment", state="paid")
    elsewhere = await seated(store, other)
    done = await store.change_state(await seated(store, owner), "completed", None, None)
    assert isinstance(done, Changed)
    await store.change_state(owner, "cancelled", 0, NOON_MS)
    states = {
        "sitting": await state_of(store, sitting),
        "waiting": await state_of(store, waiting),
        "paid": await state_of(store, paid),
        "elsewhere": await state_of(store, elsewhere),
        "done": await state_of(store, done.booking),
    }
    assert states == {
        "sitting": "cancelled_by_owner",
        "waiting": "unpaid",
        "paid": "cancelled_by_owner",
        "elsewhere": "confirmed",
        "done": "completed",
    }


async def test_a_completed_group_leaves_its_customers(store: OpenStore) -> None:
    """They complete by themselves."""
    owner = group(1)
    await store.book(owner, 0, None)
    sitting = await seated(store, owner)
    await store.change_state(owner, "completed", None, None)
    assert await state_of(store, sitting) == "confirmed"


async def test_nobody_is_left_behind_by_a_cancelled_group(
    store: OpenStore, other_store: OpenStore
) -> None:
    """Who takes a seat as the group is cancelled is moved on, or gets none."""
    for _ in range(5):
        owner = group(40)
        await store.book(owner, 0, None)
        asked = [customer(owner) for _ in range(20)]
        answers = await asyncio.gather(
            *(other_store.take_seat(one, None) for one in asked[:10]),
            store.change_state(owner, "cancelled", 0, None),
            *(other_store.take_seat(one, None) for one in asked[10:]),
        )
        booked = [answer.booking for answer in answers if isinstance(answer, Booked)]
        states = {await state_of(store, one) for one in booked}
        assert states <= {"cancelled_by_owner"}


async def test_a_seat_can_be_left_once(store: OpenStore, other_store: OpenStore) -> None:
    """Customer and owner cancel at once: each seat is left by one of them."""
    owner = group(10)
    await store.book(owner, 0, None)
    sitting = [await seated(store, owner) for _ in range(10)]
    answers = await asyncio.gather(
        *(other_store.change_state(one, "cancelled_by_customer", None, None) for one in sitting),
        store.change_state(owner, "cancelled", 0, None),
    )
    for one, answer in zip(sitting, answers, strict=False):
        state = "cancelled_by_customer" if isinstance(answer, Changed) else "cancelled_by_owner"
        assert isinstance(answer, Changed | NotOpen)
        assert await state_of(store, one) == state


async def state_of(store: OpenStore, one: Booking) -> str:
    """Return the state that the booking is in."""
    found = await store.booking(one.id)
    assert found is not None
    return found.state


async def test_customers_go_where_their_owner_goes(store: OpenStore) -> None:
    """A group that is rescheduled takes all along, with what happens to them after its end."""
    owner = group(5)
    await store.book(owner, 0, None)
    sitting = await seated(store, owner)
    waiting = await seated(store, owner, graph="group_customer_payment", state="tentative")
    length_ms = owner.end_ms - owner.start_ms
    start_ms = owner.start_ms + 24 * length_ms
    after = replace(
        owner,
        entry_id="0" * 26,
        resource_id="room-2",
        start_ms=start_ms,
        end_ms=start_ms + length_ms,
    )
    moved = await store.reschedule(owner, after, Fences(left=0, taken=0), None)
    assert isinstance(moved, Rescheduled)
    for before in (owner, sitting, waiting):
        found = await store.booking(before.id)
        assert found is not None
        assert (found.resource_id, found.start_ms, found.end_ms) == (
            "room-2",
            after.start_ms,
            after.end_ms,
        )
        shift_ms = 0 if before is waiting else 24 * length_ms
        assert found.due_ms == (before.due_ms or 0) + shift_ms
    assert (await store.snapshot("room-1", 0)).bookings == []
    assert [one.booking_id for one in (await store.snapshot("room-2", 0)).bookings] == [owner.id]
