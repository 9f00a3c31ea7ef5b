"""What every engine of the booking store must do with bookings."""

import asyncio

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    FenceMoved,
    KeyReused,
    NotFound,
    NotOpen,
    Taken,
)
from reservesvc.domain.slot import Usage, peak
from reservesvc.ports import Idempotency
from tests.bookings.builders import MINUTE_MS, NOON_MS, at, booking, resource
from tests.bookings.conftest import OpenStore

# Without NUL, which callers cannot send: what an engine does with it is told in its own tests.
ODD_TEXTS = (
    "'; DROP TABLE bookings; --",
    '"quoted" \\ back\\slash',
    "\u202eright to left\u202c e\u0301 \U0001f469\u200d\U0001f680 \ufffe",
    "line\r\n\ttab\x7f\x01",
    "",
)


async def test_a_booking_reads_back_as_it_was_given(store: OpenStore) -> None:
    """Every field of a booking survives the store, by id and by reservation."""
    given_booking = booking(
        project_id="project-1",
        quantity=1,
        customers=[{"name": "Ada", "email": "ada@example.org", "age": 36}, {"name": None}],
        meta={"deep": {"list": [1, 2.5, None, True, "x"]}},
    )
    assert await store.book(given_booking, 0, None) == Booked(booking=given_booking)
    assert await store.booking(given_booking.id) == given_booking
    assert await store.booking_by_reservation(given_booking.reservation_id) == given_booking


@pytest.mark.parametrize("text", ODD_TEXTS)
async def test_any_text_reads_back(store: OpenStore, text: str) -> None:
    """Quotes, control characters and odd Unicode come back unchanged."""
    given_booking = booking(
        what=text, where=text, description=text, customers=[{text: text}], meta={text: text}
    )
    await store.book(given_booking, 0, None)
    assert await store.booking(given_booking.id) == given_booking


async def test_text_that_is_no_unicode_is_refused_and_harms_nothing(store: OpenStore) -> None:
    """A lone surrogate is an error of the caller's; the store goes on."""
    with pytest.raises(UnicodeEncodeError):
        await store.book(booking(what="\ud800"), 0, None)
    assert isinstance(await store.book(booking(), 0, None), Booked)


async def test_what_is_not_there_is_none(store: OpenStore) -> None:
    """Unknown ids, reservations and keys name no booking."""
    assert await store.booking("nothing") is None
    assert await store.booking_by_reservation("room-1.nothing") is None
    assert await store.booking_by_key("nothing") is None


async def test_the_same_reservation_is_booked_once(store: OpenStore) -> None:
    """A repeat gets the booking that stands, whatever else it brings."""
    first = booking()
    again = booking(reservation_id=first.reservation_id, what="another")
    await store.book(first, 0, None)
    assert await store.book(again, 0, None) == Booked(booking=first, repeated=True)
    assert await store.booking(again.id) is None


async def test_a_repeat_is_answered_before_the_fence_is_compared(store: OpenStore) -> None:
    """A hand-off that was committed stays the answer after a resync."""
    first = booking()
    await store.book(first, 0, None)
    await store.snapshot("room-1", 0)
    assert await store.book(first, 0, None) == Booked(booking=first, repeated=True)


async def test_a_repeat_gets_the_booking_as_it_is_now(store: OpenStore) -> None:
    """A repeat after a cancel returns the cancelled booking and books nothing."""
    first = booking()
    await store.book(first, 0, None)
    cancelled = await store.change_state(first, "cancelled", None, NOON_MS)
    assert isinstance(cancelled, Changed)
    assert await store.book(first, 0, None) == Booked(booking=cancelled.booking, repeated=True)


async def test_the_same_key_and_body_give_the_same_booking(store: OpenStore) -> None:
    """An Idempotency-Key is repeated: the booking it made is the answer."""
    first, second = booking(), booking()
    key = Idempotency("digest", "body")
    assert await store.book(first, 0, key) == Booked(booking=first)
    assert await store.book(second, 0, key) == Booked(booking=first, repeated=True)
    assert await store.booking_by_key("digest") == (first, "body")


