"""Row of the fault matrix: the host's clock jumps. No host's clock takes part in a decision."""

import ast
import asyncio
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import Holds
from tests.faults.process import ROOT
from tests.faults.trial import trial
from tests.faults.workload import Workload, capacities, slots

WRONG = str(Path(__file__).with_name("wrong_clock"))
WRONG_S = (86_400 * 400, -86_400 * 3)
LOAD_S = 2.5
READERS = {"time", "time_ns", "now", "utcnow", "today", "gmtime", "localtime", "strftime"}
MAY_READ = {
    "ids.py": "the first ten characters of a ULID, by which nothing is decided",
    "app.py": "the example that is printed at the start",
    "api/front_door.py": "the time in a line of the log",
    "api/openapi/examples.py": "the days of the examples",
    "api/replies.py": "the header Date",
    "logs.py": "the time in a line about the log itself",
}
"""which modules ask for the time of day, and what for"""


def readers(source: str) -> set[str]:
    """Return what in `source` asks for the time of day."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in READERS:
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner in ("time", "datetime", "date"):
                found.add(f"{owner}.{node.attr}")
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            found |= {alias.name for alias in node.names} & READERS
    return found


def test_who_asks_for_the_time_of_day() -> None:
    """Nobody but those who print it; every decision is Redis' clock's."""
    package = ROOT / "reservesvc"
    found = {
        str(path.relative_to(package)): readers(path.read_text()) for path in package.rglob("*.py")
    }
    assert {name for name, how in found.items() if how} == MAY_READ.keys()


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import time_ns",
        "from datetime import datetime\ndatetime.now()",
    ],
)
def test_a_look_at_the_clock_is_seen(source: str) -> None:
    """However a module asks, it is found out."""
    assert readers(source)


def test_the_wrong_clock_is_wrong() -> None:
    """What the servers below go by is off, in turn to one side and to the other."""
    script = (
        "import time\na = time.time()\nwhile True:\n"
        "    b = time.time()\n    if abs(b - a) > 86_400: break"
    )
    environment = {"PYTHONPATH": WRONG, "WRONG_CLOCK_S": "86400"}
    run = asyncio.run(_run(script, environment))
    assert run == 0


async def _run(script: str, environment: dict[str, str]) -> int:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, env=environment)
    async with asyncio.timeout(10):
        return await process.wait()


async def test_every_promise_holds_with_wrong_clocks(holds: Holds) -> None:
    """Two servers, years apart and jumping each second: all is as ever."""
    clocks = [{"PYTHONPATH": WRONG, "WRONG_CLOCK_S": str(wrong_s)} for wrong_s in WRONG_S]
    async with trial(environments=clocks) as made:
        await made.register(capacities("clock"))
        workload = Workload(made.client, slots("clock"), seed=1, clients=10, rest_s=0.04)
        workload.start()
        await asyncio.sleep(LOAD_S)
        await workload.stop()
        assert sum(op.granted for op in made.history.ops) > 20
        await holds(made, slots("clock"))
