"""Memory: what Redis keeps for a reservation, its place in the index included."""

from benchmarks import shown, slots
from benchmarks.bench import Bench
from benchmarks.claims import Claims
from benchmarks.direct import Direct
from benchmarks.plan import Plan
from benchmarks.results import Findings, Table

DOCUMENT_BYTES = 300
_PER_S = 25_000


def seconds(plan: Plan) -> float:
    """Return how long it takes, by estimate."""
    return 2 * plan.stored / _PER_S


def run(bench: Bench) -> Findings:
    """Measure."""
    rows = []
    values: dict[str, float | str] = {}
    for length in (DOCUMENT_BYTES, None):
        claims = Claims(bench.redis.run, length)
        text = f"memory: {bench.plan.stored:,} reservations of {claims.document_bytes} B"
        bench.progress.step(text, bench.plan.stored / _PER_S)
        each = _bytes_each(bench, claims)
        rows.append((str(claims.document_bytes), shown.whole(each)))
        if length == DOCUMENT_BYTES:
            values["memory"] = each
    title = f"Redis memory, {bench.plan.stored:,} reservations"
    header = ("JSON of a reservation, B", "Redis' memory a reservation, B")
    return Findings(tables=[Table(title=title, header=header, rows=rows)], values=values)


def _bytes_each(bench: Bench, claims: Claims) -> float:
    bench.redis.empty()
    bench.redis.warm(slots.resource_ids())
    bench.redis.script_load(claims.script.body)
    before = bench.redis.memory_bytes()
    direct = Direct(bench.redis.port)
    direct.send(
        claims.claim(number // slots.RESOURCES, f"room-{number % slots.RESOURCES}")
        for number in range(bench.plan.stored)
    )
    direct.close()
    return (bench.redis.memory_bytes() - before) / bench.plan.stored
