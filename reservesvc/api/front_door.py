"""The front door: what every request passes, whatever it asks for.

In this order: an id, its row of the URL table, the key, the parameters, the deadline, the
handler, problems, the log line, metrics.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from time import perf_counter, time_ns
from typing import Any

from aiohttp import hdrs, web
from msgspec.structs import replace

from reservesvc.api import query, refusals, trace
from reservesvc.api.call import Call, Context, Route
from reservesvc.api.cross_origin import CrossOrigin
from reservesvc.api.deadlines import Deadlines
from reservesvc.api.dispatch import NO_PARTS, UNMATCHED, Dispatch, Parts
from reservesvc.api.handlers import Application, Handler, Refuse
from reservesvc.api.ignored import Ignored
from reservesvc.api.line import RequestLine
from reservesvc.api.problems import Problem
from reservesvc.api.replies import Reply
from reservesvc.domain import times

Find = Callable[[web.BaseRequest], tuple[Route, Parts]]


def front_door(
    context: Context, routes: Iterable[Route], origins: Collection[str] = ()
) -> Application:
    """Return what answers every request, and what refuses those that are no valid HTTP.

    Args:
        context: what every call shares.
        routes: the URL table.
        origins: whose pages may call from a browser, see `cross_origin`.

    """
    dispatch, deadlines = Dispatch(routes), Deadlines(context.deadline_s)
    answer = _serving(context, deadlines, dispatch.find)
    if origins:
        sites = CrossOrigin(origins, dispatch)
        answer = sites.around(answer, _serving(context, deadlines, sites.find))
    return Application(answer, _refusing(context), context.metrics)


def _serving(context: Context, deadlines: Deadlines, find: Find) -> Handler:
    new_id, admit = context.stores.ids.ulid, context.keys.admit
    in_flight, finish = context.metrics.gauge, _finisher(context)

    async def serve(request: web.BaseRequest) -> Reply:
        began_s = perf_counter()
        route, parts = find(request)
        call = Call(new_id(), request, context, route, parts)
        in_flight[0] += 1
        task, bucket = deadlines.enter()
        try:
            call.caller = admit(request.headers.getall(hdrs.AUTHORIZATION, ()), route.scope)
            # A path that stands in the URL table as it was sent has no query, and no parts.
            if parts is not NO_PARTS and route.query is not None and request.query_string:
                query.check(request, route.query)
            reply = await route.handler(call)
        except asyncio.CancelledError:
            if not deadlines.expired(task):
                raise
            reply = _failed(call, TimeoutError())
        except Exception as error:  # noqa: BLE001 - the last stop: every failure gets a reply
            reply = _failed(call, error)
        finally:
            bucket.discard(task)
            in_flight[0] -= 1
        finish(call, reply, perf_counter() - began_s)
        return reply

    return serve


class _NoRequest:
    """Stands where no request could be read."""

    method = "-"
    headers: Mapping[str, str] = {}


_NO_REQUEST: Any = _NoRequest()
_MALFORMED = replace(UNMATCHED, path="(malformed)", name="malformed")


def _refusing(context: Context) -> Refuse:
    new_id, finish = context.stores.ids.ulid, _finisher(context)

    def refuse(problem: Problem) -> Reply:
        call = Call(new_id(), _NO_REQUEST, context, _MALFORMED, NO_PARTS)
        reply = call.reject(problem)
        finish(call, reply, 0.0)
        return reply

    return refuse


def _failed(call: Call, error: Exception) -> Reply:
    problem = refusals.of_exception(error, writes=call.route.writes)
    call.reason = refusals.reason_of(error)
    if problem is refusals.INTERNAL_ERROR:
        call.context.log.error("request_failed", exc_info=error, request_id=call.id)
    return call.reject(problem)


def _finisher(context: Context) -> Callable[[Call, Reply, float], None]:
    """Return what stamps a reply, counts it and writes its line."""
    count = context.metrics.request
    write_line, tells_quiet = context.write_line, context.tells_quiet
    ignored = Ignored()

    def finish(call: Call, reply: Reply, duration_s: float) -> None:
        route, outcome, status = call.route, call.outcome, reply.status
        if call.ignored:
            ignored.tell(call, reply)
        header = call.request.headers.get(trace.HEADER)
        trace_id = trace.trace_id(header) if header else None
        reply.stamp(call.id, f"{trace.HEADER}: {header}\r\n" if trace_id else "")
        count(route.method, route.path, status, outcome, call.verb, duration_s)
        if route.quiet and not tells_quiet:
            return
        write_line(
            RequestLine(
                timestamp=times.render_now(time_ns() // 1_000_000),
                level="debug" if route.quiet else "info",
                method=call.request.method,
                route=route.path,
                status=status,
                outcome=outcome,
                duration_ms=int(duration_s * 1e6) / 1000,
                caller=call.caller.name,
                request_id=call.id,
                trace_id=trace_id,
                resource_id=call.resource_id,
                reservation_id=call.reservation_id,
                booking_id=call.booking_id,
                reason=call.reason,
            )
        )

    return finish
