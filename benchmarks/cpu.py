"""CPU time as the kernel accounts for it (proc_pid_stat(5), proc_stat(5))."""

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
# Counted from the field after the command's name: utime, stime, and those of dead children.
_TIMES = slice(11, 15)
# Of a line "cpu0 …": user, nice, system, irq and softirq, but neither idle nor iowait.
_BUSY = (1, 2, 3, 6, 7)


def used_s(pid: int) -> float:
    """Return the CPU seconds, user and system, of a process and all its descendants."""
    ticks = sum(_ticks(one) for one in _tree(pid))
    return ticks / _TICKS_PER_S


def cores_used_s(cores: set[int]) -> float:
    """Return the CPU seconds that these cores were busy, since the machine started."""
    names = {f"cpu{core}" for core in cores}
    lines = (line.split() for line in (_PROC / "stat").read_text().splitlines())
    busy = (int(fields[i]) for fields in lines if fields[0] in names for i in _BUSY)
    return sum(busy) / _TICKS_PER_S


def _ticks(pid: int) -> int:
    stat = (_PROC / str(pid) / "stat").read_text()
    # The name is in parentheses and may contain anything, parentheses too.
    after_name = stat.rpartition(")")[2].split()
    return sum(int(field) for field in after_name[_TIMES])


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for children in (_PROC / str(parent) / "task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found
