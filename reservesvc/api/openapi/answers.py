"""Replies that are problems, and the headers of all replies."""

from collections.abc import Iterable
from typing import Any

from reservesvc.api import problems, replies
from reservesvc.api.idempotency import REPLAYED
from reservesvc.api.openapi import names, shapes
from reservesvc.api.openapi.fields import Schema
from reservesvc.api.problems import PROBLEMS

_RETRIED = {"slot_unavailable", "cart_incomplete", "handoff_in_progress", "unavailable"}
"""codes that may come with a `Retry-After`"""


class Answers:
    """Replies that are problems, and their schemas; each stands apart once and is referred to."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}
        self.schemas: dict[str, Schema] = {}

    def of(self, operation_id: str, codes: Iterable[str]) -> dict[str, Schema]:
        """Return the answers, by status, of a call with these problems."""
        by_status: dict[int, list[str]] = {}
        for code in sorted(codes):
            by_status.setdefault(PROBLEMS[code].status, []).append(code)
        return {
            str(status): self._refer(_name(operation_id, status, each), each)
            for status, each in sorted(by_status.items())
        }

    def _refer(self, name: str, codes: list[str]) -> Schema:
        schema_name = f"{name}Problem"
        if name not in self.named:
            self.schemas[schema_name] = _schema(codes)
            self.named[name] = _problem(codes, names.reference(schema_name))
        return {"$ref": f"#/components/responses/{name}"}


def _name(operation_id: str, status: int, codes: list[str]) -> str:
    """Return what the answer is called: as its only code, else after the call."""
    if len(codes) == 1:
        return names.pascal(codes[0].split("_"))
    return f"{names.pascal([operation_id])}{status}"


def _schema(codes: list[str]) -> Schema:
    """Return the schema of a problem that has one of these codes."""
    said = {"code": {"type": "string", "enum": codes}}
    return {
        "description": _meaning(codes),
        "allOf": [
            names.reference(shapes.Problem.__name__),
            {"type": "object", "properties": said, "required": [*said]},
        ],
    }


def _problem(codes: list[str], schema: Schema) -> Schema:
    headers = dict(HEADERS)
    if _RETRIED & set(codes):
        headers |= _RETRY
    if "unauthorized" in codes:
        headers |= _CHALLENGE
    return {
        "description": _meaning(codes),
        "headers": headers,
        "content": {problems.CONTENT_TYPE: {"schema": schema}},
    }


def _meaning(codes: list[str]) -> str:
    return " ".join(f"`{code}`: {PROBLEMS[code].meaning}" for code in codes)


def _header(description: str, *, required: bool = False, **schema: Any) -> Schema:  # noqa: ANN401
    return {"description": description, "required": required, "schema": schema}


HEADERS = {replies.REQUEST_ID: _header("what the log calls it", required=True, type="string")}
REPLAYED_HEADER = {name: _header("an answer given before", const="true") for name in REPLAYED}
_RETRY = {"Retry-After": _header("in seconds", type="string", pattern="^[0-9]+$")}
_CHALLENGE = {"WWW-Authenticate": _header("how to send a key", required=True, type="string")}