async def test_the_same_key_with_another_body_is_refused(store: OpenStore) -> None:
    """An Idempotency-Key stands for one body; the slot plays no part."""
    await store.book(booking(), 0, Idempotency("digest", "body"))
    free = at(600, 660)
    assert await store.book(free, 0, Idempotency("digest", "other")) == KeyReused()
    assert await store.booking(free.id) is None


async def test_a_repeated_key_is_answered_before_the_fence_is_compared(store: OpenStore) -> None:
    """A direct booking that was committed stays the answer after a resync."""
    first = booking()
    await store.book(first, 0, Idempotency("digest", "body"))
    await store.snapshot("room-1", 0)
    answer = await store.book(booking(), 0, Idempotency("digest", "body"))
    assert answer == Booked(booking=first, repeated=True)


async def test_a_reservation_outranks_a_key(store: OpenStore) -> None:
    """The reservation's booking is the answer even where the key names another body."""
    first, second = at(0, 10), at(10, 20)
    await store.book(first, 0, Idempotency("digest", "body"))
    await store.book(second, 0, None)
    answer = await store.book(second, 0, Idempotency("digest", "other"))
    assert answer == Booked(booking=second, repeated=True)


async def test_a_refused_booking_pins_no_key(store: OpenStore) -> None:
    """A key whose request was refused can be used for another."""
    await store.book(booking(), 0, None)
    assert await store.book(booking(), 0, Idempotency("digest", "a")) == Taken(by="booked")
    assert await store.booking_by_key("digest") is None
    assert isinstance(await store.book(at(60, 90), 0, Idempotency("digest", "b")), Booked)


async def test_an_unknown_resource_has_fence_0(store: OpenStore) -> None:
    """Before the first snapshot the fence is 0, and a booking leaves it there."""
    assert await store.book(at(0, 10), 1, None) == FenceMoved()
    assert isinstance(await store.book(at(0, 10), 0, None), Booked)
    assert isinstance(await store.book(at(10, 20), 0, None), Booked)


async def test_a_snapshot_raises_the_fence(store: OpenStore) -> None:
    """Only who knows the latest snapshot's fence can book; fences are per resource."""
    assert (await store.snapshot("room-1", 0)).fence == 1
    assert (await store.snapshot("room-1", 0)).fence == 2
    assert await store.book(at(0, 10), 1, None) == FenceMoved()
    assert isinstance(await store.book(at(0, 10), 2, None), Booked)
    assert isinstance(await store.book(at(0, 10, resource_id="room-2"), 0, None), Booked)


async def test_a_moved_fence_outranks_a_taken_slot(store: OpenStore) -> None:
    """Who decided on an old index starts again before being told of a conflict."""
    await store.book(booking(), 0, None)
    await store.snapshot("room-1", 0)
    assert await store.book(booking(), 0, None) == FenceMoved()


async def test_a_snapshot_holds_what_blocks(store: OpenStore) -> None:
    """A snapshot lists the resource's blocking bookings that end after the given time."""
    ended, running, later, cancelled = at(-60, 0), at(-60, 1), at(5, 9), at(20, 30)
    for one in (ended, later, cancelled, at(0, 9, resource_id="room-2")):
        await store.book(one, 0, None)
    await store.create_resource(resource("room-1", capacity=2), None)
    await store.book(running, 0, None)
    await store.change_state(cancelled, "cancelled", None, NOON_MS)
    listed = (await store.snapshot("room-1", NOON_MS)).bookings
    assert [one.booking_id for one in listed] == [running.id, later.id]
    entry = listed[0].entry
    assert (entry.resource_id, entry.id, entry.quantity) == ("room-1", running.entry_id, 1)
    assert (entry.start_ms, entry.end_ms) == (running.start_ms, running.end_ms)


