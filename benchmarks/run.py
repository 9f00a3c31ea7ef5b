"""`make bench`: start everything, measure row by row, write the table, stop everything.

Exit status: 0 measured, 1 could not measure, 130 interrupted. A missed bar is a result and no
failure.
"""

import argparse
import signal
import sys
from datetime import UTC, datetime
from statistics import median
from types import FrameType

from benchmarks import bars, bench, kinds, machine, report
from benchmarks.bench import Bench
from benchmarks.errors import BenchmarkError
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.progress import Progress
from benchmarks.results import Findings, Results
from benchmarks.rows import ROWS

_FAILED, _INTERRUPTED = 1, 130


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.partition(":")[0])
    parser.add_argument("--quick", action="store_true", help="the short form, under two minutes")
    plan = QUICK if parser.parse_args().quick else FULL
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        results = measure(plan)
        sys.stdout.write(report.write(results))
    except BenchmarkError as error:
        sys.stderr.write(f"\nmake bench: {error}\n")
        return _FAILED
    except KeyboardInterrupt:
        sys.stderr.write("\nmake bench: interrupted; nothing was written\n")
        return _INTERRUPTED
    return 0


def measure(plan: Plan) -> Results:
    """Measure every row.

    Raises:
        BenchmarkError: something needed is missing or does not do its work.

    """
    if sys.platform != "linux":
        message = "it needs Linux, whose /proc tells what each process used and which pins cores"
        raise BenchmarkError(message)
    total_s = len(kinds.ALL) * bench.START_S + sum(row.seconds(plan) for row in ROWS)
    progress = Progress(total_s)
    with bench.opened(plan, progress) as running:
        findings = Findings()
        for row in ROWS:
            found = row.run(running)
            findings.tables += found.tables
            findings.measured += found.measured
            findings.values |= found.values
            findings.notes += found.notes
        progress.end()
        return _results(running, findings)


def _results(running: Bench, findings: Findings) -> Results:
    return Results(
        plan=running.plan,
        measured_on=datetime.now(UTC).strftime("%Y-%m-%d"),
        commit=machine.commit(),
        machine=machine.describe(running.redis.version, running.cores),
        standings=[bars.stand(bar, findings.values.get(bar.key)) for bar in bars.BARS],
        tables=findings.tables,
        measured=findings.measured,
        notes=findings.notes,
        others=median(one.others for one in findings.measured),
    )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Let everything end in order, on SIGTERM as on Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
