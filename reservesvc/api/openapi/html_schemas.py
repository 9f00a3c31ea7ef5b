"""Schemas as HTML: fields with their types, meanings and rules."""

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

Schema = Mapping[str, Any]
_NO_RULES = (
    *("description", "properties", "required", "title", "type", "items", "anyOf", "allOf", "$ref"),
    "additionalProperties",
)
"""members of a schema that are shown otherwise, or that say nothing to people"""
_LISTED = {"enum": "one of", "examples": "such as"}
"""members of a schema whose values are shown one after the other, and after which words"""


def fields(schema: Schema) -> str:
    """Return the properties of an object as a list."""
    required = schema.get("required", ())
    return listed(
        field(name, each, needed=name in required)
        for name, each in schema.get("properties", {}).items()
    )


def listed(items: Iterable[str]) -> str:
    """Return items of `field` as a list, if there are any."""
    text = "".join(items)
    return f"<dl>\n{text}</dl>\n" if text else ""


def field(
    name: str, schema: Schema, *, needed: bool, where: str = "", meaning: str | None = None
) -> str:
    """Return one item: a name, its type and what is to know of it."""
    words = [f"<dt><code>{escape(name)}</code>", f'<span class="kind">{kind(schema)}</span>']
    if where:
        words.append(f'<span class="kind">in the {escape(where)}</span>')
    if needed:
        words.append('<span class="needed">required</span>')
    told = "; ".join(_told(schema, meaning))
    return f"{' '.join(words)}</dt>\n<dd>{told}{_inner(schema)}</dd>\n"


def kind(schema: Schema) -> str:
    """Return the type of a value in a word or two."""
    if "$ref" in schema:
        name = escape(name_of(schema))
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(kind, schema["anyOf"]))
    known = schema.get("type", "anything")
    words = escape(" or ".join(known) if isinstance(known, list) else known)
    return f"{words} of {kind(schema['items'])}" if "items" in schema else words


def name_of(reference: Schema) -> str:
    """Return the name that a reference ends with; nothing where it is none."""
    return str(reference.get("$ref", "")).rpartition("/")[2]


def rules(schema: Schema) -> Iterator[str]:
    """Yield what a schema says beyond its type."""
    for name, rule in schema.items():
        if name in _LISTED:
            values = ", ".join(f"<code>{escape(str(each))}</code>" for each in rule)
            yield f"{_LISTED[name]} {values}"
        elif name not in _NO_RULES:
            yield f"{escape(name)} <code>{escape(_shown(rule))}</code>"


def marked(text: str) -> str:
    """Return text with its pieces between backticks as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{each}</code>" if at % 2 else each for at, each in enumerate(pieces))


def _told(schema: Schema, meaning: str | None) -> Iterator[str]:
    text = schema.get("description", "") if meaning is None else meaning
    if text:
        yield marked(text)
    for each in (schema, *schema.get("anyOf", ())):
        yield from rules(each)


def _inner(schema: Schema) -> str:
    """Return the fields of an object that has no name of its own."""
    return "".join(fields(each) for each in (schema, *schema.get("anyOf", ())))


def _shown(rule: object) -> str:
    return rule if isinstance(rule, str) else json.dumps(rule, ensure_ascii=False)
