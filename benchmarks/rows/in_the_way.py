"""In the way: how long one call keeps Redis from others, whatever lies where a claim looks.

Lapsed reservations that nobody has cleared away yet, and as many live ones as a resource can
have. Asked of the service, as a client asks; how long a call took is what Redis' own slow
log says.
"""

from statistics import median
from time import perf_counter
from typing import Any

from msgspec import Struct

from benchmarks import conformance, shown, slots
from benchmarks.bench import Bench
from benchmarks.claims import BASE_MS
from benchmarks.errors import BenchmarkError
from benchmarks.plan import Plan
from benchmarks.results import Findings, Table
from reservesvc.domain import times
from reservesvc.domain.slot import CAPACITY_MAX
from reservesvc.reservations.keys import Keys

RESOURCES_PATH = "/v2/resources"
CROWDED = "crowded"
_SECOND_MS = 1_000
_HOUR_MS = 3_600_000
_CHUNK = 1_000
_LOGGED_FROM_US = 50
"""shorter calls are not logged: keeping a log of every command takes longer than they do"""
_LOGGED_MAX = 10_000
_ONE_S = 0.5
_CROWD_S = 2.0
_FAR_MS = BASE_MS + 400 * 86_400_000
_SCRIPT_COMMANDS = (b"EVALSHA", b"EVAL")
_HEADER = (
    "in the way",
    "longest stay in Redis of one call, ms",
    "the worst of all claims, ms",
    "calls",
    "reply after ms",
)


class Claimed(Struct, frozen=True):
    """One claim with much in its way."""

    longest_ms: float
    """of the calls it took"""
    calls: int
    reply_ms: float


def seconds(plan: Plan) -> float:
    """Return how long it takes, by estimate."""
    return _CROWD_S + len(plan.lapsed) * plan.lapsed_repeats * _ONE_S


def run(bench: Bench) -> Findings:
    """Measure."""
    bench.prepare(bench.ours)
    client = bench.redis.client
    client.config_set("slowlog-log-slower-than", _LOGGED_FROM_US)
    client.config_set("slowlog-max-len", _LOGGED_MAX)
    try:
        found = {f"{n:,} lapsed": _over_lapsed(bench, n) for n in bench.plan.lapsed}
        found[f"{CAPACITY_MAX:,} live"] = _over_live(bench)
    finally:
        client.config_set("slowlog-log-slower-than", -1)
    longest = max(median(one.longest_ms for one in claims) for claims in found.values())
    table = Table(
        title="A claim with much in its way",
        header=_HEADER,
        rows=[_row(name, claims) for name, claims in found.items()],
        note=(
            "Live ones: a resource of the greatest capacity, all of it reserved, so that the "
            "claim is refused."
        ),
    )
    return Findings(tables=[table], values={"longest-stay": longest})


def _over_lapsed(bench: Bench, entries: int) -> list[Claimed]:
    """Claim long slots that `entries` lapsed reservations lie in."""
    claims = []
    for number in range(1, bench.plan.lapsed_repeats + 1):
        text = f"claim over {entries:,} lapsed entries"
        bench.progress.step(f"{text}, {number} of {bench.plan.lapsed_repeats}", _ONE_S)
        resource_id = f"lapsed-{entries}-{number}"
        # The first claim of a resource finds its index cold; this one is to find it warm.
        _expect(_reserve(bench, resource_id, _FAR_MS, _FAR_MS + _SECOND_MS), conformance.CREATED)
        _add_lapsed(bench, resource_id, entries)
        end_ms = BASE_MS + entries * _SECOND_MS
        claims.append(_claimed(bench, resource_id, end_ms, conformance.CREATED))
        left = bench.redis.entries([resource_id]) - len((_FAR_MS, BASE_MS))
        if left:
            message = f"{left} of {entries} lapsed entries are still in the index"
            raise BenchmarkError(message)
    return claims


def _over_live(bench: Bench) -> list[Claimed]:
    """Claim a slot of a resource of which every unit is reserved."""
    bench.progress.step(f"claim over {CAPACITY_MAX:,} live reservations", _CROWD_S)
    registered = {"id": CROWDED, "name": CROWDED, "capacity": CAPACITY_MAX}
    reply = conformance.post(bench.ours.port, RESOURCES_PATH, registered)
    _expect(reply, conformance.CREATED)
    end_ms = BASE_MS + _HOUR_MS
    for number in range(CAPACITY_MAX):
        shift_ms = number * _SECOND_MS
        taken = _reserve(bench, CROWDED, BASE_MS + shift_ms, end_ms + shift_ms)
        _expect(taken, conformance.CREATED)
    return [
        _claimed(bench, CROWDED, end_ms, conformance.CONFLICT)
        for _ in range(bench.plan.lapsed_repeats)
    ]


def _claimed(bench: Bench, resource_id: str, end_ms: int, expected: int) -> Claimed:
    bench.redis.client.slowlog_reset()
    calls_before, _ = bench.redis.script_us()
    began_s = perf_counter()
    reply = _reserve(bench, resource_id, BASE_MS, end_ms)
    reply_ms = (perf_counter() - began_s) * 1000
    _expect(reply, expected)
    calls, _ = bench.redis.script_us()
    return Claimed(_longest_us(bench) / 1000, calls - calls_before, reply_ms)


def _longest_us(bench: Bench) -> int:
    """Return the longest stay of a script that Redis has logged."""
    logged: Any = bench.redis.client.slowlog_get(_LOGGED_MAX)
    stays = (one["duration"] for one in logged if one["command"].startswith(_SCRIPT_COMMANDS))
    return max(stays, default=_LOGGED_FROM_US)


def _reserve(bench: Bench, resource_id: str, start_ms: int, end_ms: int) -> conformance.Reply:
    body = slots.body(0) | {
        "resource_id": resource_id,
        "start": times.render(start_ms),
        "end": times.render(end_ms),
    }
    return conformance.post(bench.ours.port, conformance.PATH, body)


def _expect(reply: conformance.Reply, status: int) -> None:
    if reply.status != status:
        message = f"the service answered {reply.status} {reply.body} where {status} was expected"
        raise BenchmarkError(message)


def _add_lapsed(bench: Bench, resource_id: str, entries: int) -> None:
    """Write entries of reservations whose keys are gone, a second each, side by side."""
    key = Keys().slots(resource_id)
    for first in range(0, entries, _CHUNK):
        members: dict[str, int] = {}
        for number in range(first, min(first + _CHUNK, entries)):
            start_ms = BASE_MS + number * _SECOND_MS
            members[f"r:{start_ms + _SECOND_MS}:1:{number:026d}"] = start_ms
        bench.redis.client.zadd(key, members)


def _row(name: str, claims: list[Claimed]) -> tuple[str, ...]:
    return (
        name,
        shown.short(median(one.longest_ms for one in claims)),
        shown.short(max(one.longest_ms for one in claims)),
        shown.whole(median(one.calls for one in claims)),
        shown.short(median(one.reply_ms for one in claims)),
    )
