"""`/openapi.json` and `/docs`: the document of the calls, for programs and for people."""

import asyncio
from collections.abc import Sequence

import msgspec

from reservesvc.api.call import Call, Route
from reservesvc.api.openapi import html
from reservesvc.api.openapi.document import document
from reservesvc.api.replies import Reply
from reservesvc.domain.wish import Limits

HTML = "text/html; charset=utf-8"
KEPT_S = 300
"""how long others may keep a copy: after a new version, no longer than this are two about"""
_CACHED = {"Cache-Control": f"public, max-age={KEPT_S}", "X-Content-Type-Options": "nosniff"}
_PAGE = _CACHED | {"Content-Security-Policy": html.POLICY, "Referrer-Policy": "no-referrer"}


def rows(calls: Sequence[Route]) -> tuple[Route, ...]:
    """Return the rows of the URL table that tell of `calls`, and of themselves."""
    pages = _Pages()
    own = (
        Route("GET", "/openapi.json", pages.openapi, "public", "openapi", query=None),
        Route("GET", "/docs", pages.docs, "public", "docs", query=None),
    )
    pages.routes = (*calls, *own)
    return own


class _Pages:
    """Made at the first request for them; they change with the limits alone."""

    def __init__(self) -> None:
        self.routes: tuple[Route, ...] = ()
        self._made: dict[Limits, tuple[bytes, bytes]] = {}

    async def openapi(self, call: Call) -> Reply:
        """Describe all calls, as an OpenAPI document."""
        return Reply(200, (await self._of(call.limits))[0], _CACHED)

    async def docs(self, call: Call) -> Reply:
        """Describe all calls, as a page to read."""
        return Reply(200, (await self._of(call.limits))[1], _PAGE, HTML)

    async def _of(self, limits: Limits) -> tuple[bytes, bytes]:
        if limits not in self._made:
            # Takes a tenth of a second, for which no reservation has to wait.
            self._made[limits] = await asyncio.to_thread(_made, self.routes, limits)
        return self._made[limits]


def _made(routes: Sequence[Route], limits: Limits) -> tuple[bytes, bytes]:
    made = document(routes, limits)
    return msgspec.json.encode(made), html.page(made).encode()
