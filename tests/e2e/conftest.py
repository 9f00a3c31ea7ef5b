"""A server as users start it, and Timekit's clients that are told of nothing but its address."""

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from tests.e2e.installation import Clients, installed
from tests.e2e.sdk import Sdk
from tests.faults.process import ServerProcess

SERVICE, WIDGET, ADMIN = "service-key", "widget-key", "admin-key"
_KEYS = f"shop:service:{SERVICE},site:widget:{WIDGET},office:admin:{ADMIN}"
_rooms = count(1)


@pytest.fixture(scope="session")
def clients() -> Clients:
    """Install Timekit's clients, if that was not done yet."""
    return installed()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Run `reservesvc serve` with keys and everything else of its own."""
    directory = tmp_path_factory.mktemp("e2e")
    settings = {"DATA_DIR": directory / "data", "API_KEYS": _KEYS}
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


@pytest.fixture
def room() -> str:
    """Name a resource that no other test uses."""
    return f"room-{next(_rooms)}"
