"""kill -9 between any two steps of a reschedule, on every engine: one slot or the other.

The crash is that of `test_crash.py`.
"""

import itertools
from functools import partial

import pytest
from redis.asyncio import Redis

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Booked, Rescheduled, Reserved, Taken
from reservesvc.domain.wish import Wish
from reservesvc.flow.book import book
from reservesvc.flow.release import release
from reservesvc.flow.reschedule import reschedule
from reservesvc.flow.reserve import reserve
from reservesvc.flow.tidy import tidy
from reservesvc.ports import Idempotency, Stores
from tests.builders import a_wish, at
from tests.flow.test_crash import LIMITS, STEPS_MAX, crashes, lapse

OLD, OTHER_ROOM = (10, 11), "room-2"
CASES = [
    pytest.param((10.5, 11.5), None, id="half an hour"),
    pytest.param((14, 15), None, id="elsewhere"),
    pytest.param((10, 11), OTHER_ROOM, id="another resource"),
]


async def _reschedule(
    booking: Booking, wish: Wish, key: Idempotency | None, stores: Stores
) -> object:
    return await reschedule(stores, LIMITS, booking.id, wish, key)


async def _is_free(stores: Stores, start_ms: int, end_ms: int, resource_id: str) -> bool:
    wish = a_wish(start_ms=start_ms, end_ms=end_ms, resource_id=resource_id)
    outcome = await reserve(stores, LIMITS, wish, None)
    if isinstance(outcome, Reserved):
        await release(stores, outcome.reservation.id)
        return True
    assert isinstance(outcome, Taken)
    return False


@pytest.mark.parametrize(("hours", "room"), CASES)
@pytest.mark.parametrize("lapsed", [False, True])
@pytest.mark.parametrize("after", [False, True])
async def test_a_crashed_reschedule(
    servers_of_each_engine: list[Stores],
    redis: Redis,
    *,
    hours: tuple[float, float],
    room: str | None,
    lapsed: bool,
    after: bool,
) -> None:
    """The slot it has is taken and the other one free; the repeat completes what was begun."""
    crashed, other = servers_of_each_engine
    for step in itertools.count(1):
        assert step < STEPS_MAX
        await redis.flushall()
        crashed.resyncs.clear()
        day = 24 * step
        booked = await book(crashed, LIMITS, a_wish(OLD[0] + day, OLD[1] + day), None)
        assert isinstance(booked, Booked)
        wish = Wish(resource_id=room, start_ms=at(hours[0] + day), end_ms=at(hours[1] + day))
        key = Idempotency(f"d{step}", "f") if step % 2 else None
        act_on = partial(_reschedule, booked.booking, wish, key)
        went_down = await crashes(crashed, step, act_on, after=after)
        if lapsed:
            await lapse(redis)
        await _check_one_slot(other, booked.booking, wish)
        repeat = await act_on(other)
        assert isinstance(repeat, Rescheduled), repeat
        assert repeat.booking.start_ms == wish.start_ms
        await lapse(redis)
        await _check_one_slot(other, booked.booking, wish)
        for resource_id in {booked.booking.resource_id, repeat.booking.resource_id}:
            assert await tidy(other, resource_id) in {"clean", "cold"}
        if not went_down:
            break


async def _check_one_slot(stores: Stores, before: Booking, wish: Wish) -> None:
    """Check that the booking's slot is taken, and its old one free if it left that."""
    now = await stores.bookings.booking(before.id)
    assert now is not None
    assert not await _is_free(stores, now.start_ms, now.end_ms, now.resource_id)
    if now.start_ms == wish.start_ms and now.resource_id == (
        wish.resource_id or before.resource_id
    ):
        end_ms = before.end_ms
        if now.resource_id == before.resource_id:
            end_ms = min(end_ms, now.start_ms)
        assert await _is_free(stores, before.start_ms, end_ms, before.resource_id)
