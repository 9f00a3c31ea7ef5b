"""What goes wrong, a row each: what it is called, what it does, what it can cost.

A fault is over when its function returns; whatever it broke works again then. How long it
lasts and whom it hits is drawn from the lots it is given.
"""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from os import kill

from msgspec import Struct
from redis.asyncio import Redis

from tests.faults.bookings import PostgresDatabase
from tests.faults.process import ServerProcess, in_background
from tests.faults.proxy import FaultProxy
from tests.faults.trial import Trial
from tests.faults.workload import Workload

# os.clock counts on inside a script; TIME stands still there since Redis 7.0.
BLOCKING = "local from = os.clock() while os.clock() - from < tonumber(ARGV[1]) do end return 1"


class Scene(Struct):
    """Where a fault happens."""

    trial: Trial
    workload: Workload
    lots: random.Random

    def server(self) -> ServerProcess:
        """Return one of the servers."""
        return self.lots.choice(self.trial.cluster.servers)

    def line(self) -> FaultProxy:
        """Return the line from one of the servers to Redis."""
        return self.lots.choice(self.trial.cluster.proxies)

    def store_line(self) -> FaultProxy:
        """Return the line from one of the servers to the booking store."""
        return self.lots.choice(self.trial.cluster.store_proxies)

    def redis(self) -> Redis:
        """Return a client of Redis, past the lines."""
        return self.trial.cluster.redis_client()

    async def lasts(self, least_s: float, most_s: float) -> None:
        """Wait for a time between both."""
        await asyncio.sleep(self.lots.uniform(least_s, most_s))


Act = Callable[[Scene], Awaitable[None]]


class Fault(Struct, frozen=True):
    """A row."""

    name: str
    run: Act
    loses_data: bool = False
    freezes: bool = False
    needs_server: bool = False
    """the booking store is to be a server, with lines to it"""


async def kill_server(scene: Scene) -> None:
    """Kill a server as kill -9 does; start it again a moment later."""
    server = scene.server()
    server.kill()
    await scene.lasts(0, 0.3)
    await scene.trial.cluster.restart(server)


async def pause_server(scene: Scene) -> None:
    """Stop a server for longer than the deadline, and often than the grace."""
    server = scene.server()
    server.pause()
    await scene.lasts(0.2, 3.5)
    server.resume()


async def stop_server(scene: Scene) -> None:
    """Ask a server to end, which it does with status 0; start it again."""
    server = scene.server()
    server.terminate()
    status = await server.ended()
    assert status == 0, f"it ended with status {status}"
    await scene.trial.cluster.restart(server)


async def kill_redis(scene: Scene) -> None:
    """Kill Redis; it comes back with what it had."""
    scene.trial.cluster.redis.kill()
    await scene.lasts(0, 0.5)
    await scene.trial.cluster.start_redis()


async def lose_redis(scene: Scene) -> None:
    """Kill Redis; it comes back with nothing."""
    scene.trial.cluster.redis.kill()
    await scene.lasts(0, 0.5)
    await scene.trial.cluster.start_redis(empty=True)


async def flush_redis(scene: Scene) -> None:
    """Empty Redis."""
    async with scene.redis() as redis:
        await redis.flushall()


async def flush_scripts(scene: Scene) -> None:
    """Let Redis forget every script."""
    async with scene.redis() as redis:
        await redis.script_flush()


async def pause_redis(scene: Scene) -> None:
    """Stop Redis; it keeps its connections and answers nothing."""
    pid = scene.trial.cluster.redis.pid
    kill(pid, signal.SIGSTOP)
    await scene.lasts(0.2, 2.5)
    kill(pid, signal.SIGCONT)


async def block_redis(scene: Scene) -> None:
    """Keep Redis busy with a script of somebody else's."""
    async with scene.redis() as redis:
        await redis.eval(BLOCKING, 0, scene.lots.uniform(0.2, 2.5))


async def fill_redis(scene: Scene) -> None:
    """Let Redis reach maxmemory."""
    async with scene.redis() as redis:
        await redis.config_set("maxmemory", 1)
        await scene.lasts(0.2, 2)
        await redis.config_set("maxmemory", 0)


