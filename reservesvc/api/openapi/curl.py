"""The example of a call as a command to paste into a shell."""

import json
from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any
from urllib.parse import quote as percent_encoded
from urllib.parse import urlencode

KEY = "YOUR-KEY"
"""stands where the caller's key goes"""
_JSON = "application/json"


def command(server: str, method: str, path: str, operation: Mapping[str, Any]) -> str:
    """Return the command.

    Args:
        server: URL of the server, without a slash at its end.
        method: in capitals.
        path: with the names of its parts in braces.
        operation: the call, as the document has it.

    """
    given = list(_given(operation))
    parts = {name: percent_encoded(str(value)) for place, name, value in given if place == "path"}
    query = urlencode([(name, v) for place, name, v in given if place == "query"], doseq=True)
    url = server + path.format_map(parts) + (f"?{query}" if query else "")
    words = [f"curl {_method(method)}{quote(url)}", *_headers(operation), *_body(operation)]
    return " \\\n  ".join(words)


def _given(operation: Mapping[str, Any]) -> Iterator[tuple[str, str, object]]:
    """Yield where each parameter that has an example goes, its name and its example."""
    for each in operation["parameters"]:
        if "example" in each:
            yield each["in"], each["name"], each["example"]


def _method(method: str) -> str:
    return "" if method == "GET" else f"-X {method} "


def _headers(operation: Mapping[str, Any]) -> Iterator[str]:
    if operation["security"]:
        yield f"-H 'Authorization: Bearer {KEY}'"
    if "requestBody" in operation:
        yield f"-H 'Content-Type: {_JSON}'"


def _body(operation: Mapping[str, Any]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {})
    if "example" in content.get(_JSON, {}):
        yield f"-d {quote(json.dumps(content[_JSON]['example'], indent=2, ensure_ascii=False))}"
