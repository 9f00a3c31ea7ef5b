"""What a server acknowledged, beside what is kept: nothing missing, no more than was asked for."""

import pytest
from msgspec.structs import replace

from benchmarks import slots
from benchmarks.bench import check_kept
from benchmarks.errors import BenchmarkError
from benchmarks.redis_server import RedisServer
from benchmarks.wrk import Load, Result
from reservesvc.reservations.keys import Keys

LOAD = Load(connections=64, run_s=1)
RESULT = Result(
    requests=1_000,
    duration_us=1,
    p50_us=1,
    p99_us=1,
    connect=0,
    read=2,
    write=0,
    timeout=0,
    status=100,
)


@pytest.mark.parametrize("kept", [900, 930, 900 + 64 + 2])
def test_what_was_in_flight_at_the_end_may_be_kept(kept: int) -> None:
    """One request for each connection, and one for each that broke, is made and not counted."""
    check_kept("a server", RESULT, LOAD, kept)


@pytest.mark.parametrize("kept", [899, 900 + 64 + 2 + 1])
def test_neither_less_nor_more_is_kept(kept: int) -> None:
    """One less was acknowledged and lost; one more was made of nothing."""
    with pytest.raises(BenchmarkError, match=rf"a server acknowledged 900, and {kept} are kept"):
        check_kept("a server", RESULT, LOAD, kept)


def test_a_refusal_is_not_an_acknowledgement() -> None:
    """Of a thousand refused slots none may be kept but those in flight."""
    refused = replace(RESULT, status=RESULT.requests, read=0)
    check_kept("a server", refused, LOAD, 0)
    with pytest.raises(BenchmarkError):
        check_kept("a server", refused, LOAD, 65)


def test_what_arrives_late_of_an_earlier_round_is_not_counted(bench_redis: RedisServer) -> None:
    """Only the slots of a round are: those of the round before are earlier."""
    room = slots.resource_ids()[0]
    for slot in (0, slots.RESOURCES, 2 * slots.RESOURCES):
        bench_redis.client.zadd(Keys().slots(room), {str(slot): slots.start_ms(slot)})
    since_ms = slots.start_ms(slots.RESOURCES)
    assert bench_redis.entries([room]) == 3
    assert bench_redis.entries([room], since_ms) == 2
    assert bench_redis.entries([room], until_ms=slots.start_ms(0)) == 1
