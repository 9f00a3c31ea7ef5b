"""The web application: the URL table, the front door, and what the handlers work with."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from reservesvc.api.auth import Keys
from reservesvc.api.call import Check, Context, Route
from reservesvc.api.middleware import for_strays, front_door
from reservesvc.api.routes import ROUTES
from reservesvc.apikeys import ApiKey
from reservesvc.domain.wish import Limits
from reservesvc.metrics import Metrics
from reservesvc.ports import Stores

SERVER_OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,  # the front door writes one line per request
    "auto_decompress": False,  # compressed bodies are refused, not unpacked first
    "lingering_time": 1.0,  # s; how long a refused body may still drip before we hang up
}
"""what `aiohttp.web.AppRunner` must be told to run the application"""


def build(
    *,
    stores: Stores,
    limits: Limits,
    keys: Iterable[ApiKey],
    checks: Mapping[str, Check],
    metrics: Metrics,
    deadline_ms: int,
    body_bytes_max: int,
) -> web.Application:
    """Return the application, to be run with `SERVER_OPTIONS`.

    Args:
        stores: what the flow works with.
        limits: how much a request may ask for.
        keys: who may call; none lets everybody do everything.
        checks: dependency → what asks it whether it can do its part.
        metrics: where to count.
        deadline_ms: when a request is answered at the latest.
        body_bytes_max: how large a body may be.

    """
    context = Context(
        stores=stores,
        limits=limits,
        keys=Keys(keys),
        checks=checks,
        metrics=metrics,
        log=structlog.get_logger().bind(),
        deadline_s=deadline_ms / 1000,
        body_bytes_max=body_bytes_max,
    )
    application = web.Application(middlewares=[for_strays(context)], client_max_size=body_bytes_max)
    for route in ROUTES:
        _add(application.router, route, front_door(context, route))
    return application


def _add(router: web.UrlDispatcher, route: Route, handler: Handler) -> None:
    """Add a route, with and without a trailing slash; what can be read has a head too."""
    methods = ("GET", "HEAD") if route.method == "GET" else (route.method,)
    for path in (route.path, f"{route.path}/"):
        for method in methods:
            router.add_route(method, path, handler)
