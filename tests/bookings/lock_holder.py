"""Another process that holds the lock: `python lock_holder.py <lock file>`.

Prints a line once it holds the lock, and lets go when its input ends.
"""

import fcntl
import sys
from pathlib import Path

with Path(sys.argv[1]).open("rb+") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("held", flush=True)  # noqa: T201 - what the test waits for
    sys.stdin.read()