async def endanger_redis(scene: Scene) -> None:
    """Set an eviction policy under which no server may call itself ready."""
    async with scene.redis() as redis:
        await redis.config_set("maxmemory-policy", "volatile-ttl")
        await scene.lasts(0.1, 0.5)
        await redis.config_set("maxmemory-policy", "noeviction")


Pick = Callable[[Scene], FaultProxy]


def cut_replies(pick: Pick) -> Act:
    """Return what cuts some replies, after some of their bytes."""

    async def run(scene: Scene) -> None:
        cut = []
        for _ in range(scene.lots.randint(1, 5)):
            cut.append(pick(scene))
            cut[-1].cut_reply(scene.lots.randint(0, 30))
            await scene.lasts(0, 0.2)
        for line in cut:
            line.heal()

    return run


def reset(pick: Pick) -> Act:
    """Return what resets the connections of a line."""

    async def run(scene: Scene) -> None:
        pick(scene).reset()

    return run


def hold(pick: Pick, break_line: Callable[[FaultProxy], None]) -> Act:
    """Return what keeps a line broken for a while."""

    async def run(scene: Scene) -> None:
        line = pick(scene)
        break_line(line)
        await scene.lasts(0.2, 2.5)
        line.heal()

    return run


async def kill_store(scene: Scene) -> None:
    """Kill the booking store's server; it comes back with what was committed."""
    bookings = scene.trial.cluster.bookings
    assert isinstance(bookings, PostgresDatabase), "there is no server to kill"
    bookings.server.kill()
    await scene.lasts(0, 0.5)
    await in_background(bookings.server.start)


async def lock_store(scene: Scene) -> None:
    """Let nobody write to the booking store."""
    async with scene.trial.cluster.bookings.locked():
        await scene.lasts(0.2, 2.5)


async def hang_up(scene: Scene) -> None:
    """Let clients hang up on their requests."""
    scene.workload.hang_ups = True
    await scene.lasts(0.5, 1.5)
    scene.workload.hang_ups = False


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("server killed", kill_server, freezes=True),
        Fault("server paused", pause_server, freezes=True),
        Fault("server stopped", stop_server, freezes=True),
        Fault("Redis killed, back with its AOF", kill_redis),
        Fault("Redis killed, back empty", lose_redis, loses_data=True),
        Fault("FLUSHALL", flush_redis, loses_data=True),
        Fault("SCRIPT FLUSH", flush_scripts),
        Fault("Redis paused", pause_redis),
        Fault("Redis blocked by a script", block_redis),
        Fault("Redis out of memory", fill_redis),
        Fault("eviction policy changed", endanger_redis),
        Fault("replies cut", cut_replies(Scene.line)),
        Fault("connection reset", reset(Scene.line)),
        Fault("connection refused", hold(Scene.line, FaultProxy.refuse)),
        Fault("replies stalled", hold(Scene.line, FaultProxy.stall)),
        Fault("network parted", hold(Scene.line, FaultProxy.partition)),
        Fault("2 s of latency", hold(Scene.line, lambda line: line.delay(2))),
        Fault("booking store locked", lock_store),
        Fault("booking store killed", kill_store, needs_server=True),
        Fault("booking store: replies cut", cut_replies(Scene.store_line), needs_server=True),
        Fault("booking store: connections reset", reset(Scene.store_line), needs_server=True),
        Fault(
            "booking store: network parted",
            hold(Scene.store_line, FaultProxy.partition),
            needs_server=True,
        ),
        Fault(
            "booking store: slow",
            hold(Scene.store_line, lambda line: line.delay(0.2)),
            needs_server=True,
        ),
        Fault("clients hang up", hang_up),
    )
}


async def strike(fault: Fault, scene: Scene) -> None:
    """Let `fault` happen, and wait until the service is well again."""
    async with scene.trial.fault(fault.name, loses_data=fault.loses_data, freezes=fault.freezes):
        await fault.run(scene)
