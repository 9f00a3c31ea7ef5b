"""Workers: real processes on one socket, replaced when they die, gone with their parent."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from reservesvc import listening, workers
from reservesvc.domain import times
from tests.builders import at
from tests.servers import RedisServer, free_port

_STEP_S = 0.02
_PATIENCE_S = 20.0
TEXTS = ("what", "where", "description")


class Service:
    """`reservesvc serve --workers …` and what can be seen of it."""

    def __init__(self, redis_url: str, data_dir: Path, workers: int = 2) -> None:
        self.port = free_port()
        self._log = (data_dir / "log").open("wb")
        words = [sys.executable, "-m", "reservesvc", "serve", "--workers", str(workers)]
        words += ["--port", str(self.port), "--redis-url", redis_url, "--data-dir", str(data_dir)]
        self.process = subprocess.Popen(words, stderr=self._log)

    async def status(self, path: str, body: dict[str, object] | None = None) -> int:
        """Return the status of a request, 0 where nothing answers."""
        data = json.dumps(body).encode() if body else None
        request = Request(f"http://127.0.0.1:{self.port}{path}", data)
        try:
            with await asyncio.to_thread(urlopen, request, None, 5) as reply:
                return int(reply.status)
        except HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    async def sample(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of this name and these labels in one scrape."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        with await asyncio.to_thread(urlopen, url, None, 5) as reply:
            families = list(text_string_to_metric_families(reply.read().decode()))
        samples = [sample for family in families for sample in family.samples]
        return sum(
            each.value
            for each in samples
            if each.name == name and labels.items() <= each.labels.items()
        )

    def workers(self) -> set[int]:
        """Return the process ids of the workers that run."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text().split()}

    def close(self) -> None:
        """Kill what is left."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()


@pytest.fixture
def three(redis_server: RedisServer, tmp_path: Path) -> Iterator[Service]:
    """Start three workers."""
    started = Service(redis_server.url, tmp_path, workers=3)
    yield started
    started.close()


@pytest.fixture
def service(redis_server: RedisServer, tmp_path: Path) -> Iterator[Service]:
    """Start two workers."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("sees its processes through Linux' /proc")
    started = Service(redis_server.url, tmp_path)
    yield started
    started.close()


async def until(condition: object) -> None:
    """Wait until `condition()`, an awaitable or not, is true."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            value = condition()  # type: ignore[operator]  # some function
            if await value if asyncio.iscoroutine(value) else value:
                return
            await asyncio.sleep(_STEP_S)


async def ready(service: Service) -> bool:
    """Tell whether the service answers."""
    return await service.status("/readyz") == 200


def gone(pid: int) -> bool:
    """Tell whether the process is no more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


async def test_a_worker_that_dies_is_replaced(service: Service) -> None:
    """Two answer, one is killed, two answer again; requests are answered throughout."""
    await until(lambda: ready(service))
    await until(lambda: len(service.workers()) == 2)
    before = service.workers()
    os.kill(min(before), signal.SIGKILL)
    assert await service.status("/livez") == 200
    await until(lambda: len(service.workers()) == 2 and service.workers() != before)
    await until(lambda: ready(service))


async def answered(service: Service, number: int) -> int:
    """Reserve a slot of its own on a connection of its own; return the status."""
    start, end = (times.render(at(24 * number + hour)) for hour in (10, 11))
    body = {"resource_id": "room-1", "duration": 600, "start": start, "end": end}
    return await service.status("/v2/bookings/reserve", body | dict.fromkeys(TEXTS, "any"))


async def test_a_scrape_is_the_sum_over_all_workers_also_of_one_that_was_killed(
    three: Service, redis: Redis
) -> None:
    """Whichever worker is asked, counters are what all clients counted."""
    assert await redis.dbsize() == 0
    await until(lambda: ready(three))
    await until(lambda: len(three.workers()) == 3)
    first = Counter(await asyncio.gather(*(answered(three, number) for number in range(60))))
    assert first == {201: 60}
    killed = min(three.workers())
    os.kill(killed, signal.SIGKILL)
    await until(lambda: len(three.workers() - {killed}) == 3)
    await until(lambda: ready(three))
    more = Counter(await asyncio.gather(*(answered(three, number) for number in range(40, 90))))
    assert more == {201: 30, 409: 20}
    route = "/v2/bookings/reserve"
    for _ in range(8):  # another worker may answer each time
        for status, count in (("201", 90), ("409", 20)):
            found = await three.sample("reservesvc_requests_total", route=route, status=status)
            assert found == count
        latencies = "reservesvc_request_duration_seconds_count"
        assert await three.sample(latencies, route=route) == 110
        assert await three.sample("reservesvc_reservations_total", outcome="reserved") == 90
        assert await three.sample("reservesvc_requests_in_flight") == 1  # the scrape itself


async def test_two_scrapes_around_a_kill_under_load_add_up(three: Service) -> None:
    """Between them lies what clients counted; what was in flight may count or not."""
    await until(lambda: ready(three))
    await until(lambda: len(three.workers()) == 3)
    await asyncio.gather(*(answered(three, number) for number in range(30)))
    names = {"name": "reservesvc_requests_total", "route": "/v2/bookings/reserve"}
    before = await three.sample(**names)
    load = [asyncio.create_task(answered(three, number)) for number in range(30, 150)]
    await asyncio.wait(load, return_when=asyncio.FIRST_COMPLETED)
    os.kill(max(three.workers()), signal.SIGKILL)
    statuses = Counter(await asyncio.gather(*load))
    await until(lambda: ready(three))
    counted = await three.sample(**names) - before
    assert before == 30
    known = statuses.total() - statuses[0]
    assert known <= counted <= known + statuses[0]
    assert statuses[201] > 0


async def test_each_process_has_gauges_of_its_own(three: Service) -> None:
    """Memory is told of the first process and of each worker."""
    await until(lambda: ready(three))
    for worker in ("0", "1", "2", "3"):
        memory = "process_resident_memory_bytes"
        await until(lambda name=memory, of=worker: positive(three, name, of))


async def positive(service: Service, name: str, worker: str) -> bool:
    """Tell whether the sample of this worker is there."""
    return await service.sample(name, worker=worker) > 0


async def test_sigterm_ends_all_of_them(service: Service) -> None:
    """The workers finish and the service exits with 0."""
    await until(lambda: ready(service))
    children = service.workers()
    service.process.terminate()
    await until(lambda: service.process.poll() is not None)
    assert service.process.returncode == 0
    assert all(gone(pid) for pid in children)


async def test_kill_leaves_no_worker(service: Service) -> None:
    """The workers get SIGTERM from the kernel when the first process dies."""
    await until(lambda: ready(service))
    children = service.workers()
    service.process.kill()
    await until(lambda: all(gone(pid) for pid in children))


def test_a_worker_is_started_with_the_same_flags_and_what_it_inherits() -> None:
    """The last of two equal flags counts, so ours go last."""
    with listening.opened("127.0.0.1", 0) as sockets:
        words = workers.command(["serve", "--workers", "4"], sockets, "unix:///r.sock")
    assert words[1:6] == ["-m", "reservesvc", "serve", "--workers", "4"]
    assert words[6:] == [
        f"--socket-fd={listening_fd(words)}",
        "--workers=1",
        "--redis-url=unix:///r.sock",
    ]


def listening_fd(words: list[str]) -> str:
    """Return the descriptor among `words`."""
    return next(word.partition("=")[2] for word in words if word.startswith("--socket-fd"))
