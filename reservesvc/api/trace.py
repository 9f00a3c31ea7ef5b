"""`traceparent`: the trace a request belongs to (W3C Trace Context, version 00)."""

import re

from aiohttp import web

HEADER = "traceparent"
# A later version may add fields behind these (section 2.2); ff and all zeros are invalid.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


def trace_id(request: web.Request) -> str | None:
    """Return the id of the request's trace, or None where it has no valid one."""
    header = request.headers.get(HEADER)
    found = _TRACEPARENT.fullmatch(header) if header else None
    return found[1] if found else None
