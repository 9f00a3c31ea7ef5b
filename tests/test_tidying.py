"""Tidying as the service runs: every index is found, slowly, whatever is down meanwhile."""

from typing import Any

import pytest
from redis.asyncio import Redis

from reservesvc.domain.outcomes import Cold
from reservesvc.errors import UnavailableError
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.store import RedisReservations, Times
from reservesvc.rounds import DOWN_S
from reservesvc.tidying import KEYS_AGE_MS, PAUSE_S, ROUND_S, Tidying
from tests.api.stubs import Stubs
from tests.builders import IDS
from tests.servers import RedisServer
from tests.watched import Watched, about

DOWN = UnavailableError("redis", "is down")


def tidying(stubs: Stubs, pauses: int) -> Watched:
    """Return it on stubs, to be run until so many pauses were made."""
    return Watched(lambda count, sleep: Tidying(stubs.stores, count, sleep).run, "tidy", pauses)


async def test_a_round_looks_at_every_index() -> None:
    """Each that the search finds is tidied, with a pause after each; then there is a long one."""
    stubs = Stubs()
    pages = iter([(["a", "b"], 7), ([], 9), (["c"], 0), ([], 0)])

    async def page() -> Any:
        return next(pages)

    stubs.reservations.will("indexes", page)
    stubs.reservations.will("index", Cold())
    run = tidying(stubs, pauses=6)
    await run.run()
    assert run.outcomes == {"cold": 3}
    looked_at = [arguments for name, arguments in stubs.reservations.calls if name == "index"]
    assert looked_at == [("a",), ("b",), ("c",)]
    cursors = [arguments for name, arguments in stubs.reservations.calls if name == "indexes"]
    assert cursors == [(0,), (7,), (9,)]
    long, *short, last = run.pauses_s
    assert (long, last) == (about(ROUND_S), about(ROUND_S))
    assert short == [about(PAUSE_S)] * 5


async def test_servers_that_started_together_drift_apart() -> None:
    """No two pauses are of the same length."""
    run = tidying(Stubs(), pauses=10)
    await run.run()
    assert len(set(run.pauses_s)) == len(run.pauses_s)


async def test_what_is_down_is_left_alone_for_a_while() -> None:
    """An outage ends the round, not the tidying."""
    stubs = Stubs()
    stubs.reservations.will("indexes", DOWN)
    run = tidying(stubs, pauses=3)
    await run.run()
    assert run.outcomes == {"unavailable": 3}
    assert run.pauses_s[1:] == [about(DOWN_S)] * 3


async def test_a_bug_does_not_end_it() -> None:
    """What should not happen is logged, and the next round comes."""
    stubs = Stubs()
    stubs.reservations.will("indexes", AssertionError("a bug"))
    run = tidying(stubs, pauses=2)
    await run.run()
    assert run.outcomes == {"failed": 2}
    assert run.pauses_s[1:] == [about(ROUND_S)] * 2


async def test_old_keys_are_forgotten_until_none_is_left() -> None:
    """A round ends with the Idempotency-Keys of the booking store, some at a time."""
    stubs = Stubs()
    counts = iter([500, 20, 0, 0])

    async def count() -> int:
        return next(counts)

    stubs.bookings.will("forget_keys", count)
    run = tidying(stubs, pauses=3)
    await run.run()
    assert [name for name, _ in stubs.bookings.calls] == ["forget_keys"] * 3
    assert stubs.bookings.called("forget_keys")[0] == KEYS_AGE_MS > 24 * 3_600_000


@pytest.mark.parametrize("prefix", ["", "rsv:", "a*b[c]?\\"])
async def test_the_search_finds_each_index_of_ours(
    redis_server: RedisServer, redis: Redis, prefix: str
) -> None:
    """All of hundreds, empty ones as well, among other keys and those of another prefix."""
    for number in range(300):
        await redis.set(f"{prefix}fence:{{room-{number}}}", "1:run")
    await redis.set("other:fence:{room-x}", "1:run")
    await redis.set(f"{prefix}fence:{{room-y}}:more", "1:run")
    pipeline = Pipeline(redis_server.url, deadline_s=2)
    store = RedisReservations(pipeline, Keys(prefix), IDS, Times())
    found: set[str] = set()
    cursor, steps = 0, 0
    while steps == 0 or cursor:
        some, cursor = await store.indexes(cursor)
        found |= set(some)
        steps += 1
    await pipeline.close()
    assert found == {f"room-{number}" for number in range(300)}
    assert steps > 2
