"""The front door: what every request passes, whatever it asks for.

In this order: an id, the key, the deadline, the handler, problems, the log line, metrics.
"""

import asyncio
from time import perf_counter

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from reservesvc.api import refusals, trace
from reservesvc.api.call import Call, Context, Route
from reservesvc.api.routes import UNMATCHED

REQUEST_ID = "Timekit-Request-Id"
_SERVER = "reservesvc"
"""in place of aiohttp's own line, which names its version and Python's"""


def front_door(context: Context, route: Route) -> Handler:
    """Return what the router calls for `route`: its handler, behind the front door."""
    metrics = context.metrics

    async def serve(request: web.Request) -> web.StreamResponse:
        began_s = perf_counter()
        call = Call(request, context, route)
        metrics.in_flight += 1
        try:
            reply = await _answer(call)
        finally:
            metrics.in_flight -= 1
        _finish(call, reply, perf_counter() - began_s)
        return reply

    return serve


def for_strays(context: Context) -> Middleware:
    """Return the middleware that leads what no row takes to the front door as well."""
    serve_stray = front_door(context, UNMATCHED)

    @web.middleware
    async def lead(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_stray = request.match_info.http_exception is not None
        return await (serve_stray(request) if is_stray else handler(request))

    return lead


async def _answer(call: Call) -> web.StreamResponse:
    context = call.context
    try:
        call.caller = context.keys.admit(
            call.request.headers.get(hdrs.AUTHORIZATION), call.route.scope
        )
        async with asyncio.timeout(context.deadline_s):
            return await call.route.handler(call)
    except Exception as error:  # noqa: BLE001 - the last stop: every failure gets a reply
        return _failed(call, error)


def _failed(call: Call, error: Exception) -> web.Response:
    problem = refusals.of_exception(error, writes=call.route.writes)
    if problem is refusals.INTERNAL_ERROR:
        call.context.log.error("request_failed", exc_info=error, **_identity(call))
    return call.reject(problem)


def _finish(call: Call, reply: web.StreamResponse, duration_s: float) -> None:
    headers, route = reply.headers, call.route
    headers[REQUEST_ID] = call.id
    headers[hdrs.SERVER] = _SERVER
    identity = _identity(call)
    if "trace_id" in identity:
        headers[trace.HEADER] = call.request.headers[trace.HEADER]
    call.context.metrics.request(route.label, reply.status, call.outcome, duration_s)
    if call.verb is not None:
        call.context.metrics.reservation(call.verb, call.outcome)
    log = call.context.log.debug if route.quiet else call.context.log.info
    log(
        "request",
        method=call.request.method,
        route=route.path,
        status=reply.status,
        outcome=call.outcome,
        duration_ms=round(duration_s * 1000, 3),
        caller=call.caller.name,
        **identity,
        **call.facts,
    )


def _identity(call: Call) -> dict[str, str]:
    trace_id = trace.trace_id(call.request)
    named = {"request_id": call.id}
    return named if trace_id is None else named | {"trace_id": trace_id}
