"""Reading a request's body: bounded in size and time, never decompressed."""

import asyncio

from aiohttp import hdrs, web

from reservesvc.api.connection import WholeRequest
from reservesvc.api.malformed import BAD_CHUNKS
from reservesvc.api.problems import Problem, RefusedError

READING_SHARE = 0.5
"""how much of the request's deadline its body may take; the rest is for the work"""


def at_hand(request: web.BaseRequest, bytes_max: int) -> bytes | None:
    """Return the body if it came together with its headers, as nearly every one does.

    Raises:
        RefusedError: as `arriving`.

    """
    if hdrs.CONTENT_ENCODING in request.headers:
        return None
    if isinstance(request, WholeRequest):
        body = request.body()
    elif request.content.is_eof() and request.content.exception() is None:
        body = request.content.read_nowait(-1)
    else:
        return None
    if len(body) > bytes_max:
        raise RefusedError(_too_large(bytes_max))
    return body


async def arriving(request: web.BaseRequest, bytes_max: int, deadline_s: float) -> bytes:
    """Return the body, once it is here.

    Raises:
        RefusedError: 400 when it breaks off or its chunks are malformed, 408 when it drips in
            too slowly, 413 when it is too large, 415 when it is compressed (a small body could
            unpack to a large one).

    """
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise RefusedError(_UNSUPPORTED_ENCODING)
    if (request.content_length or 0) > bytes_max:
        raise RefusedError(_too_large(bytes_max))
    body = await _arriving(request, bytes_max, deadline_s)
    if len(body) > bytes_max:
        raise RefusedError(_too_large(bytes_max))
    return body


async def _arriving(request: web.BaseRequest, bytes_max: int, deadline_s: float) -> bytes:
    body = bytearray()
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # RFC 9110 section 10.1.1
    try:
        async with asyncio.timeout(deadline_s * READING_SHARE):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > bytes_max:
                    break
    except TimeoutError:
        raise RefusedError(_REQUEST_TIMEOUT) from None
    except ConnectionError:
        raise RefusedError(_CUT_OFF) from None
    except web.RequestPayloadError:
        raise RefusedError(BAD_CHUNKS) from None
    return bytes(body)


_UNSUPPORTED_ENCODING = Problem(
    code="unsupported_encoding",
    detail="The body has a Content-Encoding; send it without one.",
    headers={"Accept-Encoding": "identity"},
    closes=True,
)
_REQUEST_TIMEOUT = Problem(
    code="request_timeout",
    detail="The body did not arrive in time; send the request again.",
    closes=True,
)

_CUT_OFF = Problem(
    code="malformed_json",
    detail="The body ended before it was whole; send the request again.",
    closes=True,
)


def _too_large(bytes_max: int) -> Problem:
    return Problem(
        code="payload_too_large",
        detail=f"The body may have {bytes_max} bytes at most; send less.",
        closes=True,
    )
