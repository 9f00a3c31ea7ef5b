"""A server as users start it, and Timekit's clients that are told of nothing but its address."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest

from tests.e2e.chromium import Chromium
from tests.e2e.installation import Clients, installed
from tests.e2e.page import Page
from tests.e2e.sdk import Sdk
from tests.e2e.site import Site
from tests.faults.process import ROOT, ServerProcess

SERVICE, WIDGET, ADMIN = (f"{scope}-key-0123456789" for scope in ("service", "widget", "admin"))
_KEYS = f"shop:service:{SERVICE},site:widget:{WIDGET},office:admin:{ADMIN}"
SCREENSHOTS = ROOT / "build" / "e2e"
_rooms = count(1)


@pytest.fixture(scope="session")
def clients() -> Clients:
    """Install Timekit's clients, if that was not done yet."""
    return installed()


@pytest.fixture(scope="session")
def site(clients: Clients) -> Iterator[Site]:
    """Run a web site with the booking widget."""
    running = Site(clients.modules)
    yield running
    running.close()


@pytest.fixture(scope="session")
def server(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Run `reservesvc serve` with keys, and with the site allowed to call it from its page."""
    directory = tmp_path_factory.mktemp("server")
    data = directory / "data"
    settings = {"DATA_DIR": data, "API_KEYS": _KEYS, "CORS_ORIGINS": site.url}
    process = ServerProcess("server", directory, settings)
    process.start()
    try:
        asyncio.run(process.started())
        yield process
    finally:
        process.close()


@pytest.fixture(scope="session")
def sdk(clients: Clients, server: ServerProcess) -> Iterator[Sdk]:
    """Give the SDK, told of the server and of a key with scope `service`."""
    process = Sdk(clients, f"{server.url}/", SERVICE)
    yield process
    process.close()


@pytest.fixture(scope="session")
def chromium(clients: Clients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Run a headless Chromium."""
    process = Chromium(clients, tmp_path_factory.mktemp("chromium"))
    yield process
    process.close()


@pytest.fixture
async def page(chromium: Chromium, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """Open a page in Berlin; what it shows in the end is kept as build/e2e/<test>.png."""
    async with chromium.page() as opened:
        await opened.command("Emulation.setTimezoneOverride", timezoneId="Europe/Berlin")
        yield opened
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await opened.screenshot(SCREENSHOTS / f"{request.node.name}.png")


@pytest.fixture
def room() -> str:
    """Name a resource that no other test uses."""
    return f"room-{next(_rooms)}"
