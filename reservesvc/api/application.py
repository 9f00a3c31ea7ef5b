"""The web application: the URL table behind the front door, and the server that runs it."""

from collections.abc import Collection, Mapping
from logging import DEBUG

import structlog
from aiohttp import web

from reservesvc.api import line
from reservesvc.api.auth import Keys
from reservesvc.api.call import Check, Context
from reservesvc.api.connection import CONNECTION
from reservesvc.api.front_door import front_door
from reservesvc.api.handlers import Application
from reservesvc.api.malformed import HEADERS_MAX, LINE_BYTES_MAX
from reservesvc.api.refusing import LINGERING_S, RefusingServer
from reservesvc.api.routes import ROUTES
from reservesvc.domain.wish import Limits
from reservesvc.metrics import Metrics
from reservesvc.ports import Stores


def build(  # noqa: PLR0913 - one for each thing that whoever starts it decides
    *,
    stores: Stores,
    limits: Limits,
    keys: Keys,
    checks: Mapping[str, Check],
    metrics: Metrics,
    deadline_ms: int,
    body_bytes_max: int,
    origins: Collection[str] = (),
    write_line: line.Write | None = None,
) -> Application:
    """Return the application.

    Args:
        stores: what the flow works with.
        limits: how much a request may ask for.
        keys: who may call.
        checks: dependency → what asks it whether it can do its part.
        metrics: where to count.
        deadline_ms: when a request is answered at the latest.
        body_bytes_max: how large a body may be.
        origins: whose pages may call from a browser.
        write_line: writes the line of a request; through structlog if None.

    """
    log = structlog.get_logger().bind()
    context = Context(
        stores=stores,
        limits=limits,
        keys=keys,
        checks=checks,
        metrics=metrics,
        log=log,
        write_line=write_line or line.through(log),
        tells_quiet=log.is_enabled_for(DEBUG),
        deadline_s=deadline_ms / 1000,
        body_bytes_max=body_bytes_max,
    )
    return front_door(context, ROUTES, origins)


def runner(
    application: Application, *, keepalive_s: float = 75, shutdown_s: float = 30
) -> web.ServerRunner:
    """Return what runs `application`; to be called in the loop that it is to run in.

    aiohttp's low-level server: its router and middlewares cost more than a reservation, and
    the front door needs neither.

    Args:
        application: what answers a request.
        keepalive_s: how long an idle connection is kept.
        shutdown_s: how long requests in flight may take once the runner is cleaned up.

    """
    server = RefusingServer(
        application,
        CONNECTION,
        access_log=None,  # the front door writes one line per request
        auto_decompress=False,  # compressed bodies are refused, not unpacked first
        keepalive_timeout=keepalive_s,
        lingering_time=LINGERING_S,
        max_line_size=LINE_BYTES_MAX,
        max_field_size=LINE_BYTES_MAX,
        max_headers=HEADERS_MAX,
    )
    return web.ServerRunner(server, shutdown_timeout=shutdown_s)
