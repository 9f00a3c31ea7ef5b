"""extend.lua on a real server: later, never shorter, never revived, never for ever."""

from redis.asyncio import Redis

from reservesvc.domain.outcomes import Ended, Extended, ExtensionLimit, Reserved, Taken, Unsettled
from reservesvc.domain.reservation import Reservation
from reservesvc.reservations.store import RedisReservations
from tests.builders import ROOM, a_claim

DAY_MS = 86_400_000


async def reserved(store: RedisReservations, duration_ms: int = 30_000) -> Reservation:
    """Reserve, and insist on it."""
    outcome = await store.reserve(a_claim(duration_ms=duration_ms), 1, None)
    assert isinstance(outcome, Reserved)
    return outcome.reservation


def key_of(reservation: Reservation) -> str:
    """Return the reservation's key."""
    return f"reservation:{{{ROOM}}}:{reservation.id.ulid}"


async def test_a_later_deadline_is_taken(warm: RedisReservations, redis: Redis) -> None:
    """Key, document and answer agree on the new deadline; nothing else changes."""
    reservation = await reserved(warm)
    outcome = await warm.extend(reservation.id, 90_000)
    assert isinstance(outcome, Extended)
    extended = outcome.reservation
    assert extended.expires_ms == extended.now_ms + 90_000
    assert 89_000 < await redis.pttl(key_of(reservation)) <= 90_000
    assert await redis.get(key_of(reservation)) == extended.document.decode()
    assert extended.document[40:] == reservation.document[40:]


async def test_an_earlier_deadline_is_not(warm: RedisReservations, redis: Redis) -> None:
    """Extending by less than is left changes nothing."""
    reservation = await reserved(warm)
    outcome = await warm.extend(reservation.id, 1_000)
    assert isinstance(outcome, Extended)
    assert outcome.reservation.document == reservation.document
    assert await redis.pttl(key_of(reservation)) > 29_000


async def test_a_lapsed_reservation_is_not_revived(warm: RedisReservations, redis: Redis) -> None:
    """Gone is gone, though the index may still have its entry."""
    reservation = await reserved(warm)
    await redis.delete(key_of(reservation))
    assert await warm.extend(reservation.id, 30_000) == Ended(state="expired")
    assert not await redis.exists(key_of(reservation))


async def test_no_reservation_outlives_its_longest_life(warm: RedisReservations) -> None:
    """A day after it was made it is over, however often it is extended."""
    reservation = await reserved(warm)
    created_ms = reservation.expires_ms - 30_000
    outcome = await warm.extend(reservation.id, DAY_MS + 60_000)
    assert outcome == ExtensionLimit(latest_ms=created_ms + DAY_MS)
    assert isinstance(await warm.extend(reservation.id, DAY_MS - 60_000), Extended)


async def test_an_unsettled_reservation_is_not_extended(warm: RedisReservations) -> None:
    """While the store decides, the deadline stands."""
    reservation = await reserved(warm)
    await warm.unsettle_reservation(reservation)
    assert await warm.extend(reservation.id, 90_000) == Unsettled()


async def test_an_extended_slot_stays_taken(warm: RedisReservations) -> None:
    """The hint to others is the new deadline."""
    reservation = await reserved(warm, duration_ms=2_000)
    await warm.extend(reservation.id, 90_000)
    outcome = await warm.reserve(a_claim(), 1, None)
    assert isinstance(outcome, Taken)
    assert (outcome.retry_after_ms or 0) > 80_000
