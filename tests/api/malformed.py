"""Requests that break HTTP, by the code of the problem that answers them."""

from reservesvc.api.malformed import HEADERS_MAX, LINE_BYTES_MAX

MARK = b"s3same"
"""stands in most of them, and must not come back"""
HOST = b"Host: h\r\n"
_GET = b"GET /livez HTTP/1.1\r\n" + HOST
_POST = b"POST /v2/bookings/reserve HTTP/1.1\r\n" + HOST
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_LONG = MARK * (LINE_BYTES_MAX // len(MARK) + 1)


def _target(target: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (target, HOST)


def _version(version: bytes) -> bytes:
    return b"GET /livez?%b %b\r\n%b\r\n" % (MARK, version, HOST)


def _method(method: bytes) -> bytes:
    return b"%b /livez?%b HTTP/1.1\r\n%b\r\n" % (method, MARK, HOST)


def _header(line: bytes, end: bytes = b"\r\n") -> bytes:
    return _GET + line + end + b"\r\n"


def _framed(*lines: bytes) -> bytes:
    return _POST + b"".join(b"%b\r\n" % line for line in lines) + b"X: %b\r\n\r\n{}" % MARK


_BAD = {
    "no host": b"GET /livez?%b HTTP/1.1\r\n\r\n" % MARK,
    "two hosts": _header(b"Host: " + MARK),
    "method with a bad character": _method(b"G@T"),
    "unknown method": _method(b"FETCH"),
    "method in small letters": _method(b"get"),
    "method cut off by NUL": _method(b"GE\0T"),
    "method quoted": _method(b'"GET"'),
    "space before the method": _method(b" GET"),
    "no method": b"/livez?%b HTTP/1.1\r\n%b\r\n" % (MARK, HOST),
    "method of 9,000 letters": _method(b"G" * 9_000),
    "NUL bytes": b"\0" * 64 + MARK,
    "no HTTP at all": MARK + b"\r\n\r\n",
    "JSON": b'{"key": "%b"}\r\n\r\n' % MARK,
    "a reply": b"HTTP/1.1 200 OK\r\nX: %b\r\n\r\n" % MARK,
    "TLS ClientHello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARK,
    "SSH": b"SSH-2.0-%b\r\n" % MARK,
    "Redis": b"*1\r\n$4\r\nPING\r\n" + MARK,
    "protocol in small letters": _version(b"http/1.1"),
    "another protocol": _version(b"SIP/2.0"),
    "version without a dot": _version(b"HTTP/11"),
    "version without digits": _version(b"HTTP/x.y"),
    "words behind the version": _version(b"HTTP/1.1 " + MARK),
    "version cut off": _version(b"HTTP/"),
    "LF without CR behind the version": b"GET /livez HTTP/1.1\n%b\r\n" % HOST,
    "CR without LF behind the version": b"GET /livez HTTP/1.1\rX: %b\r\n\r\n" % MARK,
    "LF without CR behind a header": _header(b"X: " + MARK, b"\n"),
    "CR without LF behind a header": _header(b"X: " + MARK, b"\rY: y\r\n"),
    "header without a colon": _header(b"X " + MARK),
    "header without a name": _header(b": " + MARK),
    "space before the colon": _header(b"X : " + MARK),
    "space in a name": _header(b"X Y: " + MARK),
    "parentheses in a name": _header(b"X(Y): " + MARK),
    "NUL in a name": _header(b"X\0Y: " + MARK),
    "letters beyond ASCII in a name": _header("Größe: ".encode() + MARK),
    "folded header": _header(b"X: x\r\n " + MARK),
    "space before the first header": b"GET / HTTP/1.1\r\n X: %b\r\n%b\r\n" % (MARK, HOST),
    "NUL in a value": _header(b"X: \0" + MARK),
    "control character in a value": _header(b"X: \x01" + MARK),
    "DEL in a value": _header(b"X: \x7f" + MARK),
    "target without a slash": _target(b"livez?" + MARK),
    "asterisk for GET": _target(b"*"),
    "NUL in the target": _target(b"/\0" + MARK),
    "control character in the target": _target(b"/\x01" + MARK),
    "bytes beyond ASCII in the target": _target("/größe".encode() + MARK),
    "space in the target": _target(b"/livez " + MARK),
    "absolute target with a bad host": _target(b"http://[::1/" + MARK),
    "absolute target without a host": _target(b"http:///" + MARK),
    "two lengths": _framed(b"Content-Length: 2", b"Content-Length: 3"),
    "the same length twice": _framed(b"Content-Length: 2", b"Content-Length: 2"),
    "lengths in a list": _framed(b"Content-Length: 2, 2"),
    "negative length": _framed(b"Content-Length: -2"),
    "length with a plus": _framed(b"Content-Length: +2"),
    "length with an underscore": _framed(b"Content-Length: 1_0"),
    "hexadecimal length": _framed(b"Content-Length: 0x2"),
    "length of words": _framed(b"Content-Length: two"),
    "fraction of a length": _framed(b"Content-Length: 2.0"),
    "empty length": _framed(b"Content-Length:"),
    "length and chunks": _framed(b"Content-Length: 2", b"Transfer-Encoding: chunked"),
    "chunks and length": _framed(b"Transfer-Encoding: chunked", b"Content-Length: 2"),
    "chunks twice": _framed(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunks and then gzip": _framed(b"Transfer-Encoding: chunked, gzip"),
    "unknown transfer encoding": _framed(b"Transfer-Encoding: xchunked"),
    "chunked with a prefix": _framed(b"Transfer-Encoding: \x0bchunked"),
    "chunk size of letters": _CHUNKED + b"zz\r\n" + MARK,
    "negative chunk size": _CHUNKED + b"-2\r\n" + MARK,
    "no chunk size": _CHUNKED + b"\r\n" + MARK,
    "space before a chunk size": _CHUNKED + b" 2\r\n{}\r\n0\r\n\r\n" + MARK,
    "chunk longer than its size": _CHUNKED + b"2\r\n{}%b\r\n0\r\n\r\n" % MARK,
    "LF without CR behind a chunk size": _CHUNKED + b"2\n{}\r\n0\r\n\r\n" + MARK,
    "NUL behind a chunk size": _CHUNKED + b"2\0\r\n{}\r\n0\r\n\r\n" + MARK,
    "the parser's words in a header": _header(b"X Invalid HTTP version, Chunk size overflow"),
    "the parser's words in the target": _target(b"http://[HTTP/2"),
    "bad trailer": _CHUNKED + b"2\r\n{}\r\n0\r\nX %b\r\n\r\n" % MARK,
}
_LARGE_HEADERS = {
    "2,000 headers": _GET + b"".join(b"X-%d: %b\r\n" % (n, MARK) for n in range(2_000)) + b"\r\n",
    "one header too many": _GET + b"X: %b\r\n" % MARK * HEADERS_MAX + b"\r\n",
    "long value": _header(b"X: " + _LONG),
    "long name": _header(_LONG + b": x"),
    "value of a megabyte": _header(b"X: " + MARK * 170_000),
}
_LONG_TARGETS = {
    "long path": _target(b"/" + _LONG),
    "long query": _target(b"/livez?" + _LONG),
    "target of a megabyte": _target(b"/" + MARK * 170_000),
    "long absolute target": _target(b"http://h/" + _LONG),
}
_VERSIONS = {
    "HTTP/2.0": _version(b"HTTP/2.0"),
    "HTTP/2.0, to be kept": b"GET /livez HTTP/2.0\r\n%bConnection: keep-alive\r\n\r\n" % HOST,
    "HTTP/3.7": _version(b"HTTP/3.7"),
    "HTTP/0.9": _version(b"HTTP/0.9"),
    "HTTP/9.9": _version(b"HTTP/9.9"),
    "HTTP/1.2": _version(b"HTTP/1.2"),
    "HTTP/0.9 without a version": b"GET /livez?%b\r\n\r\n" % MARK,
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + MARK,
    "HTTP/2.0 with a body": b"POST /v2/bookings/reserve HTTP/2.0\r\n%bContent-Length: 8\r\n\r\n{}"
    % HOST,
}
_LARGE_BODIES = {
    "length beyond 64 bits": _framed(b"Content-Length: 99999999999999999999"),
    "chunk size beyond 64 bits": _CHUNKED + b"fffffffffffffffff\r\n" + MARK,
    "length beyond the limit": _framed(b"Content-Length: 18446744073709551614"),
}
_PROXIED = {
    "CONNECT": b"CONNECT h:443 HTTP/1.1\r\n%b\r\n%b" % (HOST, MARK),
    "CONNECT to a path": b"CONNECT /livez HTTP/1.1\r\n%b\r\n%b" % (HOST, MARK),
}
_BY_CODE = {
    "malformed_request": _BAD,
    "headers_too_large": _LARGE_HEADERS,
    "uri_too_long": _LONG_TARGETS,
    "http_version_not_supported": _VERSIONS,
    "payload_too_large": _LARGE_BODIES,
    "method_not_allowed": _PROXIED,
}
CORPUS = {
    name: (request, code)
    for code, requests in _BY_CODE.items()
    for name, request in requests.items()
}
"""name → the request and the code of its problem"""
