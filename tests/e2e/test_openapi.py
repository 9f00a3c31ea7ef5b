"""/openapi.json as its readers use it: linters find nothing, generated clients work.

The clients are those of openapi-python-client, and of openapi-typescript with openapi-fetch.
"""

import json
import shutil
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.e2e import tools
from tests.e2e.conftest import SERVICE
from tests.e2e.installation import HERE, Clients
from tests.e2e.ordinary import ELEVEN, TEN
from tests.faults.process import ServerProcess

SOURCES = HERE / "openapi"
GOT = {
    "problem": "slot_unavailable",
    "can_retry": True,
    "wrong": ["end"],
    "extended": True,
    "email": "ada@example.com",
    "card": 7,
    "meta": {"order_id": "o-1"},
    "actions": ["cancel", "cancel_by_customer", "complete", "reschedule_by_customer"],
    "state": "cancelled",
    "told": {"message": "Ill, sorry"},
    "listed": 1,
}
"""what both samples print"""


@pytest.fixture(scope="session")
def described(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the server's description of its calls in a file."""
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    with urlopen(f"{server.url}/openapi.json") as reply:  # noqa: S310 - it is HTTP
        path.write_bytes(reply.read())
    return path


def test_redocly_finds_nothing(clients: Clients, described: Path) -> None:
    """Its recommended rules, but for those that redocly.yaml names, hold without a warning."""
    printed = tools.package_tool(
        clients,
        "@redocly/cli/bin/cli.js",
        "lint",
        f"--config={SOURCES / 'redocly.yaml'}",
        "--format=json",
        str(described),
        directory=described.parent,
    )
    found = json.loads(printed)
    assert found["problems"] == []
    assert found["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}


def test_spectral_finds_nothing(clients: Clients, described: Path) -> None:
    """Its recommended rules, but for those that spectral.yaml names, hold without a hint."""
    printed = tools.package_tool(
        clients,
        "@stoplight/spectral-cli/dist/index.js",
        "lint",
        f"--ruleset={SOURCES / 'spectral.yaml'}",
        "--format=json",
        "--quiet",
        "--fail-severity=hint",
        str(described),
        directory=described.parent,
    )
    assert json.loads(printed) == []


def test_a_typescript_client_books(
    clients: Clients, described: Path, server: ServerProcess, room: str, tmp_path: Path
) -> None:
    """Types under `tsc --strict`, then calls: reserve, extend, book, cancel, and two refusals."""
    for name in ("client.ts", "tsconfig.json"):
        shutil.copy(SOURCES / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(clients.modules)
    generate = (str(described), "--output=api.ts")
    tools.package_tool(clients, "openapi-typescript/bin/cli.js", *generate, directory=tmp_path)
    tools.package_tool(clients, "typescript/bin/tsc", directory=tmp_path)
    words = (server.url, SERVICE, room, TEN, ELEVEN)
    printed = tools.node(clients, "made/client.js", *words, directory=tmp_path)
    assert json.loads(printed) == GOT


def test_a_python_client_books(
    described: Path, server: ServerProcess, room: str, tmp_path: Path
) -> None:
    """Generated without a warning, then calls: reserve, extend, book, cancel, and two refusals."""
    generate = ("--path", str(described), "--meta=none", "--output-path=reservesvc_client")
    generator = ("-m", "openapi_python_client", "generate", "--fail-on-warning")
    said = tools.python(*generator, *generate, directory=tmp_path)
    assert "arning" not in said
    shutil.copy(SOURCES / "client.py", tmp_path)
    words = (server.url, SERVICE, room, TEN, ELEVEN)
    printed = tools.python("-W", "error", "client.py", *words, directory=tmp_path)
    assert json.loads(printed) == GOT
