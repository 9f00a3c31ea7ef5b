"""Two workers: what a second process on the same port adds.

Redis keeps its core; the workers and the load go wherever there is room.
"""

import subprocess
import sys

from msgspec.structs import replace

from benchmarks import cores, kinds, shown
from benchmarks.bench import Bench
from benchmarks.measured import Measured, medians
from benchmarks.plan import Plan
from benchmarks.results import Findings
from benchmarks.rows.reserve import CONNECTIONS
from benchmarks.servers import serving
from benchmarks.wrk import Load

_OVERHEAD_S = 0.6
_FLAG = "--workers"
_KINDS = (kinds.OURS, kinds.TWO_WORKERS)


def seconds(plan: Plan) -> float:
    """Return how long it takes, by estimate."""
    return len(_KINDS) * plan.few_rounds * (plan.few_run_s + _OVERHEAD_S)


def run(bench: Bench) -> Findings:
    """Measure, if the service can run workers."""
    if not _has_workers():
        note = f"Two workers were not measured: `reservesvc serve` takes no `{_FLAG}`."
        return Findings(notes=[note])
    free = replace(
        bench,
        cores=cores.FREE,
        setting=replace(bench.setting, server_core=None, load_core=None),
    )
    rounds: dict[str, list[Measured]] = {kind.name: [] for kind in _KINDS}
    for number in range(1, bench.plan.few_rounds + 1):
        for kind in _KINDS:
            text = f"workers, round {number} of {bench.plan.few_rounds}: {kind.label}"
            bench.progress.step(text, bench.plan.few_run_s + _OVERHEAD_S)
            with serving(kind, free.setting) as server:
                load = Load(connections=CONNECTIONS, run_s=bench.plan.few_run_s)
                rounds[kind.name].append(free.measure(server, load))
    found = [medians(measured) for measured in rounds.values()]
    return Findings(tables=[shown.load_table("Two workers, 64 connections", found, bench)])


def _has_workers() -> bool:
    command = [sys.executable, "-m", "reservesvc", "serve", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=kinds.ROOT)
    return _FLAG in done.stdout