async def test_overlapping_bookings_are_refused(store: OpenStore) -> None:
    """Whatever shares an instant with a booking is taken: inside, around, either side."""
    await store.book(at(10, 20), 0, None)
    for start_min, end_min in ((10, 20), (12, 15), (5, 25), (5, 11), (19, 30)):
        answer = await store.book(at(start_min, end_min), 0, None)
        assert answer == Taken(by="booked"), (start_min, end_min)


async def test_adjacent_bookings_stand_side_by_side(store: OpenStore) -> None:
    """Slots are half-open: one may begin in the millisecond another ends."""
    for start_min, end_min in ((10, 20), (20, 30), (0, 10)):
        assert isinstance(await store.book(at(start_min, end_min), 0, None), Booked)
    one_ms = booking(start_ms=NOON_MS + 30 * MINUTE_MS - 1, end_ms=NOON_MS + 30 * MINUTE_MS)
    assert await store.book(one_ms, 0, None) == Taken(by="booked")


async def test_a_long_booking_is_found_from_its_far_end(store: OpenStore) -> None:
    """A booking that began long before the slot still blocks it, behind many short ones."""
    await store.create_resource(resource("room-1", capacity=2), None)
    long_one = at(0, 30 * 24 * 60)
    await store.book(long_one, 0, None)
    for day in range(1, 29):
        assert isinstance(await store.book(at(day * 1440, day * 1440 + 1), 0, None), Booked)
    await store.update_resource(resource("room-1", capacity=1))
    far = at(29 * 1440, 29 * 1440 + 1)
    assert await store.book(far, 0, None) == Taken(by="booked")
    since_ms = far.start_ms
    listed = (await store.snapshot("room-1", since_ms)).bookings
    assert [one.booking_id for one in listed] == [long_one.id]


async def test_capacity_counts_units_at_one_instant(store: OpenStore) -> None:
    """Bookings that follow each other use the same unit; those at once add up."""
    await store.create_resource(resource("room-1", capacity=3), None)
    assert isinstance(await store.book(at(0, 10, quantity=2), 0, None), Booked)
    assert isinstance(await store.book(at(10, 20, quantity=2), 0, None), Booked)
    assert await store.book(at(5, 15, quantity=2), 0, None) == Taken(by="booked")
    assert isinstance(await store.book(at(5, 15, quantity=1), 0, None), Booked)
    assert await store.book(at(9, 11, quantity=1), 0, None) == Taken(by="booked")


async def test_more_than_the_capacity_never_fits(store: OpenStore) -> None:
    """A quantity above the capacity is refused on an empty resource too."""
    assert await store.book(booking(quantity=2), 0, None) == Taken(by="booked")


async def test_a_changed_capacity_holds_for_the_next_booking(store: OpenStore) -> None:
    """The capacity is read where the booking is decided; unregistered means 1."""
    await store.create_resource(resource("room-1", capacity=2), None)
    await store.book(booking(), 0, None)
    await store.book(booking(), 0, None)
    assert await store.book(booking(), 0, None) == Taken(by="booked")
    await store.update_resource(resource("room-1", capacity=3))
    assert isinstance(await store.book(booking(), 0, None), Booked)
    await store.delete_resource("room-1")
    assert await store.book(booking(), 0, None) == Taken(by="booked")


async def test_a_state_that_leaves_the_slot_free_is_not_checked(store: OpenStore) -> None:
    """A booking whose first state does not block stands beside any other."""
    await store.book(booking(), 0, None)
    beside = booking(state="cancelled")
    assert await store.book(beside, 0, None) == Booked(booking=beside)
    assert len((await store.snapshot("room-1", 0)).bookings) == 1


