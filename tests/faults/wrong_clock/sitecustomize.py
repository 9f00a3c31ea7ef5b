"""Makes this process' idea of the time of day wrong by WRONG_CLOCK_S, and jump each second.

Python imports it at its start where its directory is on PYTHONPATH. What counts time that
has passed (`time.monotonic`) stays as it is: no clock of a host jumps in that.
"""

import os
import time

_WRONG_S = int(os.environ.get("WRONG_CLOCK_S", "0"))
_real = time.time_ns


def _time_ns() -> int:
    jumps = 1 if int(time.monotonic()) % 2 else -1
    return _real() + _WRONG_S * jumps * 1_000_000_000


def _time() -> float:
    return _time_ns() / 1e9


time.time_ns, time.time = _time_ns, _time
