"""Replies that are problems, and the headers of all replies."""

from collections.abc import Iterable
from typing import Any

from reservesvc.api import problems, replies
from reservesvc.api.idempotency import REPLAYED
from reservesvc.api.openapi import shapes
from reservesvc.api.openapi.fields import Schema
from reservesvc.api.problems import PROBLEMS

_RETRIED = {"slot_unavailable", "cart_incomplete", "handoff_in_progress", "unavailable"}
"""codes that may come with a `Retry-After`"""


class Answers:
    """Replies that are problems; each stands apart once and is referred to."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}

    def of(self, codes: Iterable[str]) -> dict[str, Schema]:
        """Return the answers, by status, of a call with these problems."""
        by_status: dict[int, list[str]] = {}
        for code in sorted(codes):
            by_status.setdefault(PROBLEMS[code].status, []).append(code)
        return {str(status): self._refer(each) for status, each in sorted(by_status.items())}

    def _refer(self, codes: list[str]) -> Schema:
        name = ".".join(codes)
        self.named.setdefault(name, _problem(codes))
        return {"$ref": f"#/components/responses/{name}"}


def _problem(codes: list[str]) -> Schema:
    status = PROBLEMS[codes[0]].status
    headers = dict(HEADERS)
    if _RETRIED & set(codes):
        headers |= _RETRY
    if "unauthorized" in codes:
        headers |= _CHALLENGE
    schema = {
        "$ref": f"#/components/schemas/{shapes.Problem.__name__}",
        "properties": {"code": {"enum": codes}, "status": {"const": status}},
    }
    meanings = [f"`{code}`: {PROBLEMS[code].meaning}" for code in codes]
    return {
        "description": " ".join(meanings),
        "headers": headers,
        "content": {problems.CONTENT_TYPE: {"schema": schema}},
    }


def _header(description: str, *, required: bool = False, **schema: Any) -> Schema:  # noqa: ANN401
    return {"description": description, "required": required, "schema": schema}


HEADERS = {replies.REQUEST_ID: _header("what the log calls it", required=True, type="string")}
REPLAYED_HEADER = {name: _header("an answer given before", const="true") for name in REPLAYED}
_RETRY = {"Retry-After": _header("in seconds", type="string", pattern="^[0-9]+$")}
_CHALLENGE = {"WWW-Authenticate": _header("how to send a key", required=True, type="string")}