async def test_a_cancelled_booking_frees_its_slot(store: OpenStore) -> None:
    """After the change the slot can be booked again."""
    first = booking()
    await store.book(first, 0, None)
    changed = await store.change_state(first, "cancelled", 0, NOON_MS + 5)
    expected = msgspec.structs.replace(
        first, state="cancelled", updated_ms=NOON_MS + 5, due_ms=None
    )
    assert changed == Changed(booking=expected)
    assert await store.booking(first.id) == expected
    assert isinstance(await store.book(booking(), 0, None), Booked)


async def test_a_completed_booking_keeps_its_slot(store: OpenStore) -> None:
    """A change between two states that block leaves the slot blocked."""
    first = booking()
    await store.book(first, 0, None)
    await store.change_state(first, "completed", None, NOON_MS)
    assert await store.book(booking(), 0, None) == Taken(by="booked")


async def test_a_change_without_a_time_takes_the_stores_clock(store: OpenStore) -> None:
    """The store's clock moves on from one change to the next and is not the caller's."""
    first, second = at(0, 10, updated_ms=1), at(10, 20, updated_ms=1)
    await store.book(first, 0, None)
    await store.book(second, 0, None)
    before = await store.change_state(first, "completed", None, None)
    after = await store.change_state(second, "completed", None, None)
    assert isinstance(before, Changed)
    assert isinstance(after, Changed)
    assert first.updated_ms < before.booking.updated_ms <= after.booking.updated_ms


async def test_a_change_of_a_changed_booking_is_not_open(store: OpenStore) -> None:
    """Who read the booking before another changed it is told what it is now."""
    first = booking()
    await store.book(first, 0, None)
    changed = await store.change_state(first, "cancelled", None, NOON_MS)
    assert isinstance(changed, Changed)
    answer = await store.change_state(first, "completed", 7, NOON_MS)
    assert answer == NotOpen(booking=changed.booking, open_actions=())


async def test_a_change_under_a_moved_fence_changes_nothing(store: OpenStore) -> None:
    """A change that frees a slot needs the fence; one without a fence does not."""
    first = booking()
    await store.book(first, 0, None)
    await store.snapshot("room-1", 0)
    assert await store.change_state(first, "cancelled", 0, NOON_MS) == FenceMoved()
    assert await store.booking(first.id) == first
    assert isinstance(await store.change_state(first, "completed", None, NOON_MS), Changed)


async def test_a_change_of_nothing_is_not_found(store: OpenStore) -> None:
    """A booking that is not there cannot be changed."""
    gone = booking()
    answer = await store.change_state(gone, "cancelled", None, NOON_MS)
    assert answer == NotFound(model="Booking", id=gone.id)


async def test_one_slot_has_one_winner(store: OpenStore, other_store: OpenStore) -> None:
    """Fifty bookings of one slot at once, from two servers: one stands."""
    asked = [booking() for _ in range(50)]
    answers = await asyncio.gather(
        *((store, other_store)[number % 2].book(one, 0, None) for number, one in enumerate(asked))
    )
    winners = [answer for answer in answers if isinstance(answer, Booked)]
    assert len(winners) == 1
    assert answers.count(Taken(by="booked")) == 49
    assert [one.booking_id for one in (await store.snapshot("room-1", 0)).bookings] == [
        winners[0].booking.id
    ]


async def test_capacity_winners_of_a_stampede(store: OpenStore, other_store: OpenStore) -> None:
    """Twenty bookings at once of a resource with three units: three stand."""
    await store.create_resource(resource("room-1", capacity=3), None)
    answers = await asyncio.gather(
        *((store, other_store)[number % 2].book(booking(), 0, None) for number in range(20))
    )
    assert sum(isinstance(answer, Booked) for answer in answers) == 3


