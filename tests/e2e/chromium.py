"""A headless Chromium. Cross-origin rules are those of any browser: no flag turns them off."""

import json
import os
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession

from reservesvc.embedded_server import leashed
from tests.e2e.installation import Clients
from tests.e2e.page import Page

_START_S = 30.0
_POLL_S = 0.02
_FLAGS = (
    "--headless",
    "--no-sandbox",  # which root, as in most containers, cannot have
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--no-first-run",
    "--hide-scrollbars",
    "--lang=en-US",
    "--window-size=900,600",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--remote-debugging-port=0",
)
_FONTS = (
    '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">'
    "<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>"
)


class Chromium:
    """The process; killed with the tests.

    Args:
        clients: where the browser, its libraries and its fonts are.
        directory: where its profile goes.

    """

    def __init__(self, clients: Clients, directory: Path) -> None:
        self._directory = directory
        fonts = directory / "fonts.conf"
        fonts.write_text(_FONTS.format(fonts=clients.fonts, cache=directory / "fonts"))
        self._log = directory / "chromium.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                leashed([str(clients.browser), *_FLAGS, f"--user-data-dir={directory}"]),
                env=os.environ
                | {"LD_LIBRARY_PATH": str(clients.libraries), "FONTCONFIG_FILE": str(fonts)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._port = self._started()

    def _started(self) -> int:
        """Wait until it listens; return the port it found.

        Raises:
            AssertionError: it does not; the message is what it logged.

        """
        said = self._directory / "DevToolsActivePort"
        deadline_s = time.monotonic() + _START_S
        while not (said.exists() and said.read_text().count("\n")):
            alive = self._process.poll() is None and time.monotonic() < deadline_s
            assert alive, f"Chromium did not start: {self._log.read_text()[-2_000:]}"
            time.sleep(_POLL_S)
        return int(said.read_text().split()[0])

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        """Open an empty page with cookies and storage of its own."""
        async with ClientSession() as session:
            base = f"http://127.0.0.1:{self._port}/json"
            async with session.put(f"{base}/new?about:blank") as reply:
                target = json.loads(await reply.read())
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Network", "Log"):
                    await page.command(f"{domain}.enable")
                yield page
            async with session.get(f"{base}/close/{target['id']}"):
                pass

    def close(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
