"""`traceparent`: the trace a request belongs to (W3C Trace Context, version 00)."""

import re

from multidict import istr

HEADER = istr("traceparent")
# A later version may add fields behind these (section 2.2); ff and all zeros are invalid.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


def trace_id(header: str) -> str | None:
    """Return the id of the trace that `header` names, or None where it is no valid one."""
    found = _TRACEPARENT.fullmatch(header)
    return found[1] if found else None
