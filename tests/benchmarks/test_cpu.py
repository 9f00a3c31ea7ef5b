"""CPU accounting: descendants count, whether they run or have ended."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks import cores, cpu
from benchmarks.processes import running

_BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
_FAMILY = """\
import subprocess, sys
burn = sys.argv[1]
subprocess.run([sys.executable, "-c", burn])
child = subprocess.Popen([sys.executable, "-c", burn + "print(flush=True); input()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print("ready", flush=True)
input()
child.communicate(b"\\n")
"""


def test_a_family_is_one() -> None:
    """A child that ended and one that still runs both count for their parent."""
    burn = _BURN.format(seconds=0.2)
    with subprocess.Popen(
        [sys.executable, "-c", _FAMILY, burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        used_s = cpu.used_s(parent.pid)
        parent.communicate(b"\n")
    assert used_s >= 2 * 0.18


def test_cores_count_what_runs_on_them() -> None:
    """Work on a core shows in that core's time, and the harness is free again afterwards."""
    allowed = os.sched_getaffinity(0)
    core = min(allowed)
    before_s = cpu.cores_used_s({core})
    with cores.on(core):
        subprocess.run([sys.executable, "-c", _BURN.format(seconds=0.3)], check=True)
    assert cpu.cores_used_s({core}) - before_s >= 0.2
    assert os.sched_getaffinity(0) == allowed


def test_a_process_stays_where_it_was_put(tmp_path: Path) -> None:
    """A server runs on its core alone, and the harness afterwards wherever it did before."""
    before = os.sched_getaffinity(0)
    core = max(before)
    with running("sleeper", ["sleep", "60"], tmp_path, core=core) as process:
        assert os.sched_getaffinity(process.pid) == {core}
    assert os.sched_getaffinity(0) == before
