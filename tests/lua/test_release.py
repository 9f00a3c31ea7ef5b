"""release.lua on a real server: the slot back, and a tombstone that says so."""

from redis.asyncio import Redis

from reservesvc.domain.outcomes import Ended, Released, Reserved, Unsettled
from reservesvc.domain.reservation import Reservation
from reservesvc.reservations.store import RedisReservations
from tests.builders import ROOM, a_claim


async def reserved(store: RedisReservations) -> Reservation:
    """Reserve, and insist on it."""
    outcome = await store.reserve(a_claim(), 1, None)
    assert isinstance(outcome, Reserved)
    return outcome.reservation


async def test_a_released_slot_is_free_at_once(warm: RedisReservations, redis: Redis) -> None:
    """Key and entry are gone, and the next claim wins."""
    reservation = await reserved(warm)
    assert await warm.release(reservation.id) == Released()
    assert await redis.zcard(f"slots:{{{ROOM}}}") == 0
    assert [key async for key in redis.scan_iter("reservation:*")] == []
    await reserved(warm)


async def test_releasing_again_tells_when_it_was(warm: RedisReservations) -> None:
    """The tombstone answers, and a later holder of the slot is left alone."""
    reservation = await reserved(warm)
    await warm.release(reservation.id)
    other = await reserved(warm)
    ended = await warm.release(reservation.id)
    assert isinstance(ended, Ended)
    assert ended.state == "released"
    assert (ended.ended_ms or 0) >= reservation.now_ms
    assert await warm.release(other.id) == Released()


async def test_a_lapsed_reservation_has_nothing_to_release(
    warm: RedisReservations, redis: Redis
) -> None:
    """It had expired, and that is what is said."""
    reservation = await reserved(warm)
    await redis.delete(f"reservation:{{{ROOM}}}:{reservation.id.ulid}")
    assert await warm.release(reservation.id) == Ended(state="expired")


async def test_an_unsettled_reservation_is_not_released(
    warm: RedisReservations, redis: Redis
) -> None:
    """While the store decides, nobody frees the slot under it."""
    reservation = await reserved(warm)
    await warm.unsettle_reservation(reservation)
    assert await warm.release(reservation.id) == Unsettled()
    assert await redis.exists(f"reservation:{{{ROOM}}}:{reservation.id.ulid}")
