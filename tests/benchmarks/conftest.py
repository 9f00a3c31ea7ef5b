"""Fixtures of the tests of the benchmark itself."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.redis_server import RedisServer, redis_server

# The benchmark needs Linux: it reads /proc and pins processes to cores.
collect_ignore = (
    [] if sys.platform == "linux" else ["test_conformance.py", "test_cpu.py", "test_direct.py"]
)


@pytest.fixture
def bench_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run the benchmark's Redis, on whatever core there is."""
    with redis_server(tmp_path, None) as server:
        yield server
