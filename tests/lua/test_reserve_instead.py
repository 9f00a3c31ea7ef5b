"""reserve.lua for a booking that is rescheduled: its own entry is in nobody's way."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from reservesvc.domain.outcomes import Pending, ReplayedEnded, Reserved, Taken
from reservesvc.domain.reservation import Claim
from reservesvc.domain.slot import Usage, peak
from reservesvc.ports import Snapshot, SnapshotBooking
from reservesvc.reservations.store import RedisReservations
from tests.builders import IDS, ROOM, a_booking, a_claim
from tests.lua.conftest import install


async def booked(store: RedisReservations, *claims: Claim) -> None:
    """Make the claims the bookings of the room, all it has."""
    rows = [SnapshotBooking(entry=a_booking(claim).entry, booking_id="b") for claim in claims]
    await install(store, Snapshot(fence=1, bookings=rows))


@pytest.mark.parametrize(
    ("start", "end"), [(10.5, 11.5), (9.5, 10.5), (10, 12), (10.25, 10.5), (9, 13)]
)
@pytest.mark.parametrize("unsettled", [False, True])
async def test_the_own_entry_is_passed_over(
    store: RedisReservations, start: float, end: float, *, unsettled: bool
) -> None:
    """Booked, or left unsettled by an attempt before; for everybody else it is in the way."""
    own = a_claim(10, 11)
    await booked(store, own)
    if unsettled:
        assert isinstance(await store.unsettle_booking(a_booking(own).entry), Pending)
    else:
        assert await store.reserve(a_claim(start, end), 1, None) == Taken(by="booked")
    outcome = await store.reserve_instead(a_claim(start, end), 1, own.id.ulid)
    assert isinstance(outcome, Reserved)


@pytest.mark.parametrize("other", [(11, 12), (8, 9.75), (9, 10)])
async def test_others_are_not_passed_over(
    store: RedisReservations, other: tuple[float, float]
) -> None:
    """Before, behind, and hidden by the own entry."""
    own = a_claim(10, 11)
    await booked(store, own, a_claim(*other))
    start, end = (9.5, 10.5) if other[0] < 10 else (10.5, 11.5)
    assert await store.reserve_instead(a_claim(start, end), 1, own.id.ulid) == Taken(by="booked")


async def test_claims_before_the_own_entry_still_see_what_lies_behind(
    store: RedisReservations,
) -> None:
    """Old and new entry overlap, and a later claim looks back far enough to find both."""
    own = a_claim(0, 12)
    await booked(store, own)
    assert isinstance(await store.reserve_instead(a_claim(1, 2), 1, own.id.ulid), Reserved)
    assert await store.reserve(a_claim(11, 11.5), 1, None) == Taken(by="booked")


async def test_the_same_claim_again_is_the_same(store: RedisReservations, redis: Redis) -> None:
    """While it lives; after that it says so."""
    own, wanted = a_claim(10, 11), a_claim(10.5, 11.5)
    await booked(store, own)
    first = await store.reserve_instead(wanted, 1, own.id.ulid)
    again = await store.reserve_instead(wanted, 1, own.id.ulid)
    assert isinstance(first, Reserved)
    assert isinstance(again, Reserved)
    assert again.reservation.document == first.reservation.document
    await store.unsettle_reservation(first.reservation)
    await redis.delete(f"reservation:{{{ROOM}}}:{wanted.id.ulid}")
    ended = await store.reserve_instead(wanted, 1, own.id.ulid)
    assert ended == ReplayedEnded(ulid=wanted.id.ulid)


_HOURS = st.tuples(st.integers(0, 12), st.integers(1, 8), st.integers(1, 2))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(capacity=st.integers(1, 3), bookings=st.lists(_HOURS, min_size=1, max_size=8), wanted=_HOURS)
async def test_grants_are_those_of_brute_force(
    store: RedisReservations,
    redis: Redis,
    capacity: int,
    bookings: list[tuple[int, int, int]],
    wanted: tuple[int, int, int],
) -> None:
    """Whatever is booked, the claim is granted exactly if it fits beside all but the own one."""
    await redis.flushall()
    made = [a_claim(start, start + hours, quantity=n) for start, hours, n in bookings]
    await booked(store, *made)
    own, *others = made
    start, hours, quantity = wanted
    claim = a_claim(start, start + hours, quantity=quantity, ulid=IDS.ulid())
    usages = [Usage(other.start_ms, other.end_ms, other.quantity) for other in others]
    fits = peak(usages, claim.start_ms, claim.end_ms) + quantity <= capacity
    outcome = await store.reserve_instead(claim, capacity, own.id.ulid)
    assert isinstance(outcome, Reserved) == fits