async def test_one_reservation_becomes_one_booking(
    store: OpenStore, other_store: OpenStore
) -> None:
    """The same hand-off on two servers at once: one booking, the same answer to all."""
    first = booking()
    drafts = [booking(reservation_id=first.reservation_id) for _ in range(10)]
    answers = await asyncio.gather(
        *((store, other_store)[number % 2].book(one, 0, None) for number, one in enumerate(drafts))
    )
    booked = [answer for answer in answers if isinstance(answer, Booked)]
    assert len(booked) == 10
    assert len({answer.booking.id for answer in booked}) == 1
    assert sum(not answer.repeated for answer in booked) == 1


async def test_one_of_two_changes_wins(store: OpenStore, other_store: OpenStore) -> None:
    """Cancel and complete at once: one happens, the other is not open any more."""
    first = booking()
    await store.book(first, 0, None)
    answers = await asyncio.gather(
        store.change_state(first, "cancelled", 0, NOON_MS),
        other_store.change_state(first, "completed", None, NOON_MS),
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Changed", "NotOpen"]


async def test_fences_are_handed_out_once(store: OpenStore, other_store: OpenStore) -> None:
    """Snapshots taken at once on two servers have fences of their own."""
    taken = await asyncio.gather(
        *((store, other_store)[number % 2].snapshot("room-1", 0) for number in range(10))
    )
    assert sorted(one.fence for one in taken) == list(range(1, 11))


async def test_what_one_server_commits_another_reads(
    store: OpenStore, other_store: OpenStore
) -> None:
    """A booking is visible everywhere as soon as it was acknowledged."""
    first = booking()
    await store.book(first, 0, None)
    assert await other_store.booking(first.id) == first


async def test_what_was_booked_survives_closing(store: OpenStore, other_store: OpenStore) -> None:
    """Closing one store leaves the data to the other."""
    first = booking()
    await store.book(first, 0, None)
    await store.close()
    assert await other_store.booking(first.id) == first
    assert await other_store.book(booking(), 0, None) == Taken(by="booked")


Step = tuple[int, int, int, bool]
STEPS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 6), st.integers(1, 3), st.booleans()),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(capacity=st.integers(1, 3), steps=STEPS)
async def test_bookings_agree_with_a_list(
    store: OpenStore, capacity: int, steps: list[Step]
) -> None:
    """Any run of bookings and cancels gives what counting through a plain list gives."""
    room = resource(f"room-{booking().id}", capacity=capacity)
    await store.create_resource(room, None)
    standing: list[Booking] = []
    for start_min, length_min, quantity, then_cancel in steps:
        end_min = start_min + length_min
        draft = at(start_min, end_min, resource_id=room.id, quantity=quantity)
        fits = _units_in_use(standing, draft) + quantity <= capacity
        answer = await store.book(draft, 0, None)
        assert answer == (Booked(booking=draft) if fits else Taken(by="booked"))
        standing += [draft] if fits else []
        if then_cancel and standing:
            await store.change_state(standing.pop(0), "cancelled", 0, NOON_MS)
    listed = (await store.snapshot(room.id, 0)).bookings
    assert {one.booking_id for one in listed} == {one.id for one in standing}
    usages = [Usage(one.entry.start_ms, one.entry.end_ms, one.entry.quantity) for one in listed]
    assert peak(usages, 0, 2 * NOON_MS) <= capacity


async def test_used_resources_come_in_pages(store: OpenStore) -> None:
    """Each that has a booking or was resynced, by id, and each once."""
    for number in (3, 1, 2):
        await store.book(booking(resource_id=f"room-{number}"), 0, None)
    await store.snapshot("Room-9", 0)
    assert await store.used_resources("", 3) == ["Room-9", "room-1", "room-2"]
    assert await store.used_resources("room-2", 3) == ["room-3"]


def _units_in_use(standing: list[Booking], draft: Booking) -> int:
    """Count minute by minute, without any of the rules the store uses."""
    minutes = range(draft.start_ms, draft.end_ms, MINUTE_MS)
    return max(
        sum(one.quantity for one in standing if one.start_ms <= minute < one.end_ms)
        for minute in minutes
    )
