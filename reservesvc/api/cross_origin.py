"""Cross-origin requests: which sites' pages may call from a browser, and what they may see.

A browser tells the page's origin and asks before it sends most requests (the preflight). It
lets the page read a reply only where the reply names the origin (the CORS protocol in the Fetch
standard). Only calls that a widget may make are shared so. Keys are sent by the page itself,
never by the browser, so that no credentials are allowed.
"""

from collections.abc import Collection
from typing import Final

from aiohttp import hdrs, web

from reservesvc.api.call import Call, Route
from reservesvc.api.dispatch import NO_PARTS, Dispatch, Parts
from reservesvc.api.handlers import Handler
from reservesvc.api.problems import Problem, RefusedError
from reservesvc.api.replies import Reply

ANY = "*"
"""stands for every origin"""
SHARED_SCOPE = "widget"
"""the scope of the calls that pages may make"""
TAKEN_HEADERS = "authorization,content-type,timekit-context,timekit-timezone,idempotency-key"
SHOWN_HEADERS = "Timekit-TestMode,Timekit-Request-Id,Retry-After,Idempotent-Replayed"
PREFLIGHT_AGE_S = 3_600
"""how long a browser need not ask again"""
_VARY = f"{hdrs.VARY}: {hdrs.ORIGIN}\r\n"


class CrossOrigin:
    """The origins whose pages may call; `ANY` among them stands for all."""

    def __init__(self, origins: Collection[str], dispatch: Dispatch) -> None:
        self._origins = frozenset(origins)
        self._dispatch = dispatch
        self._preflight = Route(
            "OPTIONS", "(preflight)", self._allow, "public", "preflight", query=None
        )

    def find(self, request: web.BaseRequest) -> tuple[Route, Parts]:
        """Return what `Dispatch.find` does, or the row that answers preflights."""
        if _is_preflight(request) and self._is_shared(request):
            return self._preflight, NO_PARTS
        return self._dispatch.find(request)

    def around(self, serve: Handler, serve_page: Handler) -> Handler:
        """Return what answers requests of pages with `serve_page`, and all others with `serve`."""

        async def answer(request: web.BaseRequest) -> Reply:
            reply = await serve_page(request)
            if self._is_shared(request):
                reply.add_lines(self._lines(request.headers[hdrs.ORIGIN]))
            return reply

        # No coroutine around the other one: most requests are no page's and pay one look.
        return lambda request: (answer if hdrs.ORIGIN in request.headers else serve)(request)

    def _is_shared(self, request: web.BaseRequest) -> bool:
        method = request.method
        if _is_preflight(request):
            method = request.headers[hdrs.ACCESS_CONTROL_REQUEST_METHOD]
        return self._dispatch.row(method, request.path)[0].scope == SHARED_SCOPE

    def _name(self, origin: str) -> str | None:
        """Return what allows `origin`, or None where nothing does."""
        if ANY in self._origins:
            return ANY
        return origin if origin in self._origins else None

    def _lines(self, origin: str) -> str:
        name = self._name(origin)
        if name is None:
            return _VARY
        return (
            f"{_VARY}{hdrs.ACCESS_CONTROL_ALLOW_ORIGIN}: {name}\r\n"
            f"{hdrs.ACCESS_CONTROL_EXPOSE_HEADERS}: {SHOWN_HEADERS}\r\n"
        )

    async def _allow(self, call: Call) -> Reply:
        """Answer a preflight."""
        headers = call.request.headers
        if self._name(headers[hdrs.ORIGIN]) is None:
            raise RefusedError(_NOT_ALLOWED)
        return Reply(
            204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: headers[hdrs.ACCESS_CONTROL_REQUEST_METHOD],
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: TAKEN_HEADERS,
                hdrs.ACCESS_CONTROL_MAX_AGE: str(PREFLIGHT_AGE_S),
            },
        )


def _is_preflight(request: web.BaseRequest) -> bool:
    wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
    return request.method == hdrs.METH_OPTIONS and wanted is not None


_NOT_ALLOWED: Final = Problem(
    code="origin_not_allowed",
    detail="Pages of this origin may not call this service; the operator can add it to "
    "RESERVESVC_CORS_ORIGINS.",
)
