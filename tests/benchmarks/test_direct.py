"""Claims sent straight to Redis: the store's own bytes, and every answer is looked at."""

from collections.abc import Iterator

import pytest

from benchmarks.claims import RESOURCE_ID, Claims
from benchmarks.direct import Direct
from benchmarks.errors import BenchmarkError
from benchmarks.redis_server import RedisServer
from reservesvc.domain.reservation import ReservationId, stored
from reservesvc.reservations.keys import Keys

_MINUTES = 300


@pytest.fixture
def direct(bench_redis: RedisServer) -> Iterator[Direct]:
    """Connect to a Redis with a warm index and the script loaded."""
    bench_redis.warm([RESOURCE_ID])
    bench_redis.script_load(Claims(bench_redis.run).script.body)
    connections = Direct(bench_redis.port, 3)
    yield connections
    connections.close()


def test_every_claim_is_granted_and_kept(bench_redis: RedisServer, direct: Direct) -> None:
    """As many entries and scripts as claims; what is kept is a reservation of the service."""
    claims = Claims(bench_redis.run)
    assert direct.send(claims.claim(minute) for minute in range(_MINUTES)) == _MINUTES
    assert bench_redis.entries([RESOURCE_ID]) == _MINUTES
    assert bench_redis.script_us()[0] == _MINUTES
    reservation_id = ReservationId(RESOURCE_ID, f"{_MINUTES:026d}")
    document = bench_redis.client.get(Keys().reservation(reservation_id))
    assert isinstance(document, bytes)
    assert len(document) == claims.document_bytes
    reservation = stored(reservation_id, document, 0)
    assert reservation.details().reservation_id == str(reservation_id)


def test_a_refused_claim_ends_it(bench_redis: RedisServer, direct: Direct) -> None:
    """Refusals must not pass for claims."""
    claims = Claims(bench_redis.run)
    with pytest.raises(BenchmarkError, match="taken"):
        direct.send([claims.claim(1), claims.claim(1)])


def test_a_document_has_the_length_asked_for(bench_redis: RedisServer, direct: Direct) -> None:
    """What memory is measured with is exactly as long as the row says."""
    claims = Claims(bench_redis.run, 300)
    direct.send([claims.claim(1)])
    key = Keys().reservation(ReservationId(RESOURCE_ID, f"{1:026d}"))
    assert claims.document_bytes == 300
    assert bench_redis.client.strlen(key) == 300


def test_emptying_is_over_when_it_returns(bench_redis: RedisServer, direct: Direct) -> None:
    """No key is left, and what they took is given back by then."""
    claims, before = Claims(bench_redis.run), bench_redis.memory_bytes()
    direct.send(claims.claim(minute) for minute in range(10 * _MINUTES))
    used = bench_redis.memory_bytes() - before
    bench_redis.empty()
    assert bench_redis.client.dbsize() == 0
    assert bench_redis.memory_bytes() - before < used / 2
