"""aiohttp with `await redis.evalsha(…)`, as everybody writes it.

With `--logged` also with what the service does by default: a middleware each for one JSON
line a request (structlog) and for a counter and a histogram (prometheus_client).
"""

import sys
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any
from uuid import uuid4

import msgspec
import structlog
import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter, Histogram
from redis.asyncio import Redis

from benchmarks.peers import claim, settings

REDIS: web.AppKey[Redis] = web.AppKey("redis")
_script = settings.script()
_log = structlog.get_logger()
_requests = Counter("requests", "Requests by end.", ["method", "route", "status", "outcome"])
_reservations = Counter("reservations", "Reservations by end.", ["verb", "outcome"])
_durations = Histogram("request_duration_seconds", "Time to reply.", ["method", "route"])


async def reserve(request: web.Request) -> web.Response:
    """Check the body, run the script, answer."""
    try:
        body = claim.decode(await request.read())
    except msgspec.ValidationError as error:
        return _problem(request, 422, "invalid", str(error))
    except msgspec.DecodeError as error:
        return _problem(request, 400, "malformed_json", str(error))
    rule = claim.broken_rule(body)
    if rule is not None:
        return _problem(request, 422, "invalid", rule)
    made = claim.claim_of(body)
    answer = await _run(request.app[REDIS], made)
    request["facts"] = {"resource_id": made.resource_id, "reservation_id": made.id}
    if answer[0] != b"reserved":
        return _problem(request, 409, "slot_unavailable", "The slot is not free.")
    request["outcome"] = "reserved"
    reply = claim.encode(claim.reply(made, answer[1]))
    return web.Response(body=reply, status=201, content_type="application/json")


async def _run(redis: Redis, made: claim.Claim) -> list[Any]:
    keys, arguments = claim.keys(made), claim.arguments(made, _script)
    answer = [b"swept"]
    while answer[0] == b"swept":
        answer = await redis.evalsha(_script.sha, len(keys), *keys, *arguments)
    return answer


def _problem(request: web.Request, status: int, code: str, detail: str) -> web.Response:
    request["outcome"] = code
    return web.json_response({"status": status, "code": code, "detail": detail}, status=status)


@web.middleware
async def log(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write the canonical line."""
    began_s = perf_counter()
    request["request_id"] = str(uuid4())
    reply = await handler(request)
    reply.headers["Timekit-Request-Id"] = request["request_id"]
    _log.info(
        "request",
        method=request.method,
        route=request.path,
        status=reply.status,
        outcome=request["outcome"],
        duration_ms=round((perf_counter() - began_s) * 1000, 3),
        caller="anonymous",
        request_id=request["request_id"],
        **request.get("facts", {}),
    )
    return reply


@web.middleware
async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request."""
    began_s = perf_counter()
    reply = await handler(request)
    duration_s = perf_counter() - began_s
    status, outcome = str(reply.status), request["outcome"]
    _requests.labels(request.method, request.path, status, outcome).inc()
    _reservations.labels("reserve", outcome).inc()
    _durations.labels(request.method, request.path).observe(duration_s)
    return reply


async def _connected(application: web.Application) -> AsyncIterator[None]:
    redis: Redis = Redis.from_url(settings.redis_url())
    await redis.script_load(_script.body)
    application[REDIS] = redis
    yield
    await redis.aclose()


def main() -> None:
    """Serve."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    uvloop.install()
    middlewares = [log, count] if "--logged" in sys.argv else []
    application = web.Application(middlewares=middlewares, client_max_size=65_536)
    application.router.add_post("/v2/bookings/reserve", reserve)
    application.cleanup_ctx.append(_connected)
    web.run_app(application, host=settings.HOST, port=settings.port(), access_log=None, print=None)


if __name__ == "__main__":
    main()
