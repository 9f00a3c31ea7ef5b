"""What is wrong with bytes that are not a valid HTTP request, as a problem for the client.

aiohttp's parser says it in exceptions whose text repeats the client's bytes. Only the parser's
own words, which come before the bytes, are looked at here; the sentences are ours.
"""

from typing import Final, NamedTuple

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError, InvalidHeader, InvalidURLError, LineTooLong

from reservesvc.api.problems import Problem

LINE_BYTES_MAX = 8_190
"""how long a request's target, and each of its header lines, may be"""
HEADERS_MAX = 128
"""how many header lines a request may have"""


class _Row(NamedTuple):
    """A kind of error."""

    words: tuple[str, ...]
    """what the parser says of it, in part"""
    code: str
    detail: str


_BAD_CHUNKS = "The chunks of the body are malformed."
_ROWS = (
    _Row(
        ("HTTPS traffic",),
        "malformed_request",
        "This port speaks plain HTTP; what arrived is TLS. Use an http:// URL.",
    ),
    _Row(
        ("Invalid HTTP version", "PRI/Upgrade", "HTTP/2"),
        "http_version_not_supported",
        "Use HTTP/1.1.",
    ),
    _Row(
        ("Too many headers",),
        "headers_too_large",
        f"A request may have {HEADERS_MAX} header lines at most.",
    ),
    _Row(
        ("Content-Length overflow", "Chunk size overflow"),
        "payload_too_large",
        "The announced length of the body is larger than any body may be.",
    ),
    _Row(
        ("'Host'", "Host header"),
        "malformed_request",
        "A request of HTTP/1.1 needs exactly one Host header.",
    ),
    _Row(
        ("Content-Length", "content-length", "Transfer-Encoding", "transfer-encoding"),
        "malformed_request",
        "The length of the body must be given once: by one Content-Length, or by "
        "Transfer-Encoding: chunked.",
    ),
    _Row(("chunk", "Chunk"), "malformed_request", _BAD_CHUNKS),
    _Row(("method",), "malformed_request", "The request does not begin with an HTTP method."),
    _Row(
        ("header", "Header"),
        "malformed_request",
        "A header is malformed: each is one line `Name: value` without control characters, "
        "ended by CR LF.",
    ),
)
_TARGET = Problem(
    code="malformed_request",
    detail="The request's target is malformed: it must be a path, with other characters "
    "percent-encoded.",
    closes=True,
)
_HEADER = Problem(
    code="malformed_request", detail="The value of a header is malformed.", closes=True
)
_TARGET_TOO_LONG = Problem(
    code="uri_too_long",
    detail=f"The request's target may have {LINE_BYTES_MAX} bytes at most.",
    closes=True,
)
_LINE_TOO_LONG = Problem(
    code="headers_too_large",
    detail=f"A header line may have {LINE_BYTES_MAX} bytes at most.",
    closes=True,
)
BAD_CHUNKS: Final = Problem(code="malformed_request", detail=_BAD_CHUNKS, closes=True)
MALFORMED: Final = Problem(
    code="malformed_request", detail="The request is not valid HTTP/1.1.", closes=True
)
NO_SUCH_VERSION: Final = Problem(
    code="http_version_not_supported", detail="Use HTTP/1.1.", closes=True
)
NO_PROXY: Final = Problem(
    code="method_not_allowed",
    detail="The service is not a proxy: it does not take CONNECT.",
    headers={hdrs.ALLOW: "DELETE, GET, HEAD, OPTIONS, POST, PUT"},
    closes=True,
)


def of_error(error: HttpProcessingError) -> Problem:
    """Return the problem that an error of aiohttp's parser is."""
    if isinstance(error, LineTooLong):
        # The parser collects a target, and nothing else, in a bytearray.
        return _TARGET_TOO_LONG if isinstance(error.args[0], bytearray) else _LINE_TOO_LONG
    if isinstance(error, InvalidURLError):
        return _TARGET
    if isinstance(error, InvalidHeader):
        return _HEADER
    said = error.message.partition("\n\n")[0]
    for row in _ROWS:
        if any(words in said for words in row.words):
            return Problem(code=row.code, detail=row.detail, closes=True)
    return MALFORMED


def of_request(request: web.BaseRequest) -> Problem | None:
    """Return what is wrong with a request that the parser took, or None."""
    if request.version not in (HttpVersion10, HttpVersion11):
        return NO_SUCH_VERSION
    return NO_PROXY if request.method == hdrs.METH_CONNECT else None
