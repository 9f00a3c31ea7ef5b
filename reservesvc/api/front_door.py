"""The front door: what every request passes, whatever it asks for.

In this order: an id, its row of the URL table, the key, the deadline, the handler, problems,
the log line, metrics.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter, time_ns

from aiohttp import hdrs, web

from reservesvc.api import refusals, trace
from reservesvc.api.call import Call, Context, Route
from reservesvc.api.deadlines import Deadlines
from reservesvc.api.dispatch import Dispatch
from reservesvc.api.line import RequestLine
from reservesvc.api.replies import Reply
from reservesvc.domain import times

Handler = Callable[[web.BaseRequest], Awaitable[Reply]]


def front_door(context: Context, routes: Iterable[Route]) -> Handler:
    """Return what aiohttp calls for every request."""
    find = Dispatch(routes).find
    metrics, keys, deadlines = context.metrics, context.keys, Deadlines(context.deadline_s)

    async def serve(request: web.BaseRequest) -> Reply:
        began_s = perf_counter()
        call = Call(request, context, *find(request))
        metrics.in_flight += 1
        task, bucket = deadlines.enter()
        try:
            authorization = request.headers.get(hdrs.AUTHORIZATION)
            call.caller = keys.admit(authorization, call.route.scope)
            reply = await call.route.handler(call)
        except asyncio.CancelledError:
            if not deadlines.expired(task):
                raise
            reply = _failed(call, TimeoutError())
        except Exception as error:  # noqa: BLE001 - the last stop: every failure gets a reply
            reply = _failed(call, error)
        finally:
            bucket.discard(task)
            metrics.in_flight -= 1
        _finish(call, reply, perf_counter() - began_s)
        return reply

    return serve


def _failed(call: Call, error: Exception) -> Reply:
    problem = refusals.of_exception(error, writes=call.route.writes)
    call.reason = refusals.reason_of(error)
    if problem is refusals.INTERNAL_ERROR:
        call.context.log.error("request_failed", exc_info=error, request_id=call.id)
    return call.reject(problem)


def _finish(call: Call, reply: Reply, duration_s: float) -> None:
    context, route, header = call.context, call.route, call.request.headers.get(trace.HEADER)
    trace_id = trace.trace_id(header) if header else None
    reply.stamp(call.id, f"{trace.HEADER}: {header}\r\n" if trace_id else "")
    metrics, outcome = context.metrics, call.outcome
    metrics.request(route.method, route.path, reply.status, outcome, duration_s)
    if call.verb is not None:
        metrics.reservation(call.verb, outcome)
    if route.quiet and not context.tells_quiet:
        return
    context.write_line(
        RequestLine(
            timestamp=times.render_now(time_ns() // 1_000_000),
            level="debug" if route.quiet else "info",
            method=call.request.method,
            route=route.path,
            status=reply.status,
            outcome=outcome,
            duration_ms=round(duration_s * 1000, 3),
            caller=call.caller.name,
            request_id=call.id,
            trace_id=trace_id,
            resource_id=call.resource_id,
            reservation_id=call.reservation_id,
            booking_id=call.booking_id,
            reason=call.reason,
        )
    )
