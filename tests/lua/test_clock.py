"""The calendar in lua/include: text and instants, there and back, as Python has them."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from reservesvc.domain import times
from reservesvc.reservations.scripts import source

_CALENDAR = source("include/clock") + source("include/document")
_LATEST_MS = times.parse("9999-12-31T23:59:59.999Z")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, _LATEST_MS))
async def test_an_instant_reads_the_same_in_lua_and_python(redis: Redis, epoch_ms: int) -> None:
    """Any millisecond from 1970 to 9999, leap days among them."""
    text = await redis.eval(_CALENDAR + "return iso(ARGV[1] + 0)", 0, epoch_ms)
    back = await redis.eval(
        _CALENDAR + "return string.format('%.0f', epoch_ms('x' .. ARGV[1], 2))", 0, text
    )
    assert text == times.render(epoch_ms)
    assert int(back) == epoch_ms == times.parse(text)
