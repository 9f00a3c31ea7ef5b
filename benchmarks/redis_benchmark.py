"""redis-benchmark with the claim script, as far as it can send claims.

It draws each random number of a command anew, so a slot's end has to be made from its start
by a line in front of the script; and it cannot go through slots in order. It serves as a
check of `direct`, which can do both.
"""

import re
import shutil
import subprocess

from benchmarks import cores
from benchmarks.claims import RESOURCE_ID
from benchmarks.direct import PIPELINED
from benchmarks.errors import BenchmarkError, MissingError
from benchmarks.processes import HOST
from benchmarks.redis_server import RedisServer
from benchmarks.slots import DURATION_S
from reservesvc.reservations.scripts import load
from reservesvc.reservations.store import SWEEP, Times

_RANDOM = "__rand_int__"  # redis-benchmark writes 12 digits in its place
_KEYSPACE = 1_000_000_000
"""so many slots that hardly two claims meet"""
_CONNECTIONS = 50
"""redis-benchmark's own default"""
_START = f"4{_RANDOM}00"
_END = b"ARGV[3] = string.sub(ARGV[2], 1, -3) .. '99'\n"
_AHEAD_MS = "9" * 15
"""as far as a random slot can be: thousands of years"""
_PER_S = re.compile(r"([\d.]+) requests per second")
_DOCUMENT_BYTES = 382
"""of the JSON from "start" on, as in the other rows"""


def claims_per_s(redis: RedisServer, total: int, core: int | None) -> float:
    """Return how many claims of random slots of one resource Redis grants a second.

    Raises:
        MissingError: redis-benchmark is not installed.
        BenchmarkError: it gave no result.

    """
    path = shutil.which("redis-benchmark") or shutil.which("valkey-benchmark")
    if path is None:
        message = "it is not installed (redis-tools on Debian and Ubuntu)"
        raise MissingError(message)
    sha = redis.script_load(_END + load("reserve").body)
    options = ["-h", HOST, "-p", str(redis.port), "-P", str(PIPELINED), "-c", str(_CONNECTIONS)]
    volume = ["-n", str(total), "-r", str(_KEYSPACE), "-q"]
    with cores.on(core):
        done = subprocess.run(
            [path, *options, *volume, "EVALSHA", sha, *_claim(redis.run)],
            capture_output=True,
            text=True,
            check=False,
        )
    found = _PER_S.findall(done.stdout)
    if not found or redis.entries([RESOURCE_ID]) < total * 0.99:
        message = f"redis-benchmark granted too little: {(done.stderr or done.stdout)[-300:]}"
        raise BenchmarkError(message)
    return float(found[-1])


def _claim(run: str) -> list[str]:
    times, tag = Times(), "{" + RESOURCE_ID + "}"
    ulid = f"01{_RANDOM}{_RANDOM}"
    keys = [f"reservation:{tag}:{ulid}", f"slots:{tag}", f"fence:{tag}", f"overlap:{tag}"]
    limits = [str(times.past_ms), _AHEAD_MS, str(times.index_ttl_ms), str(SWEEP)]
    document = "x" * _DOCUMENT_BYTES
    duration = str(DURATION_S * 1000)
    return [str(len(keys)), *keys, run, _START, "", "1", "1", duration, document, *limits]
