"""A server of ours in a process of its own: started, paused, killed, its log read."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import Any

from reservesvc.embedded_server import leashed
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
START_S = 20.0
POLL_S = 0.02
END_S = 20.0


_STARTING = ThreadPoolExecutor(1, "starting")
"""lives as long as the tests: a leash is tied to the thread that started the process"""


async def in_background(start: Callable[[], None]) -> None:
    """Start something that takes a moment, while everything else goes on."""
    await asyncio.get_running_loop().run_in_executor(_STARTING, start)


class ServerProcess:
    """`python -m reservesvc serve` on a port of its own; killed with the tests.

    Args:
        name: of its log.
        directory: where the log goes.
        settings: by name, without the prefix.
        bent: what to do at which step, see `bent`; the plain server if empty.
        environment: more of it.
        stderr: where its log goes instead, an open descriptor.

    """

    def __init__(
        self,
        name: str,
        directory: Path,
        settings: Mapping[str, object],
        bent: str = "",
        environment: Mapping[str, str] = MappingProxyType({}),
        stderr: int | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / f"{name}.log"
        self.bent = bent
        self._settings = {"HOST": "127.0.0.1", "PORT": self.port, "LOG_FORMAT": "json"} | dict(
            settings
        )
        self._more = environment
        self.stderr = stderr
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running.pid

    @property
    def is_running(self) -> bool:
        """Whether there is a process; one that is paused counts."""
        return self._process is not None and self._process.poll() is None

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, f"{self.log.name}: not started"
        return self._process

    def start(self) -> None:
        """Start the process; it takes a moment until it listens."""
        module = "tests.faults.bent" if self.bent else "reservesvc"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                leashed([sys.executable, "-m", module, "serve"]),
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log if self.stderr is None else self.stderr,
            )

    def _environment(self) -> dict[str, str]:
        foreign = {k: v for k, v in os.environ.items() if not k.startswith("RESERVESVC_")}
        named = {f"RESERVESVC_{name}": str(value) for name, value in self._settings.items()}
        return foreign | named | {"BENT": self.bent} | dict(self._more)

    async def started(self) -> None:
        """Wait until it listens.

        Raises:
            AssertionError: it does not; the message is what it logged.

        """
        for _ in range(round(START_S / POLL_S)):
            assert self.is_running, f"it ended: {self.log.read_text()}"
            if await asyncio.to_thread(self.is_live):
                return
            await asyncio.sleep(POLL_S)
        raise AssertionError(self.log.read_text())

    def is_live(self) -> bool:
        """Tell whether it answers on a new connection."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except (HTTPException, OSError):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """Kill it as kill -9 does; return once it is gone."""
        self._running.kill()
        self._running.wait()

    def pause(self) -> None:
        """Stop it as SIGSTOP does: it keeps its connections and does nothing."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._running.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end."""
        self._running.terminate()

    async def ended(self) -> int:
        """Wait until it has ended; return its exit status (-9: killed)."""
        return await asyncio.to_thread(self._running.wait, END_S)

    async def paused_itself(self) -> None:
        """Wait until it has come to the step at which it is to pause."""
        async with asyncio.timeout(END_S):
            while _state_of(self.pid) != "T":
                await asyncio.sleep(POLL_S)

    def close(self) -> None:
        """Kill it, if it still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def logged(self) -> int:
        """Return how many bytes it has logged so far."""
        return self.log.stat().st_size

    def lines(self, from_byte: int = 0) -> Iterator[dict[str, Any]]:
        """Return its log; a line that is no JSON, as of a traceback, counts as an error."""
        for line in self.log.read_bytes()[from_byte:].decode(errors="replace").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                yield {"level": "error", "event": line}

    async def reasons(self, from_byte: int = 0) -> list[str]:
        """Return why requests failed, as logged; wait for the first, for lines come a bit late."""
        found: list[str] = []
        async with asyncio.timeout(END_S):
            while not found:
                await asyncio.sleep(POLL_S)
                found = [str(one["reason"]) for one in self.lines(from_byte) if "reason" in one]
        return found

    def errors(self, from_byte: int = 0) -> list[str]:
        """Return what it logged as an error."""
        found = [
            line for line in self.lines(from_byte) if line.get("level") in ("error", "critical")
        ]
        return [f"{line.get('event')}: {str(line.get('exception', ''))[-1_500:]}" for line in found]


def _state_of(pid: int) -> str:
    """Return the letter that says what a process does; T: it is stopped."""
    if sys.platform == "linux":
        text = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    else:
        command = ["ps", "-o", "state=", "-p", str(pid)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return text[0]
