"""Processes of a run: started where they belong, waited for, and gone with the harness."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import cores
from benchmarks.errors import BenchmarkError
from reservesvc.config_table import PREFIX
from reservesvc.embedded_server import leashed

HOST = "127.0.0.1"
_START_S = 20.0
_STOP_S = 10.0
_POLL_S = 0.02


class Process:
    """A running server."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._popen = popen

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def forget_log(self) -> None:
        """Empty the log; a run at full speed writes tens of megabytes."""
        os.truncate(self.log, 0)

    def wait_for_port(self, port: int) -> None:
        """Return once it listens.

        Raises:
            BenchmarkError: it ended or stays silent; the message ends with its last lines.

        """
        deadline_s = time.monotonic() + _START_S
        while not _listens(port):
            if self._popen.poll() is not None or time.monotonic() > deadline_s:
                message = f"{self.name} did not start: {self.last_lines()}"
                raise BenchmarkError(message)
            time.sleep(_POLL_S)

    def last_lines(self) -> str:
        """Return the end of what it logged."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"


@contextmanager
def running(
    name: str,
    command: list[str],
    directory: Path,
    *,
    core: int | None,
    environ: dict[str, str] | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Iterator[Process]:
    """Run `command` beside the body on `core` and stop it afterwards.

    It does not see Ctrl-C, so that everything ends in order; it ends with the harness all
    the same, however that dies.
    """
    log = directory / f"{name}.log"
    with cores.on(core), log.open("ab") as out:
        popen = subprocess.Popen(
            leashed(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=_inherited() | (environ or {}),
            start_new_session=True,
        )
    try:
        yield Process(name, popen, log)
    finally:
        _stop(popen, stop_signal)


def free_port() -> int:
    """Return a TCP port of the loopback address that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _inherited() -> dict[str, str]:
    """Return this process' environment without settings of a service that somebody runs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _stop(popen: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    popen.send_signal(stop_signal)
    try:
        popen.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0
