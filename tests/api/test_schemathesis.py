"""Schemathesis reads /openapi.json, makes requests of it, and finds nothing amiss."""

import asyncio
import hashlib
import logging
import re
import sys
from pathlib import Path

import structlog

from reservesvc.api.routes import ROUTES
from reservesvc.apikeys import ApiKey
from reservesvc.ports import Stores
from tests.api.client import ADA, RESERVE, Http, application
from tests.api.conftest import Serve
from tests.api.test_openapi import ready

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SECRET = "a-secret-of-the-tests"
KEYS = (ApiKey("tests", "admin", hashlib.sha256(SECRET.encode()).digest()),)
_RUN = "from schemathesis.cli import schemathesis; schemathesis()"
_MOST_S = 300.0
"""a machine that is busy with other things takes long; an idle one, some fifteen seconds"""


async def test_it_finds_nothing(serve: Serve, stores: Stores, tmp_path: Path) -> None:
    """Statuses, types, schemas, headers, keys: whatever is sent, the document is kept to."""
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    checks = {"redis": ready, "store": ready}
    http = await serve(application(stores, keys=KEYS, checks=checks))
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.read_text() + await parameters(http))
    status, output = await run(http, configuration)
    assert status == 0, output
    # All but the URL it has the document from.
    assert re.findall(r"Tested: (\d+)", output) == [str(len(ROUTES) - 1)], output


async def parameters(http: Http) -> str:
    """Return the ids of what is there; made-up ones would mostly be a 404."""
    key = f"Bearer {SECRET}"
    project = await http("POST", "/v2/projects", {"name": "Salon"}, Authorization=key)
    booked = await http("POST", "/v2/bookings", RESERVE | {"customer": ADA}, Authorization=key)
    named = {"project_id": project.data["id"], "booking_id": booked.data["id"], "slug": "salon"}
    lines = [f'"path.{name}" = "{value}"\n' for name, value in named.items()]
    return "\n[parameters]\n" + "".join(lines)


async def run(http: Http, configuration: Path) -> tuple[int, str]:
    """Return how schemathesis ended and what it wrote."""
    words = [
        "--config-file",
        str(configuration),
        "run",
        "--header",
        f"Authorization: Bearer {SECRET}",
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _RUN,
        *words,
        f"http://127.0.0.1:{http.port}/openapi.json",
        cwd=configuration.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_MOST_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return await process.wait(), output.decode()
