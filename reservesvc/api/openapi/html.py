"""The document as one page of HTML: no script, nothing from elsewhere, readable as it is."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

from reservesvc.api.openapi import curl
from reservesvc.api.openapi.html_schemas import field, fields, kind, listed, marked, name_of, rules

_STYLE = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""the Content-Security-Policy under which the page is whole: nothing may run or be fetched"""
_REFUSED = 400
"""statuses from here on are problems, or a check that failed"""
_JSON = "application/json"
Document = Mapping[str, Any]


class _Call(NamedTuple):
    method: str
    path: str
    operation: Mapping[str, Any]

    @property
    def place(self) -> str:
        return escape(self.operation["operationId"])

    @property
    def heading(self) -> str:
        path = escape(self.path).replace("/", "<wbr>/")
        return f'<code><span class="verb">{self.method}</span> <span>{path}</span></code>'


def page(document: Document) -> str:
    """Return the page that shows `document`."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f'<style>{_STYLE}</style>\n<a class="skip" href="#calls">Skip to the calls</a>\n'
        '<div class="bar"><a href="#menu">All calls</a></div>\n'
        f"{_menu(document)}<main>\n{_introduction(document, title)}"
        f'<div id="calls">{"".join(_group(document, tag) for tag in document["tags"])}</div>\n'
        f'<h2 id="schemas">Schemas</h2>\n{_schemas(document)}</main></html>\n'
    )


def _introduction(document: Document, title: str) -> str:
    return (
        f"<h1>{title}</h1>\n<p>{marked(document['info']['description'])}</p>\n"
        f"<p>The commands on this page are for {escape(document['servers'][1]['url'])}; replace "
        f"<mark>{curl.KEY}</mark> with a key of yours. "
        'The same for programs: <a href="openapi.json">openapi.json</a>, OpenAPI '
        f"{escape(document['openapi'])}.</p>\n"
    )


def _calls(document: Document, tag: str) -> Iterator[_Call]:
    """Yield the calls that are about something."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield _Call(method.upper(), path, operation)


def _menu(document: Document) -> str:
    """Return the links to all calls and schemas."""
    groups = [
        f"<h2>{escape(tag['name'])}</h2>\n"
        + _links((call.place, call.heading) for call in _calls(document, tag["name"]))
        for tag in document["tags"]
    ]
    schemas = _links((escape(name), escape(name)) for name in _shown(document))
    return (
        '<nav id="menu" aria-label="All calls"><a class="close" href="#calls">Close</a>\n'
        f"{''.join(groups)}<details><summary>Schemas</summary>\n{schemas}</details></nav>\n"
    )


def _links(targets: Iterable[tuple[str, str]]) -> str:
    items = "".join(f'<li><a href="#{place}">{text}</a></li>\n' for place, text in targets)
    return f"<ul>\n{items}</ul>\n"


def _group(document: Document, tag: Mapping[str, str]) -> str:
    calls = "".join(_call(document, call) for call in _calls(document, tag["name"]))
    return f"<h2>{escape(tag['name'])}</h2>\n<p>{marked(tag['description'])}</p>\n{calls}"


def _call(document: Document, call: _Call) -> str:
    operation = call.operation
    said = f"{marked(operation['summary'])}. {marked(operation['description'])}"
    return (
        f'<section class="call" id="{call.place}"><h3>{call.heading}</h3>\n<p>{said}</p>\n'
        f"<div><div>{_parameters(operation)}{_body(document, operation)}"
        f"{_problems(document, operation)}</div>\n"
        f"<div>{_command(document, call)}{_successes(document, operation)}</div></div></section>\n"
    )


def _parameters(operation: Mapping[str, Any]) -> str:
    items = [
        field(
            each["name"],
            each["schema"],
            needed=each["required"],
            where=each["in"],
            meaning=each["description"],
        )
        for each in operation["parameters"]
    ]
    return f"<h4>Parameters</h4>\n{listed(items)}" if items else ""


def _body(document: Document, operation: Mapping[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    schema = operation["requestBody"]["content"][_JSON]["schema"]
    optional = "" if operation["requestBody"]["required"] else ", may be left out"
    whole = document["components"]["schemas"].get(name_of(schema), schema)
    return f"<h4>Body: {kind(schema)}{optional}</h4>\n{fields(whole)}"


def _command(document: Document, call: _Call) -> str:
    text = escape(curl.command(document["servers"][1]["url"], *call))
    return f"<h4>Request</h4>\n<pre>{text.replace(curl.KEY, f'<mark>{curl.KEY}</mark>')}</pre>\n"


def _successes(document: Document, operation: Mapping[str, Any]) -> str:
    return "".join(
        _success(status, answer)
        for status, answer in _answers(document, operation)
        if int(status) < _REFUSED
    )


def _success(status: str, answer: Mapping[str, Any]) -> str:
    """Return a reply as its type and an example."""
    text = ""
    for media, content in answer.get("content", {}).items():
        shown = kind(content["schema"]) if media == _JSON else escape(media)
        text += f" {shown}</h4>\n{_example(content)}"
    return f"<h4>Reply: {escape(status)} {escape(answer['description'])}{text or '</h4>'}\n"


def _problems(document: Document, operation: Mapping[str, Any]) -> str:
    """Return what may go wrong, folded."""
    found = [
        (status, answer)
        for status, answer in _answers(document, operation)
        if int(status) >= _REFUSED
    ]
    items = "".join(
        f"<dt><code>{escape(status)}</code></dt>\n<dd>{marked(answer['description'])}</dd>\n"
        for status, answer in found
    )
    statuses = ", ".join(escape(status) for status, _ in found)
    return (
        f'<details class="problems"><summary>Errors: {statuses}</summary>\n'
        f'<p>Each is a <a href="#Problem">Problem</a>.</p><dl>\n{items}</dl></details>\n'
    )


def _answers(
    document: Document, operation: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for status, answer in operation["responses"].items():
        yield status, document["components"]["responses"].get(name_of(answer), answer)


def _shown(document: Document) -> Iterator[str]:
    """Yield the schemas that have a place; those of problems only narrow one that does."""
    for name, schema in document["components"]["schemas"].items():
        if "allOf" not in schema:
            yield name


def _schemas(document: Document) -> str:
    schemas = document["components"]["schemas"]
    return "".join(_schema(name, schemas[name]) for name in _shown(document))


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    told = [f"<p>{each}</p>\n" for each in (marked(schema.get("description", "")), *rules(schema))]
    return (
        f'<section class="schema" id="{escape(name)}"><h3>{escape(name)}</h3>\n'
        f"{''.join(told)}{fields(schema)}</section>\n"
    )


def _example(media: Mapping[str, Any]) -> str:
    if "example" not in media:
        return ""
    text = json.dumps(media["example"], indent=2, ensure_ascii=False)
    return f"<pre>{escape(text)}</pre>\n"
