"""One run under way: its servers, and how a server under load is measured."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from benchmarks import conformance, cores, kinds, servers, slots, usage, wrk
from benchmarks.cores import Cores
from benchmarks.errors import BenchmarkError, MissingError
from benchmarks.kinds import Kind
from benchmarks.measured import Measured
from benchmarks.plan import Plan
from benchmarks.progress import Progress
from benchmarks.redis_server import RedisServer, redis_server
from benchmarks.script_export import export
from benchmarks.servers import Server, Setting
from benchmarks.slots import Slots
from benchmarks.wrk import Load

MICROSECONDS = 1e6
REFUSED_MAX = 0.5
"""share of refused requests above which nothing has been measured; redis-py's pool refuses some"""
START_S = 0.7
"""what starting one server takes, by estimate"""


class Bench(Struct, frozen=True, kw_only=True):
    """Everything a row needs."""

    plan: Plan
    cores: Cores
    setting: Setting
    redis: RedisServer
    generator: str
    """the path of wrk"""
    progress: Progress
    running: dict[str, Server]
    """by name; those that could be started"""
    missing: dict[str, str]
    """by name, why the others could not"""
    slots: Slots

    @property
    def ours(self) -> Server:
        """The service."""
        return self.running[kinds.OURS.name]

    def prepare(self, server: Server) -> None:
        """Bring everything to the same start: an empty Redis, warm indexes, empty logs."""
        self.redis.empty()
        server.process.forget_log()
        if not server.kind.is_ours:
            self.redis.warm(slots.resource_ids())
        conformance.prime(server, self.slots)

    def load(self, server: Server, load: Load) -> wrk.Result:
        """Send the load to the server, in slots that are free, and let it come to rest."""
        result = self._send(server, load)
        usage.settle(server)
        return result

    def _send(self, server: Server, load: Load) -> wrk.Result:
        result = wrk.run(self.generator, server.port, load, self.slots.first, self.cores.load)
        # With one resource instead of all, a slot is a minute of it.
        spread = slots.RESOURCES // load.resources
        self.slots.skip((result.requests + load.connections) * load.items * spread)
        return result

    def measure(self, server: Server, load: Load) -> Measured:
        """Measure one round.

        Raises:
            BenchmarkError: the server acknowledged what it did not keep, or refused most.

        """
        self.prepare(server)
        since_ms = slots.start_ms(self.slots.first)
        before = usage.taken(server, self.redis.pid, self.cores.used)
        result = self._send(server, load)
        used = usage.taken(server, self.redis.pid, self.cores.used).since(before)
        usage.settle(server)
        if load.mode == "reserve":
            self._check_kept(server, result, load, since_ms)
        duration_s = result.duration_us / MICROSECONDS
        each = MICROSECONDS / max(1, result.requests)
        has_store = server.kind.behind != "nothing"
        return Measured(
            server=server.kind.name,
            connections=load.connections,
            requests_per_s=result.requests / duration_s,
            p50_ms=result.p50_us / 1000,
            p99_ms=result.p99_us / 1000,
            server_us=used.server_s * each,
            store_us=used.store_s * each if has_store else None,
            refused=result.status,
            broken=result.broken,
            others=used.others_s / duration_s / len(self.cores.used),
        )

    def _check_kept(self, server: Server, result: wrk.Result, load: Load, since_ms: int) -> None:
        """Compare what was acknowledged with what is in Redis of the slots of this round.

        Of an earlier round something may still arrive: a server that gets no time on a busy
        machine looks as if it were idle.
        """
        if result.status > result.requests * REFUSED_MAX:
            message = (
                f"{server.kind.label} refused {result.status} of {result.requests} free slots; "
                f"its last words: {server.process.last_lines()}"
            )
            raise BenchmarkError(message)
        if server.kind.behind == "redis":
            kept = self.redis.entries(slots.resource_ids(), since_ms)
            check_kept(server.kind.label, result, load, kept)


def check_kept(label: str, result: wrk.Result, load: Load, kept: int) -> None:
    """Compare what a server acknowledged with what is kept.

    wrk does not wait for the last reply of each connection: those may be kept as well, and so
    may be what it lost a connection over.

    Raises:
        BenchmarkError: something acknowledged is missing, or there is more than was asked for.

    """
    granted = result.requests - result.status
    if not granted <= kept <= granted + load.connections + result.broken:
        message = f"{label} acknowledged {granted}, and {kept} are kept"
        raise BenchmarkError(message)


@contextmanager
def opened(plan: Plan, progress: Progress) -> Iterator[Bench]:
    """Start Redis and every server that can be started; stop all of them at the end.

    Raises:
        BenchmarkError: wrk is missing, the service does not start, or a server does not do
            the work.

    """
    chosen, generator = cores.choose(), wrk.find()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="reservesvc-bench-")))
        redis = stack.enter_context(redis_server(directory, chosen.load))
        script = directory / "script.json"
        script.write_bytes(export(redis.run))
        bench = Bench(
            plan=plan,
            cores=chosen,
            setting=Setting(
                directory=directory,
                redis=redis,
                script=script,
                server_core=chosen.server,
                load_core=chosen.load,
            ),
            redis=redis,
            generator=generator,
            progress=progress,
            running={},
            missing={},
            slots=Slots(),
        )
        for kind in kinds.ALL:
            _start(bench, kind, stack)
        yield bench


def _start(bench: Bench, kind: Kind, stack: ExitStack) -> None:
    bench.progress.step(f"starting {kind.label}", START_S)
    try:
        server = stack.enter_context(servers.serving(kind, bench.setting))
    except MissingError as error:
        bench.missing[kind.name] = str(error)
        return
    bench.prepare(server)
    conformance.check(server, bench.slots)
    bench.running[kind.name] = server
