"""Reserve with few and with many connections: who waits too long, and who fails."""

from benchmarks import kinds, shown
from benchmarks.bench import Bench
from benchmarks.measured import Measured, medians
from benchmarks.plan import Plan
from benchmarks.results import Findings, Value
from benchmarks.wrk import Load

FEW, MANY = 4, 256
_OVERHEAD_S = 0.3


def seconds(plan: Plan) -> float:
    """Return how long it takes, by estimate."""
    return 2 * plan.few_rounds * len(kinds.ALL) * (plan.few_run_s + _OVERHEAD_S)


def run(bench: Bench) -> Findings:
    """Measure."""
    few, many = (_measured(bench, connections) for connections in (FEW, MANY))
    return Findings(
        tables=[
            shown.load_table(f"Reserve, {FEW} connections", few, bench),
            shown.load_table(f"Reserve, {MANY} connections", many, bench),
        ],
        values=values({one.server: one for one in many}),
        measured=few + many,
    )


def values(many: dict[str, Measured]) -> dict[str, Value]:
    """Return our p99 over that of the plain server, and what went wrong with us."""
    ours, plain = many[kinds.OURS.name], many[kinds.PLAIN.name]
    return {"tail": ours.p99_ms / plain.p99_ms, "tail-errors": ours.refused + ours.broken}


def _measured(bench: Bench, connections: int) -> list[Measured]:
    plan, load = bench.plan, Load(connections=connections, run_s=bench.plan.few_run_s)
    rounds: dict[str, list[Measured]] = {name: [] for name in bench.running}
    for number in range(1, plan.few_rounds + 1):
        for name, server in bench.running.items():
            text = f"{connections} connections, round {number} of {plan.few_rounds}"
            bench.progress.step(f"{text}: {server.kind.label}", load.run_s + _OVERHEAD_S)
            rounds[name].append(bench.measure(server, load))
    return [medians(measured) for measured in rounds.values()]
