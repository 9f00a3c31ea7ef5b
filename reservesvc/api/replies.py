"""Replies of calls that went well."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

_encode = msgspec.json.Encoder().encode


def raw(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a reply of ready-made JSON."""
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def json(
    value: Any,  # noqa: ANN401 - whatever JSON can say
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return a reply of `value` as JSON."""
    return raw(_encode(value), status, headers)


def data(
    value: Any,  # noqa: ANN401 - whatever JSON can say
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return a reply of `value` under `data`, as every successful call answers."""
    return json({"data": value}, status, headers)


def no_content() -> web.Response:
    """Return the reply of a call that has nothing to say."""
    return web.Response(status=204)
