"""wrk, the load generator: found or installed, called, its result read."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from benchmarks import cores, slots
from benchmarks.errors import BenchmarkError, MissingError
from benchmarks.processes import HOST
from reservesvc.embedded_server import leashed

Mode = Literal["reserve", "stampede", "batch", "hand_off"]
_SCRIPT = Path(__file__).with_name("wrk.lua")
_RESULT = re.compile(r"^RESULT (\{.*\})$", re.MULTILINE)
_TIMEOUT_S = 10
_MARGIN_S = 30
_INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "wrk")
_MISSING = (
    "wrk, the load generator, is not installed: on Debian and Ubuntu `apt install wrk`, on "
    "Fedora and with Homebrew the package is called wrk too."
)


class Load(Struct, frozen=True, kw_only=True):
    """One run of wrk."""

    connections: int
    run_s: int
    mode: Mode = "reserve"
    resources: int = slots.RESOURCES
    items: int = 1
    """reservations a request, of a batch"""
    reservations: Path | None = None
    """a file with the ids to hand off, a line each"""


class Result(Struct, frozen=True, kw_only=True):
    """What wrk counted."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    connect: int
    """connections that failed"""
    read: int
    write: int
    timeout: int
    status: int
    """replies of 400 and above"""

    @property
    def broken(self) -> int:
        """How many requests or connections got no reply."""
        return self.connect + self.read + self.write + self.timeout


def find() -> str:
    """Return the path of wrk; as root on a system with apt, install it where missing.

    Raises:
        MissingError: there is none.

    """
    if shutil.which("wrk") is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(_INSTALL, stdout=subprocess.DEVNULL, check=False)
    path = shutil.which("wrk")
    if path is None:
        raise MissingError(_MISSING)
    return path


def run(wrk: str, port: int, load: Load, first_slot: int, core: int | None) -> Result:
    """Send `load` to the server on `port`, in slots from `first_slot` on.

    Raises:
        BenchmarkError: wrk failed.

    """
    command = [
        wrk,
        "--threads=1",
        f"--connections={load.connections}",
        f"--duration={load.run_s}s",
        f"--timeout={_TIMEOUT_S}s",
        f"--script={_SCRIPT}",
        f"http://{HOST}:{port}",
        "--",
        *(load.mode, str(first_slot), str(slots.start_ms(0) // 1000), "1"),
        *(str(load.resources), str(load.items)),
        *(slots.KEY, slots.TEMPLATE, str(load.reservations or "")),
    ]
    with cores.on(core):
        done = subprocess.run(
            leashed(command),
            capture_output=True,
            text=True,
            check=False,
            timeout=load.run_s + _MARGIN_S,
        )
    return parse(done.stdout, done.stderr)


def parse(output: str, complaints: str = "") -> Result:
    """Return the result in what wrk printed.

    Raises:
        BenchmarkError: there is none.

    """
    found = _RESULT.search(output)
    if found is None:
        message = f"wrk gave no result: {(complaints or output).strip()[-500:]}"
        raise BenchmarkError(message)
    return msgspec.json.decode(found[1], type=Result)
