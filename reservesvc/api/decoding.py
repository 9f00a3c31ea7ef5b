"""From the bytes of a body to a typed struct, with a readable message for every bad field.

The compiled decoder does the work. Only what it refuses is looked at again, field by field,
to name everything that is wrong at once.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, get_args

import msgspec

from reservesvc.api import unknown
from reservesvc.api.problems import Problem, RefusedError, invalid
from reservesvc.domain.nesting import DEPTH_MAX, is_deeper
from reservesvc.domain.whole import whole

T = TypeVar("T", bound=msgspec.Struct)
Errors = dict[str, list[str]]

# As numbers: looking for one byte is five times quicker than for bytes of length one.
_LIST, _BACKSLASH = b"[\\"
_NUL_ESCAPED = b"\\u0000"
_NUL_RULE = "must not contain the character U+0000"
_EXPECTED: dict[type, str] = {
    int: "a whole number",
    str: "a string",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}
_ACTUAL: dict[type, str] = {
    bool: "a boolean",
    int: "a whole number",
    float: "a number with a fraction",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_decode_any = msgspec.json.Decoder().decode


Ignore = Callable[[list[str]], None]
"""takes the names of members that no field has"""
Decoded = tuple[T, Errors]
"""what a body says, and what was wrong: a wrong field is absent, and named in the errors"""


class Decoder(Generic[T]):
    """The decoder of one schema, all of whose fields are optional."""

    def __init__(self, schema: type[T]) -> None:
        self.schema = schema
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(unknown.strict(schema)).decode
        self._decode_any_names = msgspec.json.Decoder(schema).decode

    def decode(self, body: bytes, ignore: Ignore | None = None) -> Decoded[T]:
        """Return what the body says.

        Args:
            body: JSON.
            ignore: is told the names of members that no field has, where there are any.

        Raises:
            RefusedError: 400, the body is not a JSON object in UTF-8.

        """
        errors: Errors = {}
        try:
            if not body.isascii():
                body.decode()  # the typed decoder skips over unknown fields unread
            value: T = self._decode(body)
        except msgspec.ValidationError:
            value, errors = self._again(body, ignore)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RefusedError(_malformed(body, error)) from None
        # No body nests deeper than it has brackets: nearly every one is done here.
        if (_LIST in body or body.count(b"{") > DEPTH_MAX) and is_deeper(as_object(body)):
            raise RefusedError(_malformed(body, RecursionError()))
        # JSON can say NUL in this one way only (RFC 8259 section 7); databases choke on it.
        if _BACKSLASH in body and _NUL_ESCAPED in body:
            value, errors = _without_nul(self.schema, as_object(body), errors)
        return value, errors

    def _again(self, body: bytes, ignore: Ignore | None) -> Decoded[T]:
        """Return what the body says that has a wrong member, or one that no field has."""
        names = unknown.names(self.schema, body)
        if names and ignore:
            ignore(names)
        try:
            return self._decode_any_names(body), {}
        except msgspec.ValidationError:
            return _by_field(self.schema, as_object(body), "")
        except (msgspec.DecodeError, RecursionError) as error:
            raise RefusedError(_malformed(body, error)) from None


def as_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that the body is.

    Raises:
        RefusedError: 400, the body is not a JSON object in UTF-8.

    """
    value = _any(body)
    if not isinstance(value, dict):
        raise RefusedError(_malformed(body, f"it is {_ACTUAL[type(value)]}"))
    return value


def as_list(body: bytes) -> list[Any]:
    """Return the JSON list that the body is.

    Raises:
        RefusedError: 400, the body is not JSON in UTF-8; 422, it is no list.

    """
    value = _any(body)
    if not isinstance(value, list):
        message = f"the body must be a list, not {_ACTUAL[type(value)]}"
        raise RefusedError(invalid({"body": [message]}))
    return value


def _any(body: bytes) -> Any:  # noqa: ANN401 - whatever JSON can say
    try:
        return _decode_any(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(_malformed(body, error)) from None


def _by_field(schema: type[T], raw: dict[str, Any], prefix: str) -> tuple[T, Errors]:
    good: dict[str, Any] = {}
    errors: Errors = {}
    for field in msgspec.structs.fields(schema):
        name, value = field.encode_name, raw.get(field.encode_name)
        expected = next(kind for kind in get_args(field.type) if kind is not type(None))
        if isinstance(value, dict) and unknown.is_struct(expected):
            good[field.name], nested = _by_field(expected, value, f"{prefix}{name}.")
            errors |= nested
        elif value is not None:
            try:
                good[field.name] = msgspec.convert(whole(value), field.type)
            except msgspec.ValidationError:
                errors[prefix + name] = [f"{prefix}{name} {_type_rule(expected, value)}"]
    return schema(**good), errors


def _without_nul(schema: type[T], raw: dict[str, Any], errors: Errors) -> tuple[T, Errors]:
    found: Errors = {}
    for field in msgspec.structs.fields(schema):
        path = _path_to_nul(raw.get(field.encode_name), field.encode_name)
        if path is not None:
            raw.pop(field.encode_name)
            # The path may itself hold the character; it is shown as JSON would escape it.
            shown = path.replace("\0", "\\u0000")
            found[shown] = [f"{shown} {_NUL_RULE}"]
    value, _ = _by_field(schema, raw, "")
    return value, found | errors


def _path_to_nul(value: object, path: str) -> str | None:
    if isinstance(value, str):
        return path if "\0" in value else None
    parts: list[tuple[str, object]] = []
    if isinstance(value, dict):
        parts = [(f"{path}.{key}", item) for key, item in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}.{index}", item) for index, item in enumerate(value)]
    if "\0" in path:
        return path
    paths = (_path_to_nul(item, name) for name, item in parts)
    return next((name for name in paths if name is not None), None)


def _type_rule(expected: Any, value: object) -> str:  # noqa: ANN401 - a type form
    kind = dict if unknown.is_struct(expected) else getattr(expected, "__origin__", expected)
    return f"must be {_EXPECTED[kind]}, not {_ACTUAL[type(value)]}"


def _malformed(body: bytes, reason: object) -> Problem:
    if not body.strip():
        why = "it is empty"
    elif isinstance(reason, UnicodeDecodeError):
        why = "it is not UTF-8"
    elif isinstance(reason, RecursionError):
        why = "it is nested too deeply"
    else:
        why = str(reason).removeprefix("JSON is malformed: ")
    return Problem(
        code="malformed_json", detail=f"The body must be a JSON object in UTF-8, but: {why}."
    )
