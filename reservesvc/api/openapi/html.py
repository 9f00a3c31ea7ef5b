"""The document as one page of HTML: no script, nothing from elsewhere, readable as it is."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --quiet: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
h3 code { font-size: 1em; }
pre { background: var(--quiet); padding: .6rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0; text-align: left;
  vertical-align: top; }
section { border-top: 1px solid var(--line); margin-top: 1.5rem; }
nav ul { columns: 18rem; padding-left: 1rem; }
summary { cursor: pointer; }
"""
_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""the Content-Security-Policy under which the page is whole: nothing may run or be fetched"""
_QUIET = ("description", "properties", "required", "title", "type", "items", "anyOf", "$ref")
"""members of a schema that are not shown as its rules"""


def page(document: Mapping[str, Any]) -> str:
    """Return the page that shows `document`."""
    info, calls = document["info"], list(_calls(document))
    schemas = document["components"]["schemas"]
    title = escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<style>{_STYLE}</style>\n<h1>{title}</h1>\n<p>{escape(info['description'])}\n"
        '<p>The same for programs: <a href="openapi.json">openapi.json</a>, OpenAPI '
        f"{escape(document['openapi'])}.\n{_contents(document, calls)}"
        + "".join(_call(document, *call) for call in calls)
        + "<h2>Schemas</h2>\n"
        + "".join(_schema(name, each) for name, each in schemas.items())
        + "</html>\n"
    )


def _calls(document: Mapping[str, Any]) -> Iterable[tuple[str, str, dict[str, Any]]]:
    """Return method, path and description of every call, by what they are about."""
    for tag in document["tags"]:
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    yield method.upper(), path, operation


def _contents(document: Mapping[str, Any], calls: list[tuple[str, str, dict[str, Any]]]) -> str:
    text = "<nav>"
    for tag in document["tags"]:
        text += f"<h2>{escape(tag['name'])}</h2><ul>\n"
        for method, path, operation in calls:
            if tag["name"] in operation["tags"]:
                shown = f"<code>{method} {escape(path)}</code>"
                text += f'<li><a href="#{escape(operation["operationId"])}">{shown}</a>\n'
        text += "</ul>"
    return text + "</nav>\n"


def _call(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    scopes = [
        scope for each in operation["security"][:1] for names in each.values() for scope in names
    ]
    key = f"Needs a key of scope <code>{escape(scopes[0])}</code>." if scopes else "Needs no key."
    text = f'<section id="{escape(operation["operationId"])}">'
    text += f"<h3><code>{method} {escape(path)}</code></h3>\n<p>{escape(operation['summary'])}. "
    text += f"{escape(operation['description'])} {key}\n"
    rows = [
        (f"<code>{escape(each['name'])}</code>", escape(each["in"]), *_told(each["schema"], each))
        for each in operation["parameters"]
    ]
    text += _table(("parameter", "in", "type", "meaning"), rows)
    if "requestBody" in operation:
        media = operation["requestBody"]["content"]["application/json"]
        text += f"<h4>Body: {_kind(media['schema'])}</h4>\n"
        text += _fields(media["schema"]) + _example(media)
    return text + _answers(document, operation["responses"]) + "</section>\n"


def _answers(document: Mapping[str, Any], answers: Mapping[str, Any]) -> str:
    rows, examples = [], ""
    for status, answer in answers.items():
        name = answer.get("$ref", "").rpartition("/")[2]
        whole = document["components"]["responses"][name] if name else answer
        kinds = [_kind(media["schema"]) for media in whole.get("content", {}).values()]
        rows.append((escape(status), " ".join(kinds), _marked(whole["description"])))
        examples += "".join(_example(media) for media in whole.get("content", {}).values())
    return "<h4>Answers</h4>\n" + _table(("status", "type", "meaning"), rows) + examples


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    about = escape(schema.get("description", ""))
    if "enum" in schema:
        about += f" One of: {escape(', '.join(schema['enum']))}."
    head = f'<section id="{escape(name)}"><h3>{escape(name)}</h3>\n<p>{about}\n'
    return f"{head}{_fields(schema)}</section>\n"


def _fields(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (f"<code>{escape(name)}</code>", *_told(each, {"required": name in required}))
        for name, each in schema.get("properties", {}).items()
    ]
    return _table(("field", "type", "meaning"), rows)


def _told(schema: Mapping[str, Any], around: Mapping[str, Any]) -> tuple[str, str]:
    """Return a field's type and meaning."""
    choices = [schema, *schema.get("anyOf", ())]
    rules = [rule for each in choices for rule in _rules(each)]
    meaning = around.get("description", schema.get("description", ""))
    words = ["required" if around.get("required") else "", escape(meaning), *rules]
    return _kind(schema), "; ".join(filter(None, words))


def _rules(schema: Mapping[str, Any]) -> Iterable[str]:
    """Return what a schema says beyond its type."""
    for name, rule in schema.items():
        if name not in _QUIET:
            yield f"{escape(name)} <code>{escape(json.dumps(rule, ensure_ascii=False))}</code>"


def _kind(schema: Mapping[str, Any]) -> str:
    """Return the type of a value in a word or two."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    kind = schema.get("type", "anything")
    words = escape(" or ".join(kind) if isinstance(kind, list) else kind)
    return f"{words} of {_kind(schema['items'])}" if "items" in schema else words


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{cell}' for cell in row)}\n" for row in rows)
    return (
        f"<table><tr>{''.join(f'<th>{head}' for head in heads)}\n{body}</table>\n" if body else ""
    )


def _example(media: Mapping[str, Any]) -> str:
    if "example" not in media:
        return ""
    text = json.dumps(media["example"], indent=2, ensure_ascii=False)
    return f"<details><summary>Example</summary><pre>{escape(text)}</pre></details>\n"


def _marked(text: str) -> str:
    """Return text whose codes stand between backticks."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{each}</code>" if at % 2 else each for at, each in enumerate(pieces))
